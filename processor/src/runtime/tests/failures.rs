//! What follows when a task fails for good, as the settings say.

use std::sync::atomic::AtomicBool;

use super::{
    threads::{Seen, done, stops, tallies, until_state, write},
    *,
};
use crate::{OnFailure, Settings};

const fn is_failed(state: &TaskState) -> bool {
    matches!(state, TaskState::Failed(_))
}

const fn is_stopped(state: &TaskState) -> bool {
    matches!(state, TaskState::Stopped)
}

#[tokio::test]
async fn task_that_fails_ends_alone_unless_said_otherwise() {
    assert_eq!(Settings::default().on_failure, OnFailure::EndTask);
    let (broker, seen) = (broker(2), Arc::new(Seen::default()));
    write(&broker, 0, "fail", 1).await;
    let handle = start(&broker, tallies(&seen, 2)).await;
    until_state(&handle, 0, is_failed).await;
    write(&broker, 1, "", 1).await;
    done(&handle, 1, 1).await;
    assert!(!handle.states()[1].is_over());
    stops(&handle).await.unwrap_err();
}

#[tokio::test]
async fn failure_of_a_task_stops_all_tasks_where_that_is_wanted() {
    let (broker, seen) = (broker(5), Arc::new(Seen::default()));
    // Nothing but the stop leads to a commit.
    let spec = tallies(&seen, 2).commit_interval(Duration::from_secs(3600));
    let handle = start(&broker, spec.on_failure(OnFailure::StopProcessor)).await;
    write(&broker, 4, "", 1).await;
    seen.batches.subscribe().wait_for(|batches| batches.contains(&4)).await.unwrap();
    write(&broker, 0, "boom", 1).await;
    for task in 1..5 {
        until_state(&handle, task, is_stopped).await;
    }
    assert!(is_failed(&handle.states()[0]));
    assert_eq!((broker.committed("p", "in", 0), broker.committed("p", "in", 4)), (None, Some(1)));
    let error = stops(&handle).await.unwrap_err();
    assert_eq!(error.to_string(), "node p: user code panicked: on purpose");
}

/// Passes records on once it is mended.
struct Broken(Arc<AtomicBool>);

impl Processor for Broken {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            let key = input.record.key.clone();
            ctx.forward("out", OutputRecord { key, ..Default::default() })?;
        }
        if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err("on purpose".into()) }
    }
}

#[tokio::test]
async fn failed_task_tries_again_where_that_is_wanted_and_goes_on_behind_its_last_commit() {
    let (broker, is_mended) = (broker(2), Arc::new(AtomicBool::new(true)));
    let seen = Arc::clone(&is_mended);
    let spec = ProcessorSpec::new("p", move || Broken(Arc::clone(&seen))).input("in").output("out", "out");
    let spec = spec.commit_interval(Duration::from_millis(5)).on_failure(OnFailure::TryAgain);
    let handle = start(&broker, spec).await;
    produce(&broker, [(1, "a", "")]).await;
    done(&handle, 0, 1).await;
    is_mended.store(false, Ordering::SeqCst);
    produce(&broker, [(2, "b", "")]).await;
    until_state(&handle, 0, |state| matches!(state, TaskState::Waiting(TaskError::Node { .. }))).await;
    is_mended.store(true, Ordering::SeqCst);
    done(&handle, 0, 2).await;
    stops(&handle).await.unwrap();
    // Outputs of an attempt that failed go with it.
    let keys = records(&broker).await.into_iter().map(|record| record.key.unwrap());
    assert_eq!(keys.collect::<Vec<_>>(), ["a", "b"]);
}

#[tokio::test]
async fn task_that_is_to_try_again_for_ever_stops_when_it_is_told() {
    let (broker, seen) = (broker(1), Arc::new(Seen::default()));
    write(&broker, 0, "fail", 1).await;
    let handle = start(&broker, tallies(&seen, 1).on_failure(OnFailure::TryAgain)).await;
    until_state(&handle, 0, |state| matches!(state, TaskState::Waiting(_))).await;
    stops(&handle).await.unwrap();
    assert!(is_stopped(&handle.states()[0]));
}
