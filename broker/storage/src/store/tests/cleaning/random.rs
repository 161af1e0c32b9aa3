//! Whatever happens to a log, cleaning it changes no value of any key.

use std::collections::BTreeSet;

use mainstem_protocol::records::EndTxnMarker;
use proptest::prelude::*;

use super::*;

/// What happens to a log.
#[derive(Clone, Debug)]
enum Move {
    Append { records: Vec<Content>, compression: usize, producer: Option<i64>, transactional: bool },
    End { producer: i64, committed: bool },
    Clean,
    CleanUp,
    Checkpoint,
    Restart,
    Later { seconds: u64 },
    DeleteBefore { percent: i64 },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let value = prop::option::weighted(0.8, 0..1000_u64);
    let records = prop::collection::vec((0..12_u8, value), 1..6);
    let one = prop_oneof![
        14 => (records, 0..5_usize, prop::option::of(1..4_i64), any::<bool>())
            .prop_map(|(records, compression, producer, transactional)| {
                Move::Append { records, compression, producer, transactional }
            }),
        4 => (1..4_i64, any::<bool>()).prop_map(|(producer, committed)| Move::End { producer, committed }),
        2 => Just(Move::Clean),
        1 => Just(Move::CleanUp),
        1 => Just(Move::Checkpoint),
        1 => Just(Move::Restart),
        1 => (1..40_u64).prop_map(|seconds| Move::Later { seconds }),
        1 => (0..100_i64).prop_map(|percent| Move::DeleteBefore { percent }),
    ];
    prop::collection::vec(one, 1..80)
}

/// A log, and everything that was ever appended to it.
struct Modelled {
    bench: Bench,
    topic: TopicId,
    all: BTreeMap<i64, Content>,
    sequences: BTreeMap<i64, i32>,
    /// The offsets of what is open, by producer.
    open: BTreeMap<i64, Vec<i64>>,
    aborted: BTreeSet<i64>,
    /// The offset behind the last batch.
    end: i64,
}

impl Modelled {
    fn new() -> Self {
        let cleaner =
            CleanerOptions { dedupe_buffer_bytes: 8 * compaction::SLOT_BYTES, ..CleanerOptions::default() };
        let bench = Bench::with(Options { cleaner, ..options() });
        let overrides = [
            ("cleanup.policy", "compact,delete"),
            ("delete.retention.ms", "60000"),
            ("segment.bytes", "400"),
        ];
        let topic = compacted(&bench, &overrides);
        Self {
            bench,
            topic,
            all: BTreeMap::new(),
            sequences: BTreeMap::new(),
            open: BTreeMap::new(),
            aborted: BTreeSet::new(),
            end: 0,
        }
    }

    fn make(mut self, one: Move) -> Self {
        let topic = self.topic;
        match one {
            Move::Append { records, compression, producer, transactional } => {
                self.append(records, Compression::ALL[compression], producer, transactional);
            }
            Move::End { producer, committed } => self.end_transaction(producer, committed),
            Move::Clean => drop(clean(&self.bench)),
            Move::CleanUp => drop(self.bench.store.cleanup_step()),
            Move::Checkpoint => self.bench.store.write_checkpoint(false).unwrap(),
            Move::Restart => return Self { bench: self.bench.restart(), ..self },
            Move::Later { seconds } => self.bench.clock.advance(Duration::from_secs(seconds)),
            Move::DeleteBefore { percent } => {
                let partition = self.bench.partition(topic, 0);
                let (start, end) = (partition.log_start().0, partition.last_stable().0);
                let offset = Offset(start + (end - start) * percent / 300);
                drop(self.bench.store.move_log_start(topic, PartitionId(0), offset).unwrap());
                self.bench.store.round().unwrap();
            }
        }
        self
    }

    fn append(
        &mut self,
        records: Vec<Content>,
        compression: Compression,
        producer: Option<i64>,
        transactional: bool,
    ) {
        // Whoever has a transaction open goes on with it.
        let is_open = producer.is_some_and(|id| self.open.contains_key(&id));
        let transactional = producer.is_some() && (transactional || is_open);
        let stamp = producer.map_or(ProducerStamp::NONE, |id| {
            let next = self.sequences.entry(id).or_default();
            let base_sequence = Sequence(*next);
            *next += records.len() as i32;
            let (producer_id, producer_epoch) = (ProducerId(id), ProducerEpoch(0));
            ProducerStamp { producer_id, producer_epoch, base_sequence, transactional }
        });
        let now = crate::Clock::now(&*self.bench.clock);
        let base = self.bench.append(self.topic, 0, content(&records, compression, stamp, now)).0;
        self.end = base + records.len() as i64;
        if let (Some(id), true) = (producer, transactional) {
            self.open.entry(id).or_default().extend(base..self.end);
        }
        self.all.extend((base..).zip(records));
    }

