//! What is told of trouble, and whether and when there is another attempt.

use mainstem_client::{protocol::messages::RequestBody, testing::Around};
use tokio::{sync::watch, time::timeout};

use super::*;
use crate::{
    TaskId, caps,
    runtime::{
        Job,
        life::Attempts,
        restore,
        task::Task,
        topics::{create, plan},
    },
};

/// The transport to a broker that says nothing to those who read.
fn silent(broker: &FakeBroker) -> Around {
    Around::new(broker.transport(), |inner, call| async move {
        match call.request {
            RequestBody::Fetch(_) => std::future::pending().await,
            _ => inner.call(call).await,
        }
    })
}

pub(super) const TASK: TaskId = TaskId { part: 0, number: 0 };

async fn job(broker: &FakeBroker) -> Job {
    job_of(broker, spec()).await
}

/// What is run of a spec, with nothing started.
pub(super) async fn job_of(broker: &FakeBroker, spec: ProcessorSpec) -> Job {
    let (topology, settings) = (spec.topology().unwrap(), spec.settings);
    let plan = plan(&topology, broker).await.unwrap();
    let (begins, changelogs, globals) = (HashMap::new(), HashMap::new(), topology.globals());
    let mut job =
        Job { topology, plan, settings, stop: watch::Sender::new(false), begins, changelogs, globals };
    job.changelogs = create(&job, broker).await.unwrap();
    job
}

#[tokio::test(start_paused = true)]
async fn silence_in_a_restore_is_no_reason_to_give_up() {
    let broker = broker(1);
    let job = job(&broker).await;
    let producer = Producer::new(&broker, ProducerConfig::default());
    let change = ProducerRecord::new("p-counts-changelog").key("key").value("value");
    drop(producer.send(change).await.unwrap());
    producer.close().await;
    let error = restore::stores(&job, &silent(&broker), TASK).await.unwrap_err();
    assert!(matches!(error, TaskError::Silence { limit: caps::PATIENCE, .. }), "{error}");
    assert!(error.is_retriable());
    restore::stores(&job, &broker, TASK).await.unwrap();
}

#[tokio::test]
async fn failure_is_told_while_tasks_in_front_of_it_live() {
    let broker = broker(2);
    let producer = Producer::new(&broker, ProducerConfig::default());
    let record = ProducerRecord::new("in").partition(1).timestamp(Timestamp(1)).value("fail");
    drop(producer.send(record).await.unwrap());
    producer.close().await;
    let handle = start(&broker, spec()).await;
    let error = timeout(caps::PATIENCE, handle.ended()).await.expect("it was not told").unwrap_err();
    assert_eq!(error.to_string(), "node p: processor failed: on purpose");
    assert!(!handle.states()[0].is_over());
    // Who stops the processor waits for all of it, and learns what happened.
    handle.stop().await.unwrap_err();
    assert!(matches!(handle.states()[0], TaskState::Stopped));
}

#[tokio::test]
async fn waits_begin_anew_behind_an_attempt_that_has_committed() {
    let broker = broker(1);
    let (task, handle) = Task::new(Arc::new(job(&broker).await), broker.transport(), TASK, Vec::new());
    produce(&broker, [(1, "a", "")]).await;
    let partition = TopicPartition::new("in", 0);
    let fail = async {
        let mut committed = handle.committed.clone();
        let is_there = |all: &BTreeMap<_, _>| all.get(&partition) == Some(&Offset(1));
        committed.wait_for(is_there).await.unwrap();
        produce(&broker, [(2, "a", "fail")]).await;
    };
    let mut wait = caps::RESTART_BACKOFF_MAX;
    let (end, ()) = tokio::join!(task.attempt(&mut wait), fail);
    assert!(end.is_err());
    assert_eq!(wait, caps::RESTART_BACKOFF);
    // The next attempt brings back what was committed, and fails before it commits anything itself.
    let mut wait = caps::RESTART_BACKOFF_MAX;
    assert!(task.attempt(&mut wait).await.is_err());
    assert_eq!(wait, caps::RESTART_BACKOFF_MAX);
}
