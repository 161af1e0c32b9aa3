//! The broker, and topics of a test's own.

use std::{
    path::PathBuf,
    sync::{LazyLock, mpsc},
    time::Duration,
};

use bytes::Bytes;
use mainstem::{
    broker::Broker,
    config::{Config, HostPort},
};
use mainstem_client::{
    Admin, AdminConfig, Consumer, ConsumerConfig, NewTopic, Offset, Producer, ProducerConfig, ProducerRecord,
    Record, TcpConfig, TcpTransport, TopicPartition,
    consumer::{OffsetReset, Polled},
};

/// How long a test waits for what must come; only a failing one ever waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// After how long a member counts as gone: the shortest that brokers allow.
pub(crate) const SESSION: Duration = Duration::from_secs(6);

/// Host and port of the broker: the one that is told from outside, or a Mainstem that lives as long as the tests.
static BOOTSTRAP: LazyLock<String> =
    LazyLock::new(|| std::env::var("CONFORMANCE_BOOTSTRAP").unwrap_or_else(|_| start_mainstem()));

/// Topics and groups of another run must not be in the way.
static RUN: LazyLock<String> = LazyLock::new(|| {
    let run = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    format!("conformance-{}-{run}", std::process::id())
});

/// On a thread that no test ends.
fn start_mainstem() -> String {
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let broker = Broker::start(config()).await.unwrap();
            tell.send(broker.listeners()[0].1.to_string()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    told.recv().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "what the last run left behind goes")]
fn config() -> Config {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    let _ = std::fs::remove_dir_all(&directory);
    let mut config = Config::default();
    config.storage.dir = directory;
    config.net.listeners = vec!["127.0.0.1:0".parse().unwrap()];
    // A member of the newer protocol has its session from the broker: the one that `run.sh` gives Kafka.
    config.groups.consumer_session_timeout_min = SESSION;
    config.groups.consumer_session_timeout = SESSION;
    config.groups.consumer_heartbeat_interval_min = Duration::from_millis(300);
    config.groups.consumer_heartbeat_interval = Duration::from_millis(300);
    config.groups.initial_rebalance_delay = Duration::ZERO;
    config.storage.compaction_backoff = Duration::from_millis(100);
    config.http.listener = HostPort { host: "127.0.0.1".to_owned(), port: 0 };
    config
}

/// A test's view of the broker.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) transport: TcpTransport,
    /// The test's own topic, and the name of its group.
    pub(crate) topic: String,
    pub(crate) admin: Admin,
}

impl Scene {
    /// A new topic with so many partitions, of the name of the test.
    pub(crate) async fn with_topic(test: &str, partitions: i32) -> Self {
        let scene = Self::new(test);
        scene.create(NewTopic::new(scene.topic.clone(), partitions)).await;
        scene
    }

    /// No topic yet.
    pub(crate) fn new(test: &str) -> Self {
        let transport = TcpTransport::new(TcpConfig::bootstrap(&BOOTSTRAP));
        let topic = format!("{}-{test}", *RUN);
        let admin = Admin::new(&transport, AdminConfig::default());
        Self { transport, topic, admin }
    }

    /// Creates a topic and waits until the broker tells of it: Kafka does a moment later.
    pub(crate) async fn create(&self, topic: NewTopic) {
        let name = topic.name.clone();
        self.admin.create_topic(topic).await.unwrap();
        until("the topic is told of", async || self.admin.describe_topic(&name).await.is_ok()).await;
    }

    pub(crate) fn partition(&self, number: i32) -> TopicPartition {
        TopicPartition::new(self.topic.clone(), number)
    }

    pub(crate) fn producer(&self, config: ProducerConfig) -> Producer {
        Producer::new(&self.transport, config)
    }

    pub(crate) fn consumer(&self, config: ConsumerConfig) -> Consumer {
        Consumer::new(&self.transport, config)
    }

    /// A consumer that reads these partitions from their beginning.
    pub(crate) fn reader(&self, partitions: &[i32]) -> Consumer {
        let mut consumer = self.consumer(earliest());
        consumer.assign(partitions.iter().map(|number| self.partition(*number)));
        consumer
    }

    /// Produces values to one partition.
    pub(crate) async fn produce(&self, partition: i32, values: impl IntoIterator<Item = String>) {
        let producer = self.producer(ProducerConfig::default());
        let record = |value| ProducerRecord::new(self.topic.clone()).partition(partition).value(value);
        send(&producer, values.into_iter().map(record)).await;
        producer.close().await;
    }
}

/// Reads from the beginning where nothing is committed.
pub(crate) fn earliest() -> ConsumerConfig {
    ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() }
}

/// Sends records and returns their offsets.
pub(crate) async fn send(
    producer: &Producer,
    records: impl IntoIterator<Item = ProducerRecord>,
) -> Vec<Offset> {
    let mut tickets = Vec::new();
    for record in records {
        tickets.push(producer.send(record).await.unwrap());
    }
    producer.flush().await;
    let mut offsets = Vec::new();
    for ticket in tickets {
        offsets.push(ticket.receipt().await.unwrap().offset);
    }
    offsets
}

/// Numbers as values.
pub(crate) fn numbers(range: std::ops::Range<i32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Takes so many records, whatever the partition.
pub(crate) async fn take(consumer: &mut Consumer, count: usize) -> Vec<Record> {
    let mut all = Vec::new();
    while all.len() < count {
        match consumer.poll(PATIENCE).await.unwrap() {
            Polled::Records(batches) => all.extend(batches.into_iter().flat_map(|batch| batch.records)),
            Polled::Nothing => panic!("only {} of {count} records", all.len()),
            _ => {}
        }
    }
    all
}

/// The values of records, as text.
pub(crate) fn values(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| text(record.value.as_ref())).collect()
}

pub(crate) fn text(bytes: Option<&Bytes>) -> String {
    String::from_utf8(bytes.map_or_else(Vec::new, |bytes| bytes.to_vec())).unwrap()
}

/// Waits until the condition holds.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let held = tokio::time::timeout(PATIENCE, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    held.await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
}
