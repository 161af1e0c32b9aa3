//! A broker whose allocations are counted, and a client whose are not.

use std::{
    cell::Cell,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use mainstem::config::Config;
use mainstem_protocol::{
    Offset, PartitionId, Text, Timestamp, TopicId,
    messages::{
        FetchRequest, ProduceRequest,
        fetch::FetchPartition,
        produce::{PartitionProduceData, TopicProduceData},
    },
    records::{BatchBuilder, Compression, NewRecord, ProducerStamp, Records},
};
use tokio::runtime::{Builder, Runtime};

use crate::{
    allocations::{self, Taken},
    harness::{Client, TestBroker, fetch_request},
};

/// Partitions of each topic.
pub(crate) const PARTITIONS: usize = 8;

/// Requests before the first that is counted: buffers have the size that they need by then.
const WARM_UP: usize = 30;

/// Requests that are counted.
const COUNTED: usize = 101;

/// One scene at a time: the threads of all are counted.
static ALONE: Mutex<()> = Mutex::new(());

pub(crate) struct Scene {
    client: Client,
    _broker: TestBroker,
    runtime: Runtime,
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        allocations::leave_this_thread_out();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let broker = runtime.block_on(TestBroker::start_with(with_large_frames));
        let client = runtime.block_on(broker.connect());
        let mut scene = Self { client, _broker: broker, runtime, _alone: alone };
        scene.create("written");
        scene
    }

    fn create(&mut self, topic: &str) {
        let partitions = i32::try_from(PARTITIONS).unwrap();
        self.runtime.block_on(self.client.create_topic(topic, partitions, &[]));
    }

    /// Makes a topic with so many batches in each partition.
    pub(crate) fn fill(&mut self, topic: &str, batches: usize, records: usize) {
        self.create(topic);
        for _ in 0..batches {
            self.produce(&produce(topic, PARTITIONS, &batch(records, Compression::None)));
        }
    }

    /// What the broker allocates for a Produce request with a batch for each of so many partitions.
    pub(crate) fn of_produce(&mut self, partitions: usize, batch: &Bytes) -> Taken {
        let request = produce("written", partitions, batch);
        self.allocations(|scene| scene.produce(&request))
    }

    /// What the broker allocates for a Fetch request that returns all of so many partitions.
    pub(crate) fn of_fetch(&mut self, topic: &str, partitions: usize) -> Taken {
        let request = fetch(topic, partitions);
        self.allocations(|scene| scene.fetch(&request))
    }

    /// What the broker allocates for a Fetch request of a session of so many partitions, of which none has news.
    pub(crate) fn of_turn(&mut self, topic: &str, partitions: usize) -> Taken {
        let mut request = fetch(topic, partitions);
        request.topics[0].partitions.iter_mut().for_each(|asked| asked.fetch_offset = Offset(1));
        request.session_epoch = 0;
        let session_id = self.runtime.block_on(self.client.ask(12, request.clone())).session_id;
        assert_ne!(session_id, 0);
        let epoch = Cell::new(1);
        self.allocations(|scene| {
            let session_epoch = epoch.replace(epoch.get() + 1);
            let next = FetchRequest { session_id, session_epoch, topics: Vec::new(), ..request.clone() };
            let response = scene.runtime.block_on(scene.client.ask(12, next));
            assert_eq!((response.session_id, response.responses.len()), (session_id, 0));
        })
    }

    fn produce(&mut self, request: &ProduceRequest) {
        let response = self.runtime.block_on(self.client.ask(9, request.clone()));
        let partitions = &response.responses[0].partition_responses;
        assert!(partitions.iter().all(|partition| partition.error_code.is_none()), "{response:?}");
    }

    fn fetch(&mut self, request: &FetchRequest) {
        let response = self.runtime.block_on(self.client.ask(12, request.clone()));
        let is_filled =
            |records: &Option<Records>| records.as_ref().is_some_and(|records| !records.is_empty());
        assert!(response.responses[0].partitions.iter().all(|partition| is_filled(&partition.records)));
    }

    /// The least over many requests.
    fn allocations(&mut self, ask: impl Fn(&mut Self)) -> Taken {
        (0..WARM_UP).for_each(|_| ask(self));
        let once = |_| {
            let before = allocations::taken();
            ask(self);
            let after = allocations::taken();
            (after.calls - before.calls, after.bytes - before.bytes)
        };
        let (calls, bytes): (Vec<_>, Vec<_>) = (0..COUNTED).map(once).unzip();
        Taken { calls: least(calls), bytes: least(bytes) }
    }
}

/// A small journal has small frames, and what does not fit into one is written in several.
const fn with_large_frames(config: &mut Config) {
    config.storage.journal_bytes = 64 << 20;
}

fn least(values: Vec<usize>) -> usize {
    values.into_iter().min().unwrap()
}

/// A batch of so many records of 100 bytes that no codec makes smaller.
pub(crate) fn batch(records: usize, compression: Compression) -> Bytes {
    let mut builder = BatchBuilder::new(compression);
    let timestamp = Timestamp(1_700_000_000_000);
    let mut random = 1_u64;
    for _ in 0..records {
        let value = [(); 100].map(|()| {
            // Knuth's linear congruence; its upper bits are good enough to have no pattern.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random.to_be_bytes()[0]
        });
        builder.append(&NewRecord { timestamp, value: Some(&value), ..Default::default() }).unwrap();
    }
    builder.seal(&ProducerStamp::NONE).unwrap()
}

fn numbers(partitions: usize) -> std::ops::Range<i32> {
    0..i32::try_from(partitions).unwrap()
}

fn produce(topic: &str, partitions: usize, batch: &Bytes) -> ProduceRequest {
    let data = |index| PartitionProduceData { index, records: Some(Records::Bytes(batch.clone())) };
    let partition_data = numbers(partitions).map(data).collect();
    let topic = TopicProduceData { name: Text::from(topic), topic_id: TopicId::ZERO, partition_data };
    ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data: vec![topic] }
}

fn fetch(topic: &str, partitions: usize) -> FetchRequest {
    let mut request = fetch_request(topic, 0, 0);
    let asked = &mut request.topics[0].partitions;
    let first = asked.remove(0);
    let partition = |number| FetchPartition { partition: PartitionId(number), ..first.clone() };
    asked.extend(numbers(partitions).map(partition));
    request
}
