//! Tasks that share threads.

use std::{
    collections::HashSet,
    num::NonZeroUsize,
    sync::{Mutex, mpsc},
    thread::{self, ThreadId},
};

use mainstem_client::{protocol::messages::RequestBody, testing::Around};
use tempfile::TempDir;
use tokio::{sync::watch, time::timeout};

use super::*;
use crate::{
    Settings, StateDirectory, TaskId, TaskReport, caps,
    state::{Place, Store},
};

/// Counts the records of its task. Fails at the value `fail`, panics at `boom`, and is held up at `hold`.
struct Tally(Arc<Seen>);

/// What the nodes of all tasks have seen.
#[derive(Default)]
pub(super) struct Seen {
    threads: Mutex<HashSet<ThreadId>>,
    /// The partitions of their batches.
    pub(super) batches: watch::Sender<Vec<i32>>,
    /// What the value `hold` waits for.
    pub(super) hold: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Processor for Tally {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        self.0.threads.lock().unwrap().insert(thread::current().id());
        self.0.batches.send_modify(|batches| batches.push(batch.partition.partition.0));
        for input in &batch.records {
            match input.record.value.as_deref() {
                Some(b"boom") => panic!("on purpose"),
                Some(b"fail") => return Err("on purpose".into()),
                Some(b"hold") => self.0.hold.lock().unwrap().as_ref().unwrap().recv().unwrap(),
                _ => {}
            }
            let count = next(ctx.store("tally")?.get(b"count").as_ref());
            ctx.store("tally")?.put(b"count", count);
        }
        let key = Bytes::from(batch.partition.partition.0.to_string());
        let value = ctx.store("tally")?.get(b"count");
        ctx.forward("out", OutputRecord { key: Some(key), value, ..Default::default() })?;
        Ok(())
    }
}

pub(super) fn tallies(seen: &Arc<Seen>, threads: usize) -> ProcessorSpec {
    let seen = Arc::clone(seen);
    let spec = ProcessorSpec::new("p", move || Tally(Arc::clone(&seen))).input("in").output("out", "out");
    let spec = spec.store("tally").commit_interval(Duration::from_millis(5));
    spec.threads(NonZeroUsize::new(threads).unwrap())
}

/// Writes a value to a partition, so many times.
pub(super) async fn write(broker: &FakeBroker, partition: i32, value: &'static str, times: usize) {
    let producer = Producer::new(broker, ProducerConfig::default());
    for _ in 0..times {
        let record = ProducerRecord::new("in").partition(partition).timestamp(Timestamp(1)).value(value);
        drop(producer.send(record).await.unwrap());
    }
    producer.close().await;
}

pub(super) async fn done(handle: &Handle, partition: i32, end: i64) {
    let partition = TopicPartition::new("in", partition);
    let done = handle.committed(&partition, Offset(end));
    timeout(caps::PATIENCE, done).await.expect("no progress").unwrap();
}

pub(super) async fn stops(handle: &Handle) -> Result<(), TaskError> {
    timeout(caps::PATIENCE, handle.stop()).await.expect("it does not stop")
}

/// Waits until a task is in a state.
pub(super) async fn until_state(handle: &Handle, task: usize, is_it: impl FnMut(&TaskState) -> bool) {
    let mut state = handle.tasks[task].state.clone();
    timeout(caps::PATIENCE, state.wait_for(is_it)).await.expect("another state").unwrap();
}

/// The last count of each partition.
async fn counts(broker: &FakeBroker) -> BTreeMap<i32, String> {
    let count = |record: Record| {
        (text(&record.key.unwrap()).parse().unwrap(), text(&record.value.unwrap()).to_owned())
    };
    records(broker).await.into_iter().map(count).collect()
}

#[tokio::test]
async fn two_hundred_tasks_share_two_threads_and_go_on_after_a_restart() {
    const TASKS: i32 = 200;
    let (broker, seen) = (broker(TASKS as usize), Arc::new(Seen::default()));
    for run in 1..=2 {
        for partition in 0..TASKS {
            write(&broker, partition, "", 1).await;
        }
        let handle = start(&broker, tallies(&seen, 2)).await;
        for partition in 0..TASKS {
            done(&handle, partition, run).await;
        }
        assert_eq!(std::mem::take(&mut *seen.threads.lock().unwrap()).len(), 2);
        stops(&handle).await.unwrap();
        assert!(handle.states().iter().all(|state| matches!(state, TaskState::Stopped)));
        let expected: BTreeMap<_, _> = (0..TASKS).map(|partition| (partition, run.to_string())).collect();
        assert_eq!(counts(&broker).await, expected);
    }
}

#[tokio::test]
async fn tasks_of_a_thread_take_turns() {
    let (broker, seen) = (broker(2), Arc::new(Seen::default()));
    let many = 30 * caps::BATCH_RECORDS;
    for partition in 0..2 {
        write(&broker, partition, "", many).await;
    }
    let mut spec = tallies(&seen, 1).commit_interval(Duration::from_secs(3600));
    spec = spec.uncommitted_bytes_max(usize::MAX).input_end(InputEnd::At(
        (0..2).map(|partition| (TopicPartition::new("in", partition), Offset(many as i64))).collect(),
    ));
    start(&broker, spec).await.ended().await.unwrap();
    let batches = seen.batches.borrow();
    let first = |partition| batches.iter().position(|of| *of == partition).unwrap();
    let last = |partition| batches.iter().rposition(|of| *of == partition).unwrap();
    assert!(first(1) < last(0) && first(0) < last(1), "{batches:?}");
}

