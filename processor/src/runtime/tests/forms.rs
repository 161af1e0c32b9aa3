//! State that was written as something else, or by a newer version, and what a topology says to that.

use tempfile::TempDir;

use super::*;
use crate::{FormError, Settings, StateDirectory, StoreSpec, StreamBuilder, Topology, caps, runtime::run};

/// Counts, or the largest length of values; both in a store of one name.
fn keeper(is_count: bool) -> Topology {
    let builder = StreamBuilder::new("p");
    let grouped = builder.stream::<String, String>("in").group_by_key();
    if is_count {
        grouped.count("kept").to("out");
    } else {
        grouped
            .reduce("kept", |before, value| if value.len() > before.len() { value } else { before })
            .to("out");
    }
    builder.build().unwrap()
}

async fn run_to(
    broker: &FakeBroker,
    topology: Topology,
    end: i64,
    settings: Settings,
) -> Result<(), TaskError> {
    let settings = Settings { input_end: until(end), ..settings };
    run(topology, settings, broker.transport()).await.unwrap().ended().await
}

const CHANGELOG: &str = "p-kept-changelog";

#[tokio::test]
async fn store_says_what_it_holds_in_the_first_record_of_its_changelog() {
    let broker = broker(1);
    produce(&broker, [(1, "a", "x")]).await;
    run_to(&broker, keeper(true), 1, Settings::default()).await.unwrap();
    let first = records_of(&broker, CHANGELOG)
        .await
        .into_iter()
        .find(|record| record.key.as_deref() == Some(b"\x01description"));
    let said = first.unwrap().value.unwrap();
    assert_eq!(said, r#"{"format":1,"kind":"key-value","keys":"text","values":"i64","partitions":1}"#);
}

#[tokio::test]
async fn changed_topology_on_old_state_is_refused_with_node_and_store() {
    let path = TempDir::new().unwrap();
    for is_on_disk in [false, true] {
        let broker = broker(1);
        produce(&broker, [(1, "a", "x"), (2, "a", "y")]).await;
        let settings = || {
            let directory = StateDirectory::open(path.path(), caps::STATE_MEMORY_BYTES_MIN).unwrap();
            let kept = if is_on_disk { crate::Kept::OnDisk } else { crate::Kept::InMemory };
            Settings { kept, state_directory: Some(directory), ..Settings::default() }
        };
        run_to(&broker, keeper(true), 1, settings()).await.unwrap();
        let error = run_to(&broker, keeper(false), 2, settings()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "store kept of node kept holds values i64, and the topology keeps values text there: give the store \
             another name, or delete topic p-kept-changelog and have the state directory forget the processor"
        );
        // Refused, nothing has changed.
        run_to(&broker, keeper(true), 2, settings()).await.unwrap();
    }
}

#[tokio::test]
async fn windows_of_another_size_do_not_read_the_store_of_the_old_ones() {
    let windowed = |size| {
        let builder = StreamBuilder::new("p");
        let windows = crate::TimeWindows::tumbling(Duration::from_millis(size));
        builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count("kept").to("out");
        builder.build().unwrap()
    };
    let broker = broker(1);
    produce(&broker, [(1, "a", "x"), (2, "a", "y")]).await;
    run_to(&broker, windowed(10), 1, Settings::default()).await.unwrap();
    let error = run_to(&broker, windowed(20), 2, Settings::default()).await.unwrap_err().to_string();
    assert!(
        error.contains("holds windows reach 10 ms advance 10 ms offset 0 ms, and the topology keeps"),
        "{error}"
    );
}

/// Trap 49: a downgrade says that it is one.
#[tokio::test]
async fn state_of_a_newer_version_is_refused_before_any_of_it_is_read() {
    let broker = broker(1);
    produce(&broker, [(1, "a", "x")]).await;
    broker.create_topic(CHANGELOG, 1);
    let producer = Producer::new(&broker, ProducerConfig::default());
    for (key, value) in
        [(&b"\x01description"[..], &br#"{"format":7,"kind":"other"}"#[..]), (b"\x00a", b"nonsense")]
    {
        let change = ProducerRecord::new(CHANGELOG).partition(0);
        let change = change.key(Bytes::copy_from_slice(key)).value(Bytes::copy_from_slice(value));
        drop(producer.send(change).await.unwrap());
    }
    producer.close().await;
    let error = run_to(&broker, keeper(true), 1, Settings::default()).await.unwrap_err();
    let TaskError::Form(form) = &error else { panic!("{error}") };
    assert!(matches!(**form, FormError::Newer { found: 7, known: 1, .. }), "{error}");
    assert!(!error.is_retriable());
}

/// Trap 49: state from before stores described themselves is read as it always was, and is described from then on.
#[tokio::test]
async fn state_without_a_description_is_of_the_first_format() {
    let broker = broker(1);
    produce(&broker, [(1, "a", "x")]).await;
    broker.create_topic(CHANGELOG, 1);
    let producer = Producer::new(&broker, ProducerConfig::default());
    let mut seven = 1_i64.to_be_bytes().to_vec();
    seven.extend(7_i64.to_be_bytes());
    let change = ProducerRecord::new(CHANGELOG).partition(0).key(&b"\x00a"[..]).value(seven);
    drop(producer.send(change).await.unwrap());
    producer.close().await;
    run_to(&broker, keeper(true), 1, Settings::default()).await.unwrap();
    let counts: Vec<_> = records(&broker).await.into_iter().map(|record| record.value.unwrap()).collect();
    assert_eq!(counts, [8_i64.to_be_bytes().to_vec()]);
    let is_description = |record: &Record| record.key.as_deref() == Some(b"\x01description");
    assert!(records_of(&broker, CHANGELOG).await.iter().any(is_description));
}

#[tokio::test]
async fn each_store_is_kept_where_it_says() {
    let broker = broker(1);
    produce(&broker, [(1, "a", "")]).await;
    let path = TempDir::new().unwrap();
    let directory = StateDirectory::open(path.path(), caps::STATE_MEMORY_BYTES_MIN).unwrap();
    let spec = ProcessorSpec::new("p", counter).input("in").output("counts", "out");
    let topology = spec.store(StoreSpec::new("counts").on_disk()).topology().unwrap();
    let settings = || Settings { state_directory: Some(directory.clone()), ..Settings::default() };
    run_to(&broker, topology.clone(), 1, settings()).await.unwrap();
    assert_eq!(directory.forget("p").unwrap(), 1);
    let spec = ProcessorSpec::new("q", counter).input("in").output("counts", "out");
    let spec = spec.store(StoreSpec::new("counts").in_memory()).on_disk(directory.clone());
    run_to(&broker, spec.topology().unwrap(), 1, spec.settings).await.unwrap();
    assert_eq!(directory.forget("q").unwrap(), 0);
}
