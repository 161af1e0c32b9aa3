//! What compaction leaves: the same as what Kafka's own cleaner does, for readers of both isolations.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use mainstem_client::{
    ConsumerConfig, NewTopic, Offset, Producer, ProducerConfig, ProducerRecord, Record,
    TransactionalProducer,
    consumer::IsolationLevel,
    producer::{Ticket, TransactionConfig},
};

use crate::scene::{Scene, earliest, take, text, until};

/// How long a segment is written to; the next record behind that closes it.
const SEGMENT: Duration = Duration::from_millis(300);
const STEPS: u32 = 120;
const KEYS: u32 = 9;

/// A record as it was written, and whether it counts.
#[derive(Clone, Debug)]
struct Written {
    offset: Offset,
    key: String,
    value: Option<String>,
    is_aborted: bool,
}

/// What a reader finds: offset, key and value.
type Found = (i64, String, Option<String>);

/// Chance that is the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(end)) as u32
    }
}

/// Who writes, and all that was written.
struct Writer {
    scene: Scene,
    plain: Producer,
    transactional: [TransactionalProducer; 2],
    /// What the open transaction of each wrote: places in the log of what was written.
    open: [Option<Vec<usize>>; 2],
    written: Vec<Written>,
}

impl Writer {
    async fn new(test: &str, settings: &[(&str, &str)]) -> Self {
        let scene = Scene::new(test);
        let always = [
            ("cleanup.policy", "compact"),
            ("min.cleanable.dirty.ratio", "0"),
            ("segment.ms", &SEGMENT.as_millis().to_string()),
        ];
        let topic = always
            .iter()
            .chain(settings)
            .fold(NewTopic::new(scene.topic.clone(), 1), |topic, (name, value)| topic.config(*name, *value));
        scene.create(topic).await;
        let plain = scene.producer(ProducerConfig::default());
        let transactional = [1, 2].map(|number| {
            let id = TransactionConfig::new(format!("{}-{number}", scene.topic));
            TransactionalProducer::new(&scene.transport, ProducerConfig::default(), id)
        });
        for producer in &transactional {
            producer.init_transactions().await.unwrap();
        }
        Self { scene, plain, transactional, open: [None, None], written: Vec::new() }
    }

    fn record(&self, key: &str, value: Option<&str>) -> ProducerRecord {
        let record = ProducerRecord::new(self.scene.topic.clone()).partition(0).key(key.to_owned());
        value.into_iter().fold(record, |record, value| record.value(value.to_owned()))
    }

    /// Waits for each record, so that it is known where it is.
    async fn note(&mut self, ticket: Ticket, key: &str, value: Option<&str>) {
        let offset = ticket.receipt().await.unwrap().offset;
        let (key, value) = (key.to_owned(), value.map(str::to_owned));
        self.written.push(Written { offset, key, value, is_aborted: false });
    }

    async fn write(&mut self, key: &str, value: Option<&str>) {
        let ticket = self.plain.send(self.record(key, value)).await.unwrap();
        self.plain.flush().await;
        self.note(ticket, key, value).await;
    }

    async fn write_in_transaction(&mut self, of: usize, key: &str, value: Option<&str>) {
        let producer = &self.transactional[of];
        if self.open[of].is_none() {
            producer.begin().unwrap();
        }
        let ticket = producer.send(self.record(key, value)).await.unwrap();
        producer.flush().await;
        self.open[of].get_or_insert_default().push(self.written.len());
        self.note(ticket, key, value).await;
    }

    async fn end(&mut self, of: usize, commits: bool) {
        let Some(records) = self.open[of].take() else { return };
        let producer = &self.transactional[of];
        if commits { producer.commit().await } else { producer.abort().await }.unwrap();
        records.into_iter().for_each(|at| self.written[at].is_aborted = !commits);
    }