#[tokio::test]
async fn tasks_that_fail_or_panic_take_no_other_of_their_thread_with_them() {
    let (broker, seen) = (broker(3), Arc::new(Seen::default()));
    for (partition, value) in [(0, "fail"), (1, "boom"), (2, "")] {
        write(&broker, partition, value, 1).await;
    }
    let handle = start(&broker, tallies(&seen, 1)).await;
    for failed in 0..2 {
        until_state(&handle, failed, |state| matches!(state, TaskState::Failed(TaskError::Node { .. })))
            .await;
    }
    write(&broker, 2, "", 1).await;
    done(&handle, 2, 2).await;
    stops(&handle).await.unwrap_err();
    assert!(matches!(handle.states()[2], TaskState::Stopped));
}

/// Panics where the first task tells of a commit.
#[derive(Debug)]
struct Panics;

impl Meter for Panics {
    fn task_committed(&self, task: TaskId, _: &TaskReport) {
        assert!(task.number != 0, "on purpose");
    }
}

#[tokio::test]
async fn panic_outside_of_the_nodes_ends_its_task_alone() {
    let (broker, seen) = (broker(2), Arc::new(Seen::default()));
    write(&broker, 0, "", 1).await;
    let handle = start(&broker, tallies(&seen, 1).meter(Arc::new(Panics))).await;
    let error = timeout(caps::PATIENCE, handle.ended()).await.expect("it was not told").unwrap_err();
    assert_eq!(error.to_string(), "the task panicked: on purpose");
    write(&broker, 1, "", 1).await;
    done(&handle, 1, 1).await;
    stops(&handle).await.unwrap_err();
}

#[tokio::test]
async fn node_that_computes_for_long_holds_up_its_own_thread_alone() {
    let (broker, seen) = (broker(2), Arc::new(Seen::default()));
    let (go_on, hold) = mpsc::sync_channel(1);
    *seen.hold.lock().unwrap() = Some(hold);
    write(&broker, 0, "hold", 1).await;
    write(&broker, 1, "", 1).await;
    let handle = start(&broker, tallies(&seen, 2)).await;
    done(&handle, 1, 1).await;
    assert!(handle.tasks[0].committed.borrow().is_empty());
    go_on.send(()).unwrap();
    done(&handle, 0, 1).await;
    stops(&handle).await.unwrap();
}

/// A transport on which nobody says where the first partition of the changelog begins and ends.
fn without_ends(broker: &FakeBroker) -> Around {
    Around::new(broker.transport(), |inner, call| async move {
        match &call.request {
            RequestBody::ListOffsets(request)
                if request.topics.iter().any(|topic| {
                    let is_first = topic.partitions.iter().any(|partition| partition.partition_index.0 == 0);
                    topic.name == "p-tally-changelog" && is_first
                }) =>
            {
                std::future::pending().await
            }
            _ => inner.call(call).await,
        }
    })
}

#[tokio::test]
async fn task_that_restores_holds_up_no_other_of_its_thread() {
    let (broker, seen) = (broker(2), Arc::new(Seen::default()));
    write(&broker, 1, "", 1).await;
    let transport = Arc::new(without_ends(&broker));
    let handle = super::super::start(tallies(&seen, 1), transport).await.unwrap();
    done(&handle, 1, 1).await;
    assert!(matches!(handle.states()[0], TaskState::Restoring));
    stops(&handle).await.unwrap();
}

#[tokio::test]
async fn task_that_waits_for_its_next_attempt_holds_up_no_other_and_its_stores_are_closed_behind_it() {
    let (broker, seen, folder) = (broker(2), Arc::new(Seen::default()), TempDir::new().unwrap());
    let directory = StateDirectory::open(folder.path(), caps::STATE_MEMORY_BYTES_MIN).unwrap();
    let open = |task| directory.table(&Place { processor: "p", task, store: "tally" }).unwrap();
    let held = open("0_0").unwrap();
    write(&broker, 0, "", 1).await;
    write(&broker, 1, "", 1).await;
    let handle = start(&broker, tallies(&seen, 1).on_disk(directory.clone())).await;
    done(&handle, 1, 1).await;
    until_state(&handle, 0, |state| matches!(state, TaskState::Waiting(TaskError::StoreInUse { .. }))).await;
    drop(held);
    done(&handle, 0, 1).await;
    assert!(open("0_0").is_none() && open("0_1").is_none());
    stops(&handle).await.unwrap();
    for task in ["0_0", "0_1"] {
        let store = Store::on_disk(open(task).unwrap());
        assert_eq!(store.get(b"count").as_deref(), Some(&b"1"[..]));
    }
}

#[tokio::test]
async fn task_that_waits_for_one_of_its_inputs_holds_up_no_other() {
    let (broker, seen) = (broker(2), Arc::new(Seen::default()));
    broker.create_topic("other", 2);
    write(&broker, 0, "", 1).await;
    let mut spec = tallies(&seen, 1).input("other");
    let Settings { max_task_idle, .. } = &mut spec.settings;
    *max_task_idle = Some(Duration::from_secs(3600));
    let handle = start(&broker, spec).await;
    until_state(&handle, 0, |state| matches!(state, TaskState::Running)).await;
    let producer = Producer::new(&broker, ProducerConfig::default());
    let record = ProducerRecord::new("other").partition(1).timestamp(Timestamp(2)).value("");
    drop(producer.send(record).await.unwrap());
    producer.close().await;
    write(&broker, 1, "", 1).await;
    done(&handle, 1, 1).await;
    assert!(!seen.batches.borrow().contains(&0));
    stops(&handle).await.unwrap();
}

#[tokio::test]
async fn more_threads_than_there_may_be_are_refused() {
    let spec = tallies(&Arc::default(), caps::THREADS_MAX + 1);
    let error = super::super::start(spec, broker(1).transport()).await.unwrap_err();
    assert!(matches!(error, StartError::TooManyThreads { limit: caps::THREADS_MAX, .. }), "{error}");
}
