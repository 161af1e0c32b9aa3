//! Processors against our broker: beside its log, and over TCP as beside any other.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use mainstem::embed::LocalTransport;
use mainstem_client::{
    Admin, AdminConfig, Consumer, ConsumerConfig, NewTopic, Offset, Producer, ProducerConfig, ProducerRecord,
    TcpConfig, TcpTransport, TopicPartition, Transport,
    consumer::{OffsetReset, Polled},
};
use mainstem_processor::{
    Context, InputBatch, InputEnd, OutputRecord, ProcessResult, Processor, ProcessorSpec, TumblingWindows,
    runtime,
};

use crate::harness::{PATIENCE, TestBroker};

/// Counts records of each key in windows of a hundred milliseconds.
struct Counter(TumblingWindows);

impl Counter {
    fn new() -> Self {
        Self(TumblingWindows::new("counts", Duration::from_millis(100)))
    }
}

impl Processor for Counter {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            let key = input.record.key.clone().unwrap_or_default();
            self.0.add(input, &key, ctx, |count| {
                let count = count.map_or(0, |count| number(&count));
                Bytes::from((count + 1).to_string())
            })?;
        }
        Ok(())
    }

    fn on_watermark(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
        for (window, key, count) in self.0.close(ctx)? {
            let (key, value, timestamp) = (Some(key), Some(count), window.start);
            ctx.forward("counts", OutputRecord { key, value, timestamp, ..OutputRecord::default() })?;
        }
        Ok(())
    }
}

fn number(bytes: &[u8]) -> u64 {
    std::str::from_utf8(bytes).unwrap().parse().unwrap()
}

async fn feed(transport: &dyn Transport, times: std::ops::Range<i64>) {
    let producer = Producer::new(transport, ProducerConfig::default());
    for time in times {
        let record = ProducerRecord::new("in").partition(0).timestamp(time.into()).key("k").value("v");
        drop(producer.send(record).await.unwrap());
    }
    producer.close().await;
}

fn spec() -> ProcessorSpec {
    ProcessorSpec::new("counter", Counter::new).input("in").output("counts", "out").store("counts")
}

/// Window starts and counts, as they stand in the output.
async fn output(transport: &dyn Transport) -> Vec<(i64, u64)> {
    let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    let mut consumer = Consumer::new(transport, config);
    let partition = TopicPartition::new("out", 0);
    let end = consumer.end_offsets(std::slice::from_ref(&partition)).await.unwrap()[&partition];
    consumer.assign([partition.clone()]);
    let mut all = Vec::new();
    while all.len() < end.0 as usize {
        if let Polled::Records(batches) = consumer.poll(PATIENCE).await.unwrap() {
            let records = batches.iter().flat_map(|batch| &batch.records);
            all.extend(records.map(|record| (record.timestamp.0, number(record.value.as_ref().unwrap()))));
        }
    }
    all
}

/// The first half is worked through and stopped in the middle of a window, the second half after a restart.
async fn counts_survive_a_restart(transport: Arc<dyn Transport>) {
    let admin = Admin::new(transport.as_ref(), AdminConfig::default());
    for topic in ["in", "out"] {
        admin.create_topic(NewTopic::new(topic, 1).config("retention.ms", "-1")).await.unwrap();
    }
    feed(transport.as_ref(), 0..2_550).await;
    let first = runtime::start(spec(), Arc::clone(&transport)).await.unwrap();
    first.committed(&TopicPartition::new("in", 0), Offset(2_550)).await.unwrap();
    first.stop().await.unwrap();
    feed(transport.as_ref(), 2_550..5_000).await;
    let end = HashMap::from([(TopicPartition::new("in", 0), Offset(5_000))]);
    let second = runtime::start(spec().input_end(InputEnd::At(end)), Arc::clone(&transport)).await.unwrap();
    second.ended().await.unwrap();
    let expected: Vec<_> = (0..50).map(|window| (window * 100, 100)).collect();
    assert_eq!(output(transport.as_ref()).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_beside_the_log_survive_a_restart() {
    let broker = TestBroker::start().await;
    counts_survive_a_restart(Arc::new(LocalTransport::new(broker.broker(), "processor"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_over_tcp_survive_a_restart() {
    let broker = TestBroker::start().await;
    let (_, address) = &broker.broker().listeners()[0];
    let transport = TcpTransport::new(TcpConfig::bootstrap(&address.to_string()));
    counts_survive_a_restart(Arc::new(transport)).await;
}
