//! Processors against the fake broker, on real threads.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use mainstem_client::{
    ErrorCode, Offset, Producer, ProducerConfig, ProducerRecord, Record, Timestamp, TopicPartition,
    testing::{FakeBroker, Trouble},
};

use super::{Handle, StartError, TaskError, TaskState};
use crate::{
    Context, InputBatch, InputEnd, Meter, OutputRecord, ProcessResult, Processor, ProcessorSpec,
    TumblingWindows,
};

mod disk;
mod failures;
mod foreign;
mod forms;
mod global;
mod inputs;
mod partitioners;
mod pauses;
mod repartitions;
mod restarts;
mod stores;
mod threads;
mod timers;
mod transactions;
mod trouble;
mod unavailable;

/// Counts records of windows of ten milliseconds, by key; panics at the value `boom`, fails at `fail`.
struct Counter {
    windows: TumblingWindows,
}

fn counter() -> Counter {
    Counter { windows: TumblingWindows::new("counts", Duration::from_millis(10)) }
}

impl Processor for Counter {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            match input.record.value.as_deref() {
                Some(b"boom") => panic!("on purpose"),
                Some(b"fail") => return Err("on purpose".into()),
                _ => {}
            }
            let key = input.record.key.clone().unwrap_or_default();
            self.windows.add(input, &key, ctx, |count| next(count.as_ref()))?;
        }
        Ok(())
    }

    fn on_watermark(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
        for (window, key, count) in self.windows.close(ctx)? {
            let value = Bytes::from(format!("{} {}", window.start, text(&count)));
            let record = OutputRecord {
                key: Some(key),
                value: Some(value),
                timestamp: window.end,
                ..Default::default()
            };
            ctx.forward("counts", record)?;
        }
        Ok(())
    }
}