    fn end_transaction(&mut self, producer: i64, committed: bool) {
        let Some(offsets) = self.open.remove(&producer) else { return };
        let mut group = AppendGroup::new();
        let marker = Marker {
            producer_id: ProducerId(producer),
            producer_epoch: ProducerEpoch(0),
            committed,
            coordinator_epoch: 0,
            version: TransactionVersion::V1,
        };
        group.push_marker(self.topic, PartitionId(0), marker, crate::Clock::now(&*self.bench.clock));
        let ticket = self.bench.place(group).unwrap();
        self.bench.store.round().unwrap();
        self.end = ticket.wait().unwrap().places[0].base_offset.0 + 1;
        if !committed {
            self.aborted.extend(offsets);
        }
    }

    /// What readers find is what was appended, in its order, and folds to the same values by key.
    fn check(&self) {
        let partition = self.bench.partition(self.topic, 0);
        let start = partition.log_start();
        let (headers, records) = read_from(&partition, start);
        assert!(headers.windows(2).all(|pair| pair[0].next_offset() <= pair[1].base_offset));
        assert!(records.windows(2).all(|pair| pair[0].offset < pair[1].offset));
        let found: Vec<_> = records.iter().map(|record| (record.offset.0, as_content(record))).collect();
        assert!(
            found.iter().all(|(offset, content)| self.all.get(offset) == Some(content)),
            "only what was appended"
        );
        let stable = partition.last_stable();
        assert_eq!(stable.0, self.open.values().flatten().copied().min().unwrap_or(self.end).max(start.0));
        let expected = self.all.range(start.0..stable.0).filter(|(offset, _)| !self.aborted.contains(offset));
        let committed = read_committed(&partition);
        assert!(committed.iter().all(|record| !self.aborted.contains(&record.offset.0)), "aborted records");
        assert_eq!(fold(committed.iter().map(as_content)), fold(expected.map(|(_, content)| *content)));
        assert_eq!(partition.high_watermark(), Offset(self.end));
    }
}

/// What a client of committed records makes of what it is told (Kafka: `CompletedFetch`).
fn read_committed(partition: &Partition) -> Vec<Record> {
    let visible = partition.shown();
    let (mut offset, mut found) = (visible.log_start, Vec::new());
    while offset < visible.last_stable {
        let how =
            Read { bytes_max: 300, at_least_one: true, wait: Wait::Yes, isolation: Isolation::Committed };
        let records = partition.read(&visible, offset, how).unwrap().bytes().unwrap();
        let all: Vec<_> = batches(records, Tail::Report).map(Result::unwrap).collect();
        let next = all.last().expect("it goes on").header().next_offset();
        let mut aborted = partition.aborted_transactions(offset, next).unwrap();
        aborted.sort_by_key(|transaction| transaction.first_offset);
        let (mut aborted, mut left_out) = (aborted.into_iter().peekable(), BTreeSet::new());
        for batch in all {
            let header = *batch.header();
            while let Some(begun) = aborted.next_if(|next| next.first_offset <= header.last_offset()) {
                left_out.insert(begun.producer_id);
            }
            let open = batch.open(&mut Decompressor::new(), 1 << 20).unwrap();
            if header.attributes.is_control() {
                let marker = open.refs().next().map(|record| record.unwrap());
                let marker = marker.map(|record| EndTxnMarker::parse(record.key, record.value).unwrap());
                if marker.is_some_and(|marker| !marker.committed) {
                    left_out.remove(&header.producer_id);
                }
            } else if !(header.attributes.is_transactional() && left_out.contains(&header.producer_id)) {
                found.extend(open.records().map(Result::unwrap).filter(|record| record.offset >= offset));
            }
        }
        offset = next;
    }
    found
}

fn as_content(record: &Record) -> Content {
    let value = record.value.as_ref().map(|value| u64::from_be_bytes(value[..].try_into().unwrap()));
    (record.key.as_ref().unwrap()[0], value)
}

fn fold(contents: impl Iterator<Item = Content>) -> BTreeMap<u8, u64> {
    let mut values = BTreeMap::new();
    for (key, value) in contents {
        match value {
            Some(value) => drop(values.insert(key, value)),
            None => drop(values.remove(&key)),
        }
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn cleaning_changes_no_value_of_any_key(moves in moves()) {
        let mut modelled = Modelled::new();
        for one in moves {
            let is_seen = matches!(one, Move::Clean | Move::Restart);
            modelled = modelled.make(one);
            if is_seen {
                modelled.check();
            }
        }
        clean(&modelled.bench);
        modelled.check();
    }
}
