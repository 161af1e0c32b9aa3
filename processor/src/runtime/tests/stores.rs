//! Stores that single nodes keep in memory or on disk, as they choose.

use mainstem_client::{Admin, AdminConfig};
use tempfile::TempDir;

use super::*;
use crate::{Settings, StateDirectory, StoreSpec, StreamBuilder, Topology, caps, runtime::run};

/// Counts in a store.
fn counting(store: StoreSpec) -> Topology {
    let builder = StreamBuilder::new("p");
    builder.stream::<String, String>("in").group_by_key().count(store).to("counts");
    builder.build().unwrap()
}

async fn run_to(broker: &FakeBroker, store: StoreSpec, end: i64, path: &TempDir) {
    let directory = StateDirectory::open(path.path(), caps::STATE_MEMORY_BYTES_MIN).unwrap();
    let settings =
        Settings { input_end: until(end), state_directory: Some(directory), ..Settings::default() };
    run(counting(store), settings, broker.transport()).await.unwrap().ended().await.unwrap();
}

/// What is counted, key by key.
async fn counts(broker: &FakeBroker) -> BTreeMap<Bytes, i64> {
    let number = |value: &Bytes| i64::from_be_bytes(value[..].try_into().unwrap());
    let records = records_of(broker, "counts").await.into_iter();
    records.map(|record| (record.key.unwrap(), number(&record.value.unwrap()))).collect()
}

#[tokio::test]
async fn store_that_moves_to_disk_and_back_comes_from_its_changelog() {
    let (broker, path) = (broker(1), TempDir::new().unwrap());
    broker.create_topic("counts", 1);
    produce(&broker, [(1, "a", ""), (2, "b", ""), (3, "a", ""), (4, "b", ""), (5, "a", "")]).await;
    run_to(&broker, StoreSpec::new("kept").in_memory(), 2, &path).await;
    run_to(&broker, StoreSpec::new("kept").on_disk(), 3, &path).await;
    run_to(&broker, StoreSpec::new("kept").in_memory(), 4, &path).await;
    // What is on disk by now has missed a run, and takes that over.
    run_to(&broker, StoreSpec::new("kept").on_disk(), 5, &path).await;
    assert_eq!(counts(&broker).await, BTreeMap::from([("a".into(), 3), ("b".into(), 2)]));
}

/// What has no changelog is not taken for what was, and the positions are not lost with it.
#[tokio::test]
async fn store_without_a_changelog_begins_anew_and_its_task_goes_on() {
    for is_on_disk in [false, true] {
        let (broker, path) = (broker(1), TempDir::new().unwrap());
        broker.create_topic("counts", 1);
        let store = || {
            let store = StoreSpec::new("kept").without_changelog();
            if is_on_disk { store.on_disk() } else { store }
        };
        produce(&broker, [(1, "a", ""), (2, "b", ""), (3, "a", "")]).await;
        run_to(&broker, store(), 3, &path).await;
        assert_eq!(counts(&broker).await, BTreeMap::from([("a".into(), 2), ("b".into(), 1)]));
        produce(&broker, [(4, "a", "")]).await;
        run_to(&broker, store(), 4, &path).await;
        assert_eq!(counts(&broker).await, BTreeMap::from([("a".into(), 1), ("b".into(), 1)]));
        // How far the task has come is kept in a store of its own, and there is no other changelog.
        assert!(!records_of(&broker, "p-in-task-changelog").await.is_empty());
        let topics = Admin::new(&broker, AdminConfig::default()).list_topics().await.unwrap();
        assert!(topics.iter().all(|topic| topic.name != "p-kept-changelog"));
    }
}

#[tokio::test]
async fn store_on_disk_among_others_in_memory_needs_a_directory() {
    let broker = broker(1);
    let topology = counting(StoreSpec::new("kept").on_disk());
    let started = run(topology, Settings::default(), broker.transport()).await;
    assert_eq!(
        started.unwrap_err().to_string(),
        "store kept is to be kept on disk; set a state directory, or keep it in memory"
    );
}