    /// Plain records, records of two transactions among each other, tombstones, and ends.
    async fn write_at_random(&mut self, chance: &mut Chance) {
        for step in 0..STEPS {
            let key = format!("key-{}", chance.below(KEYS));
            let value = (chance.below(4) > 0).then(|| format!("value-{step}"));
            let of = chance.below(2) as usize;
            match chance.below(8) {
                0..3 => self.write(&key, value.as_deref()).await,
                3..6 => self.write_in_transaction(of, &key, value.as_deref()).await,
                6 => self.end(of, true).await,
                _ => self.end(of, false).await,
            }
        }
        for of in [0, 1] {
            self.end(of, chance.below(2) == 0).await;
        }
    }

    /// Closes the segment that all of it is in, by the first record of another one.
    async fn close_segment(&mut self, key: &str) {
        tokio::time::sleep(2 * SEGMENT).await;
        self.write(key, Some("end")).await;
    }

    /// What stays: of each key the last record that counts, before the segment that is written to; and all of that.
    fn stays(&self, tombstones: bool) -> Vec<Found> {
        let (last, closed) = self.written.split_last().unwrap();
        let committed: BTreeMap<_, _> = closed
            .iter()
            .filter(|record| !record.is_aborted)
            .map(|record| (&record.key, record.offset))
            .collect();
        let stays: BTreeSet<_> = committed.into_values().chain([last.offset]).collect();
        let records = self.written.iter().filter(|record| stays.contains(&record.offset));
        let records = records.filter(|record| tombstones || record.value.is_some());
        records.map(|record| (record.offset.0, record.key.clone(), record.value.clone())).collect()
    }

    async fn read(&self, isolation: IsolationLevel) -> Vec<Found> {
        let end = self.written.last().unwrap().offset;
        let mut reader = self.scene.consumer(ConsumerConfig { isolation, ..earliest() });
        reader.assign([self.scene.partition(0)]);
        let mut all: Vec<Record> = Vec::new();
        while all.last().is_none_or(|last| last.offset < end) {
            all.extend(take(&mut reader, 1).await);
        }
        reader.close().await;
        let found = |record: &Record| {
            let value = record.value.as_ref().map(|value| text(Some(value)));
            (record.offset.0, text(record.key.as_ref()), value)
        };
        all.iter().map(found).collect()
    }

    /// Until the cleaner was there; what stays is what both readers see.
    async fn expect(&self, expected: &[Found]) {
        let is_cleaned = async || self.read(IsolationLevel::ReadUncommitted).await.len() <= expected.len();
        until("the topic is compacted", is_cleaned).await;
        for isolation in [IsolationLevel::ReadUncommitted, IsolationLevel::ReadCommitted] {
            assert_eq!(self.read(isolation).await, expected, "{isolation:?} of {:#?}", self.written);
        }
    }
}

#[tokio::test]
async fn compaction_leaves_the_last_record_of_each_key_that_was_not_aborted() {
    for seed in 0..4 {
        let settings = [("delete.retention.ms", "86400000")];
        let mut writer = Writer::new(&format!("compacted-{seed}"), &settings).await;
        let mut chance = Chance(seed);
        for part in 0..2 {
            writer.write_at_random(&mut chance).await;
            writer.close_segment(&format!("end-{part}")).await;
            writer.expect(&writer.stays(true)).await;
        }
    }
}

#[tokio::test]
async fn compaction_takes_tombstones_away_when_their_time_is_over() {
    for seed in 10..12 {
        let mut writer = Writer::new(&format!("tombstones-{seed}"), &[("delete.retention.ms", "0")]).await;
        writer.write_at_random(&mut Chance(seed)).await;
        writer.close_segment("end-0").await;
        // The first pass says when the time of a tombstone is over, a later one takes it away.
        while writer.read(IsolationLevel::ReadUncommitted).await.iter().any(|(_, _, value)| value.is_none()) {
            let ends = writer.written.iter().filter(|record| record.key.starts_with("end")).count();
            assert!(ends < 20, "tombstones stay");
            writer.close_segment(&format!("end-{ends}")).await;
        }
        writer.expect(&writer.stays(false)).await;
    }
}
