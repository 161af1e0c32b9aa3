//! The embedded broker, as those who test with it see it.

use std::time::Duration;

use mainstem::embed::{EmbeddedBroker, ReadError};
use mainstem_client::{
    Admin, AdminConfig, ErrorCode, NewTopic, ProducerConfig, ProducerRecord, TcpConfig, TcpTransport, Text,
    TransactionalProducer, admin::AdminError, producer::TransactionConfig,
};
use mainstem_processor::{InputEnd, Settings, StreamBuilder, TestRecord, Topology};

fn counts() -> Topology {
    let builder = StreamBuilder::new("count-by-value");
    builder.stream::<(), Text>("in").group_by(|_, value| value.clone()).count("counts").to("out");
    builder.build().unwrap()
}

fn values(range: std::ops::Range<i64>) -> Vec<TestRecord<(), String>> {
    range.map(|at| TestRecord::new((), ["a", "b"][at as usize % 2].to_owned(), at)).collect()
}

/// The last count of each value.
async fn table(broker: &EmbeddedBroker) -> Vec<(String, i64)> {
    let changes = broker.read::<String, i64>("out").await.unwrap();
    let last: std::collections::BTreeMap<_, _> =
        changes.into_iter().map(|change| (change.key, change.value)).collect();
    last.into_iter().collect()
}

/// Runs the topology through all that is there.
async fn count(broker: &EmbeddedBroker) {
    let input_end = InputEnd::At(broker.ends(&["in"]).await.unwrap());
    let settings = Settings { input_end, ..Settings::default() };
    broker.run(counts(), settings).await.unwrap().ended().await.unwrap();
}

#[tokio::test]
async fn a_topology_counts_beside_the_log_and_goes_on_after_a_restart() {
    let broker = EmbeddedBroker::start().await.unwrap();
    broker.create_topic(NewTopic::new("in", 1)).await.unwrap();
    broker.produce("in", &values(0..10)).await.unwrap();
    count(&broker).await;
    assert_eq!(table(&broker).await, [("a".to_owned(), 5), ("b".to_owned(), 5)]);
    let broker = broker.restart().await.unwrap();
    broker.produce("in", &values(10..14)).await.unwrap();
    count(&broker).await;
    assert_eq!(table(&broker).await, [("a".to_owned(), 7), ("b".to_owned(), 7)]);
    broker.shutdown().await.unwrap();
}

/// The value of a metric of processors.
fn shown(broker: &EmbeddedBroker, metric: &str, labels: &str) -> Option<f64> {
    let text = broker.broker().node().metrics.render().unwrap();
    let series = format!("mainstem_processor_{metric}{{{labels}}} ");
    text.lines().find_map(|line| line.strip_prefix(&series)).map(|value| value.parse().unwrap())
}

#[tokio::test]
async fn what_a_topology_does_is_among_the_brokers_metrics() {
    let broker = EmbeddedBroker::start().await.unwrap();
    broker.create_topic(NewTopic::new("in", 1)).await.unwrap();
    broker.produce("in", &values(0..10)).await.unwrap();
    count(&broker).await;
    let processor = "processor=\"count-by-value\"";
    for (metric, labels, value) in [
        ("records_in_total", processor, 10.0),
        ("node_records_in_total", "node=\"counts\",processor=\"count-by-value\"", 10.0),
        ("tasks", "processor=\"count-by-value\",state=\"finished\"", 2.0),
        ("task_input_lag_records", "processor=\"count-by-value\",task=\"0_0\"", 0.0),
    ] {
        assert_eq!(shown(&broker, metric, labels), Some(value), "{metric}");
    }
    let counts = "processor=\"count-by-value\",store=\"counts\",task=\"1_0\"";
    let (entries, bytes) = (shown(&broker, "store_entries", counts), shown(&broker, "store_bytes", counts));
    assert!(entries >= Some(2.0), "{entries:?}");
    // Each of the two words, its count and the time of that.
    assert!(bytes >= Some(2.0 * 17.0), "{bytes:?}");
    assert!(shown(&broker, "task_commits_total", "processor=\"count-by-value\",task=\"1_0\"") >= Some(1.0));
    // The next run brings back what this one has kept.
    count(&broker).await;
    assert!(shown(&broker, "store_restored_records_total", counts) >= Some(2.0));
    assert_eq!(shown(&broker, "store_restore_remaining_records", counts), Some(0.0));
}

/// A producer with words of its own in a transaction that it has not ended.
async fn in_a_transaction(broker: &EmbeddedBroker, words: &[&str]) -> TransactionalProducer {
    let transport = broker.transport();
    let config = TransactionConfig::new("billing");
    let producer = TransactionalProducer::new(transport.as_ref(), ProducerConfig::default(), config);
    producer.init_transactions().await.unwrap();
    producer.begin().unwrap();
    for word in words {
        let record = ProducerRecord::new("in").partition(0).value((*word).to_owned());
        drop(producer.send(record).await.unwrap());
    }
    producer.flush().await;
    producer
}

