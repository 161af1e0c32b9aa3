//! Tasks whose stores are on disk: what they read again, and what they refuse.

use tempfile::TempDir;

use super::*;
use crate::{Kept, Settings, StateDirectory, TaskId, caps};

/// Where a process keeps its state; each run is another process.
struct Machine {
    path: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { path: TempDir::new().unwrap() }
    }

    fn directory(&self) -> StateDirectory {
        StateDirectory::open(self.path.path(), caps::STATE_MEMORY_BYTES_MIN).unwrap()
    }

    /// Works up to an offset, as a process that is then over; says what was read to restore.
    async fn run(&self, broker: &FakeBroker, end: i64) -> Result<u64, TaskError> {
        let counts = Arc::new(Restored::default());
        let spec = spec().on_disk(self.directory()).meter(Arc::clone(&counts) as _);
        let handle = start(broker, spec).await;
        handle.committed(&TopicPartition::new("in", 0), Offset(end)).await?;
        handle.stop().await?;
        Ok(counts.records.load(Ordering::Relaxed))
    }
}

/// Counts what is restored.
#[derive(Debug, Default)]
struct Restored {
    records: AtomicU64,
}

impl Meter for Restored {
    fn restored(&self, _: TaskId, _: &mainstem_client::Text, records: u64, _: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }
}

const CHANGELOG: &str = "p-counts-changelog";

/// Ends the input, which closes all windows.
async fn finish(broker: &FakeBroker, machine: &Machine, end: i64) -> Vec<String> {
    let spec = spec().on_disk(machine.directory()).input_end(until(end));
    start(broker, spec).await.ended().await.unwrap();
    output(broker).await
}

#[tokio::test]
async fn restart_on_disk_reads_nothing_that_the_store_has() {
    let (broker, machine) = (broker(1), Machine::new());
    produce(&broker, [(1, "a", ""), (2, "b", "")]).await;
    assert_eq!(machine.run(&broker, 2).await.unwrap(), 0);
    produce(&broker, [(3, "a", "")]).await;
    assert_eq!(machine.run(&broker, 3).await.unwrap(), 0);
    assert_eq!(finish(&broker, &machine, 3).await, ["a 0 2", "b 0 1"]);
}

#[tokio::test]
async fn store_that_is_behind_reads_the_tail_of_its_changelog_alone() {
    let (broker, here, there) = (broker(1), Machine::new(), Machine::new());
    produce(&broker, [(1, "a", ""), (2, "b", ""), (2, "c", "")]).await;
    here.run(&broker, 3).await.unwrap();
    let whole = records_of(&broker, CHANGELOG).await.len() as u64;
    // Another machine goes on for a while, and builds the store up from the beginning.
    produce(&broker, [(3, "a", "")]).await;
    assert_eq!(there.run(&broker, 4).await.unwrap(), whole);
    let tail = records_of(&broker, CHANGELOG).await.len() as u64 - whole;
    produce(&broker, [(4, "b", "")]).await;
    assert_eq!(here.run(&broker, 5).await.unwrap(), tail);
    assert_eq!(finish(&broker, &here, 5).await, ["a 0 2", "b 0 2", "c 0 1"]);
}

#[tokio::test]
async fn deleted_directory_is_built_up_again() {
    let broker = broker(1);
    produce(&broker, [(1, "a", ""), (2, "b", "")]).await;
    Machine::new().run(&broker, 2).await.unwrap();
    assert_eq!(finish(&broker, &Machine::new(), 2).await, ["a 0 1", "b 0 1"]);
}

#[tokio::test]
async fn store_whose_changelog_was_made_anew_does_not_keep_what_it_held() {
    let (broker, machine) = (broker(1), Machine::new());
    produce(&broker, [(1, "a", ""), (2, "b", "")]).await;
    machine.run(&broker, 2).await.unwrap();
    broker.delete_topic(CHANGELOG);
    produce(&broker, [(3, "a", "")]).await;
    // The group's offsets say where to go on; what was counted before is gone with the topic.
    assert_eq!(finish(&broker, &machine, 3).await, ["a 0 1"]);
}

