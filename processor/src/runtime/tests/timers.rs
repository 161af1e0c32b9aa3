//! Timers by the clock, on real threads.

use std::sync::atomic::AtomicI64;

use mainstem_client::{
    clock::Clock,
    consumer::{Consumer, ConsumerConfig, OffsetReset, Polled},
};

use super::*;
use crate::Settings;

/// When its timer goes off, counts in its store how often one did, and writes that down.
struct Rings;

impl Processor for Rings {
    fn on_start(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
        Ok(ctx.schedule_wall_clock(Duration::from_millis(5), b"k")?)
    }

    fn process(&mut self, _: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        Ok(ctx.schedule_wall_clock(Duration::from_hours(1), b"much later")?)
    }

    fn on_wall_clock(&mut self, now: Timestamp, key: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        let store = ctx.store("counts")?;
        let count = next(store.get(key).as_ref());
        store.put(key, count.clone());
        let key = Some(Bytes::copy_from_slice(key));
        let record = OutputRecord { key, value: Some(count), timestamp: now, ..Default::default() };
        Ok(ctx.forward("counts", record)?)
    }
}

fn rings() -> ProcessorSpec {
    let spec = ProcessorSpec::new("p", || Rings).input("in").output("counts", "out").store("counts");
    spec.commit_interval(Duration::from_millis(5))
}

/// Waits for so many records in the output.
async fn awaited(broker: &FakeBroker, count: usize) -> Vec<Record> {
    let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    let mut consumer = Consumer::new(broker, config);
    consumer.assign([TopicPartition::new("out", 0)]);
    let mut all = Vec::new();
    while all.len() < count {
        if let Polled::Records(batches) = consumer.poll(Duration::from_secs(60)).await.unwrap() {
            all.extend(batches.into_iter().flat_map(|batch| batch.records));
        }
    }
    all
}

fn lines(records: &[Record]) -> Vec<String> {
    let line = |record: &Record| {
        format!("{} {}", text(record.key.as_ref().unwrap()), text(record.value.as_ref().unwrap()))
    };
    records.iter().map(line).collect()
}

#[tokio::test]
async fn timers_by_the_clock_go_off_without_input_and_what_they_store_is_committed() {
    let broker = broker(1);
    for run in 1..=2 {
        let handle = start(&broker, rings()).await;
        awaited(&broker, run).await;
        handle.stop().await.unwrap();
    }
    assert_eq!(lines(&records(&broker).await), ["k 1", "k 2"]);
}

/// A clock that is a minute on whenever somebody looks.
#[derive(Debug, Default)]
struct Hasty(AtomicI64);

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(60_000, Ordering::Relaxed))
    }
}

#[tokio::test]
async fn timers_go_by_the_clock_of_the_settings() {
    let broker = broker(1);
    produce(&broker, [(1, "a", "")]).await;
    let mut spec = rings();
    spec.settings = Settings { clock: Arc::new(Hasty::default()), ..spec.settings };
    let handle = start(&broker, spec).await;
    let all = awaited(&broker, 2).await;
    handle.stop().await.unwrap();
    assert_eq!(lines(&all), ["k 1", "much later 1"]);
    assert!(all[1].timestamp.0 >= 3_600_000, "{}", all[1].timestamp);
}

#[tokio::test]
async fn timers_by_the_clock_do_not_survive_a_restart() {
    let broker = broker(1);
    produce(&broker, [(1, "a", "")]).await;
    let handle = start(&broker, rings()).await;
    committed(&handle, 1).await;
    handle.stop().await.unwrap();
    let before = records(&broker).await.len();
    let mut spec = rings();
    spec.settings = Settings { clock: Arc::new(Hasty::default()), ..spec.settings };
    let handle = start(&broker, spec).await;
    awaited(&broker, before + 1).await;
    handle.stop().await.unwrap();
    assert!(lines(&records(&broker).await).iter().all(|line| line.starts_with("k ")));
}