#[tokio::test]
async fn a_topology_beside_the_log_counts_what_was_committed() {
    let broker = EmbeddedBroker::start().await.unwrap();
    broker.create_topic(NewTopic::new("in", 1)).await.unwrap();
    in_a_transaction(&broker, &["a", "b"]).await.abort().await.unwrap();
    broker.produce("in", &values(0..3)).await.unwrap();
    count(&broker).await;
    assert_eq!(table(&broker).await, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    // While a transaction is open, what comes behind it waits, and that is told.
    let open = in_a_transaction(&broker, &["b"]).await;
    broker.produce("in", &values(3..4)).await.unwrap();
    let handle = broker.run(counts(), Settings::default()).await.unwrap();
    let task = "processor=\"count-by-value\",task=\"0_0\"";
    while shown(&broker, "task_held_back_records", task) != Some(2.0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    open.commit().await.unwrap();
    while shown(&broker, "task_held_back_records", task) != Some(0.0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    handle.stop().await.unwrap();
    count(&broker).await;
    assert_eq!(table(&broker).await, [("a".to_owned(), 2), ("b".to_owned(), 3)]);
}

#[tokio::test]
async fn without_listening_there_is_no_socket() {
    let broker = EmbeddedBroker::start().await.unwrap();
    assert_eq!(broker.bootstrap(), None);
    assert_eq!(broker.broker().http(), None);
    assert!(broker.broker().listeners().is_empty());
}

#[tokio::test]
async fn a_broker_that_listens_is_reached_over_tcp() {
    let broker = EmbeddedBroker::builder().listening().start().await.unwrap();
    broker.create_topic(NewTopic::new("in", 3)).await.unwrap();
    let transport = TcpTransport::new(TcpConfig::bootstrap(&broker.bootstrap().unwrap()));
    let topic = Admin::new(&transport, AdminConfig::default()).describe_topic("in").await.unwrap();
    assert_eq!(topic.partitions.len(), 3);
}

#[tokio::test]
async fn brokers_side_by_side_know_nothing_of_one_another() {
    let (one, other) = (EmbeddedBroker::start().await.unwrap(), EmbeddedBroker::start().await.unwrap());
    one.create_topic(NewTopic::new("in", 1)).await.unwrap();
    let error = other.read::<(), String>("in").await.unwrap_err();
    assert!(matches!(error, ReadError::Topic(_)), "{error}");
    assert!(error.to_string().contains("in"), "{error}");
}

#[tokio::test]
async fn a_temporary_directory_goes_with_its_broker_and_another_stays() {
    let kept = tempfile::tempdir().unwrap();
    let temporary = EmbeddedBroker::start().await.unwrap();
    let staying = EmbeddedBroker::builder().directory(kept.path()).start().await.unwrap();
    let path = temporary.directory().to_owned();
    assert!(path.join("journal").is_dir());
    temporary.shutdown().await.unwrap();
    staying.shutdown().await.unwrap();
    assert!(!path.exists());
    assert!(kept.path().join("journal").is_dir());
}

/// As with a test that fails: its runtime and all that it holds go.
#[test]
fn a_dropped_broker_leaves_what_was_acknowledged_to_the_next_one() {
    let kept = tempfile::tempdir().unwrap();
    let in_a_test = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = || EmbeddedBroker::builder().directory(kept.path()).start();
    in_a_test().block_on(async {
        let broker = start().await.unwrap();
        broker.create_topic(NewTopic::new("in", 1)).await.unwrap();
        broker.produce("in", &values(0..3)).await.unwrap();
    });
    in_a_test().block_on(async {
        assert_eq!(start().await.unwrap().read::<(), String>("in").await.unwrap().len(), 3);
    });
}

#[tokio::test]
async fn a_transport_of_before_a_restart_is_closed_and_holds_nothing() {
    let broker = EmbeddedBroker::start().await.unwrap();
    let before = broker.transport();
    let broker = broker.restart().await.unwrap();
    let once = AdminConfig { timeout: Duration::ZERO, ..AdminConfig::default() };
    assert!(Admin::new(before.as_ref(), once).list_topics().await.is_err());
    assert!(Admin::new(broker.transport().as_ref(), once).list_topics().await.is_ok());
}

#[tokio::test]
async fn settings_by_name_are_those_of_the_broker() {
    let broker = EmbeddedBroker::builder().set("num.partitions", "3").start().await.unwrap();
    broker.produce("made", &values(0..9)).await.unwrap();
    let admin = Admin::new(broker.transport().as_ref(), AdminConfig::default());
    assert_eq!(admin.describe_topic("made").await.unwrap().partitions.len(), 3);
}

#[tokio::test]
async fn a_setting_that_is_none_is_refused_by_its_name() {
    let error = EmbeddedBroker::builder().set("num.partition", "3").start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no setting num.partition (flag EmbeddedBrokerBuilder::set): did you mean num.partitions?"
    );
}

#[tokio::test]
async fn a_directory_in_use_is_refused_by_its_name() {
    let broker = EmbeddedBroker::start().await.unwrap();
    let again = EmbeddedBroker::builder().directory(broker.directory()).start();
    let error = again.await.unwrap_err().to_string();
    assert!(error.contains("in use") || error.contains(&*broker.directory().to_string_lossy()), "{error}");
}

#[tokio::test]
async fn a_topic_that_is_there_is_refused() {
    let broker = EmbeddedBroker::start().await.unwrap();
    broker.create_topic(NewTopic::new("in", 1)).await.unwrap();
    let error = broker.create_topic(NewTopic::new("in", 1)).await.unwrap_err();
    assert!(matches!(error, AdminError::Refused { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. }), "{error}");
}

#[tokio::test]
async fn a_record_that_is_something_else_is_named_by_its_place() {
    let broker = EmbeddedBroker::start().await.unwrap();
    broker.create_topic(NewTopic::new("in", 1)).await.unwrap();
    broker.produce("in", &values(0..2)).await.unwrap();
    let error = broker.read::<(), i64>("in").await.unwrap_err().to_string();
    assert!(error.starts_with("in partition 0 offset 0: "), "{error}");
}