fn next(count: Option<&Bytes>) -> Bytes {
    let count: u64 = count.map_or(0, |count| text(count).parse().unwrap());
    Bytes::from((count + 1).to_string())
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[derive(Debug, Default)]
struct Counts {
    took: AtomicU64,
    late: AtomicU64,
}

impl Meter for Counts {
    fn took(&self, records: u64) {
        self.took.fetch_add(records, Ordering::Relaxed);
    }
    fn gave(&self, _: u64) {}
    fn committed(&self) {}
    fn dropped_late(&self, records: u64) {
        self.late.fetch_add(records, Ordering::Relaxed);
    }
    fn watermark(&self, _: Timestamp) {}
}

fn broker(partitions: usize) -> FakeBroker {
    let broker = FakeBroker::new();
    broker.create_topic("in", partitions);
    broker.create_topic("out", 1);
    broker
}

async fn produce(broker: &FakeBroker, records: impl IntoIterator<Item = (i64, &str, &str)>) {
    let producer = Producer::new(broker, ProducerConfig { batch_bytes: 200, ..ProducerConfig::default() });
    for (time, key, value) in records {
        let record = ProducerRecord::new("in").partition(0).timestamp(Timestamp(time));
        drop(producer.send(record.key(key.to_owned()).value(value.to_owned())).await.unwrap());
    }
    producer.close().await;
}

fn spec() -> ProcessorSpec {
    ProcessorSpec::new("p", counter)
        .input("in")
        .output("counts", "out")
        .store("counts")
        .commit_interval(Duration::from_millis(5))
}

fn until(end: i64) -> InputEnd {
    InputEnd::At(HashMap::from([(TopicPartition::new("in", 0), Offset(end))]))
}

async fn start(broker: &FakeBroker, spec: ProcessorSpec) -> Handle {
    super::start(spec, broker.transport()).await.unwrap()
}

/// Everything in the output, as `key window count`.
async fn output(broker: &FakeBroker) -> Vec<String> {
    let line = |record: Record| {
        format!("{} {}", text(record.key.as_ref().unwrap()), text(record.value.as_ref().unwrap()))
    };
    records(broker).await.into_iter().map(line).collect()
}

/// Everything in the output.
async fn records(broker: &FakeBroker) -> Vec<Record> {
    records_of(broker, "out").await
}

/// Everything in the first partition of a topic.
async fn records_of(broker: &FakeBroker, topic: &str) -> Vec<Record> {
    use mainstem_client::consumer::{Consumer, ConsumerConfig, OffsetReset, Polled};
    let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    let mut consumer = Consumer::new(broker, config);
    let partition = TopicPartition::new(topic, 0);
    let end = consumer.end_offsets(std::slice::from_ref(&partition)).await.unwrap()[&partition];
    consumer.assign([partition.clone()]);
    let mut all = Vec::new();
    while consumer.position(&partition).is_none_or(|position| position < end) {
        if let Polled::Records(batches) = consumer.poll(Duration::from_millis(100)).await.unwrap() {
            all.extend(batches.into_iter().flat_map(|batch| batch.records));
        }
    }
    all
}

/// Waits until the task has committed up to an offset.
async fn committed(handle: &Handle, offset: i64) {
    handle.committed(&TopicPartition::new("in", 0), Offset(offset)).await.unwrap();
}

#[tokio::test]
async fn bounded_input_closes_every_window_once() {
    let broker = broker(1);
    produce(&broker, [(1, "a", ""), (5, "b", ""), (9, "a", ""), (12, "a", ""), (31, "a", "")]).await;
    let handle = start(&broker, spec().input_end(until(5))).await;
    handle.ended().await.unwrap();
    assert!(matches!(handle.states()[0], TaskState::Finished));
    assert_eq!(output(&broker).await, ["a 0 2", "b 0 1", "a 10 1", "a 30 1"]);
    assert_eq!(broker.committed("p", "in", 0), Some(5));
    start(&broker, spec().input_end(until(5))).await.ended().await.unwrap();
    assert_eq!(output(&broker).await.len(), 4);
}

#[tokio::test]
async fn records_behind_a_bound_are_left_alone() {
    let broker = broker(1);
    produce(&broker, [(1, "a", ""), (2, "a", ""), (3, "a", "boom")]).await;
    start(&broker, spec().input_end(until(2))).await.ended().await.unwrap();
    assert_eq!(output(&broker).await, ["a 0 2"]);
}

#[tokio::test]
async fn partitions_without_input_finish_too() {
    let broker = broker(3);
    produce(&broker, [(1, "a", "")]).await;
    let handle = start(&broker, spec().input_end(until(1))).await;
    handle.ended().await.unwrap();
    assert_eq!(handle.states().len(), 3);
    assert_eq!(output(&broker).await, ["a 0 1"]);
}

#[tokio::test]
async fn restart_brings_back_state_and_time() {
    let (broker, counts) = (broker(1), Arc::new(Counts::default()));
    produce(&broker, [(1, "a", ""), (25, "a", ""), (22, "a", "")]).await;
    let first = start(&broker, spec().meter(counts.clone())).await;
    committed(&first, 3).await;
    first.stop().await.unwrap();
    assert!(matches!(first.states()[0], TaskState::Stopped));
    // The window of 3 was closed before the restart; that of 21 was not, and knows two records.
    produce(&broker, [(3, "a", ""), (21, "a", ""), (40, "a", "")]).await;
    let second = start(&broker, spec().meter(counts.clone())).await;
    committed(&second, 6).await;
    second.stop().await.unwrap();
    assert_eq!(output(&broker).await, ["a 0 1", "a 20 3"]);
    assert_eq!(counts.late.load(Ordering::Relaxed), 1);
    assert_eq!(counts.took.load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn panic_ends_the_task_alone_and_is_reported() {
    let broker = broker(2);
    produce(&broker, [(1, "a", "boom")]).await;
    let handle = start(&broker, spec()).await;
    let error = handle.ended().await.unwrap_err();
    assert_eq!(error.to_string(), "node p: user code panicked: on purpose");
    assert!(!handle.states()[1].is_over());
    assert_eq!(broker.committed("p", "in", 0), None);
}

#[tokio::test]
async fn error_of_the_processor_ends_the_task_with_its_words() {
    let broker = broker(1);
    produce(&broker, [(1, "a", "fail")]).await;
    let error = start(&broker, spec()).await.ended().await.unwrap_err();
    assert_eq!(error.to_string(), "node p: processor failed: on purpose");
}

#[tokio::test]
async fn lost_requests_change_no_result() {
    use mainstem_client::protocol::ApiKey;
    let broker = broker(1);
    let times: Vec<_> = (0..200).map(|time| (time, "a", "")).collect();
    produce(&broker, times).await;
    for key in [ApiKey::Produce, ApiKey::OffsetCommit, ApiKey::Fetch, ApiKey::Produce] {
        broker.trouble(key, Trouble::LostAfter);
        broker.trouble(key, Trouble::LostBefore);
    }
    start(&broker, spec().input_end(until(200))).await.ended().await.unwrap();
    let expected: Vec<_> = (0..20).map(|window| format!("a {} 10", window * 10)).collect();
    assert_eq!(output(&broker).await, expected);
}

#[tokio::test]
async fn state_of_a_failed_commit_is_restored_as_it_was_before() {
    use mainstem_client::protocol::{
        ApiKey,
        messages::{OffsetCommitResponse, offset_commit::*},
    };
    let broker = broker(1);
    let partition =
        OffsetCommitResponsePartition { error_code: ErrorCode::UNKNOWN_SERVER_ERROR, ..Default::default() };
    let topic = OffsetCommitResponseTopic { partitions: vec![partition], ..Default::default() };
    let answer = OffsetCommitResponse { topics: vec![topic], ..Default::default() };
    broker.trouble(ApiKey::OffsetCommit, Trouble::Answer(answer.into()));
    produce(&broker, [(1, "a", "")]).await;
    let error = start(&broker, spec()).await.ended().await.unwrap_err();
    assert!(matches!(error, TaskError::Commit(_)), "{error}");
    // The changes were stored with their positions, so the next start neither loses nor repeats them.
    start(&broker, spec().input_end(until(1))).await.ended().await.unwrap();
    assert_eq!(output(&broker).await, ["a 0 1"]);
}

#[tokio::test]
async fn uncommitted_bytes_bring_on_a_commit() {
    let broker = broker(1);
    produce(&broker, (0..100).map(|time| (time, "a", ""))).await;
    let eager = spec().commit_interval(Duration::from_secs(3600)).uncommitted_bytes_max(1);
    let handle = start(&broker, eager).await;
    committed(&handle, 100).await;
    handle.stop().await.unwrap();
}

#[tokio::test]
async fn changelog_of_another_number_of_tasks_is_refused() {
    let broker = broker(2);
    broker.create_topic("p-counts-changelog", 3);
    let error = super::start(spec(), broker.transport()).await.unwrap_err();
    assert!(matches!(error, StartError::Partitions { found: 3, expected: 2, .. }), "{error}");
}

/// Sets a timer for each record, ten milliseconds after it.
struct Timers;

impl Processor for Timers {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            let key = input.record.key.clone().unwrap_or_default();
            ctx.schedule(Timestamp(input.event_time.0 + 10), &key);
        }
        Ok(())
    }

    fn on_timer(&mut self, at: Timestamp, key: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        let (key, value) = (Bytes::copy_from_slice(key), Bytes::from(at.to_string()));
        ctx.forward(
            "timers",
            OutputRecord { key: Some(key), value: Some(value), timestamp: at, ..Default::default() },
        )?;
        Ok(())
    }
}

#[tokio::test]
async fn timers_fire_once_in_the_order_of_their_times() {
    let broker = broker(1);
    produce(&broker, [(5, "b", ""), (5, "a", ""), (1, "c", ""), (16, "d", "")]).await;
    let spec = ProcessorSpec::new("p", || Timers).input("in").output("timers", "out").input_end(until(4));
    start(&broker, spec).await.ended().await.unwrap();
    assert_eq!(output(&broker).await, ["c 11", "a 15", "b 15", "d 26"]);
}