/// Traps 34 and 48: state of which a part was deleted is not passed off as the whole.
#[tokio::test]
async fn store_that_lacks_what_was_deleted_from_its_changelog_is_refused() {
    let (broker, here, there) = (broker(1), Machine::new(), Machine::new());
    produce(&broker, [(1, "a", "")]).await;
    here.run(&broker, 1).await.unwrap();
    produce(&broker, [(2, "b", "")]).await;
    there.run(&broker, 2).await.unwrap();
    let end = records_of(&broker, CHANGELOG).await.len() as i64;
    broker.trim(CHANGELOG, 0, end - 1);
    let error = here.run(&broker, 3).await.unwrap_err();
    assert!(matches!(error, TaskError::StateLost { .. }), "{error}");
    assert!(!error.is_retriable());
    // The one that has everything goes on.
    produce(&broker, [(3, "a", "")]).await;
    there.run(&broker, 3).await.unwrap();
    // So does the other, once it is told to.
    assert!(here.directory().forget("p").unwrap() > 0);
    here.run(&broker, 3).await.unwrap();
}

#[tokio::test]
async fn store_on_disk_needs_a_directory() {
    let broker = broker(1);
    let spec = spec();
    let settings = Settings { kept: Kept::OnDisk, ..Settings::default() };
    let started = super::super::run(spec.topology().unwrap(), settings, broker.transport()).await;
    assert_eq!(
        started.unwrap_err().to_string(),
        "store counts is to be kept on disk; set a state directory, or keep it in memory"
    );
}

#[tokio::test]
async fn overlapping_runs_of_one_process_wait_for_the_store() {
    let (broker, machine) = (broker(1), Machine::new());
    produce(&broker, [(1, "a", "")]).await;
    let directory = machine.directory();
    let first = start(&broker, spec().on_disk(directory.clone())).await;
    committed(&first, 1).await;
    let second = start(&broker, spec().on_disk(directory)).await;
    let waits = |state: &TaskState| matches!(state, TaskState::Waiting(TaskError::StoreInUse { .. }));
    while !second.states().iter().all(waits) {
        tokio::task::yield_now().await;
    }
    first.stop().await.unwrap();
    produce(&broker, [(2, "a", "")]).await;
    committed(&second, 2).await;
    second.stop().await.unwrap();
}

/// Trap 35: the changelog of windows is compacted alone, and does not grow for ever all the same.
#[tokio::test]
async fn closed_windows_leave_a_tombstone_each_in_the_changelog() {
    let (broker, machine) = (broker(1), Machine::new());
    produce(&broker, [(1, "a", ""), (2, "b", "")]).await;
    machine.run(&broker, 2).await.unwrap();
    assert_eq!(finish(&broker, &machine, 2).await, ["a 0 1", "b 0 1"]);
    let is_of_a_window = |record: &Record| record.key.as_ref().is_some_and(|key| key.starts_with(&[0]));
    let mut last = BTreeMap::new();
    for record in records_of(&broker, CHANGELOG).await.into_iter().filter(is_of_a_window) {
        last.insert(record.key, record.value);
    }
    assert_eq!(last.into_values().collect::<Vec<_>>(), [None, None]);
}

/// What another writer has put between two commits is not passed over: the store reads from in front of it.
#[tokio::test]
async fn changes_of_another_writer_are_read_at_the_next_start() {
    let (broker, machine) = (broker(1), Machine::new());
    produce(&broker, [(1, "a", "")]).await;
    let handle = start(&broker, spec().on_disk(machine.directory())).await;
    committed(&handle, 1).await;
    let mut window = vec![0];
    window.extend(crate::state::ordered(1000));
    window.push(b'z');
    let producer = Producer::new(&broker, ProducerConfig::default());
    let change = ProducerRecord::new(CHANGELOG).partition(0).key(window).value("5");
    drop(producer.send(change).await.unwrap());
    producer.close().await;
    produce(&broker, [(2, "a", "")]).await;
    committed(&handle, 2).await;
    handle.stop().await.unwrap();
    produce(&broker, [(3, "a", "")]).await;
    assert!(machine.run(&broker, 3).await.unwrap() > 1);
    assert_eq!(finish(&broker, &machine, 3).await, ["a 0 3", "z 1000 5"]);
}
