use std::collections::BTreeMap;

use mainstem_protocol::{ProducerEpoch, ProducerId, Sequence};
use proptest::prelude::*;

use super::*;
use crate::{
    AbortedTransaction, Marker, ProducerView, TransactionVersion, checkpoint::TopicSnapshot,
    testing::transactional,
};

fn folded(bench: &Bench) -> Vec<TopicSnapshot> {
    bench.store.snapshot(&bench.store.journal(), false).topics
}

const fn marker(id: i64, epoch: i16, committed: bool) -> Marker {
    Marker {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        coordinator_epoch: 0,
        committed,
        version: TransactionVersion::V1,
    }
}

fn ending(topic: TopicId, marker: Marker) -> AppendGroup {
    let mut group = AppendGroup::new();
    group.push_marker(topic, PartitionId(0), marker, NOW);
    group
}

impl Bench {
    /// Places and commits; the base offset of the first batch.
    fn commit(&self, group: AppendGroup) -> Result<i64, AppendError> {
        let ticket = self.place(group)?;
        self.store.round().unwrap();
        Ok(ticket.wait().unwrap().places[0].base_offset.0)
    }

    fn end(&self, topic: TopicId, marker: Marker) -> Result<i64, AppendError> {
        self.commit(ending(topic, marker))
    }

    fn last_stable(&self, topic: TopicId) -> i64 {
        self.partition(topic, 0).last_stable().0
    }

    /// Producer, first offset and marker of what was aborted.
    fn aborted(&self, topic: TopicId) -> Vec<(i64, i64, i64)> {
        let partition = self.partition(topic, 0);
        let found = partition.aborted_transactions(partition.log_start(), Offset(i64::MAX)).unwrap();
        let told = |AbortedTransaction { producer_id, first_offset, last_offset, .. }| {
            (producer_id.0, first_offset.0, last_offset.0)
        };
        found.into_iter().map(told).collect()
    }
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset_back_until_its_marker() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.append(topic, 0, batch(2, None));
    assert_eq!(bench.last_stable(topic), 2);
    bench.append(topic, 0, transactional(3, (1, 0, 0)));
    bench.append(topic, 0, transactional(3, (2, 0, 0)));
    bench.append(topic, 0, batch(1, None));
    assert_eq!(bench.last_stable(topic), 2);
    assert_eq!(bench.end(topic, marker(1, 0, true)), Ok(9));
    assert_eq!(bench.last_stable(topic), 5);
    assert_eq!(bench.end(topic, marker(2, 0, false)), Ok(10));
    assert_eq!(bench.last_stable(topic), 11);
    assert_eq!(bench.partition(topic, 0).high_watermark(), Offset(11));
    assert_eq!(bench.aborted(topic), [(2, 5, 10)]);
}

#[test]
fn a_reader_of_what_is_committed_ends_at_the_last_stable_offset_in_any_segment() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("segment.bytes", "250")]);
    bench.fill(topic, 0, 3);
    bench.append(topic, 0, transactional(5, (1, 0, 0)));
    bench.fill(topic, 0, 3);
    let partition = bench.partition(topic, 0);
    let visible = partition.shown();
    assert_eq!((visible.last_stable, visible.high_watermark), (Offset(15), Offset(35)));
    let mut at = Offset::ZERO;
    let how =
        Read { bytes_max: 10_000, at_least_one: true, wait: Wait::Yes, isolation: Isolation::Committed };
    while at < visible.last_stable {
        let records = partition.read(&visible, at, how).unwrap().bytes().unwrap();
        let last = batches(records, Tail::Report).last().expect("it goes on").unwrap();
        at = last.header().next_offset();
    }
    assert_eq!(at, Offset(15));
    assert!(partition.read(&visible, at, how).unwrap().is_empty());
    assert!(partition.read(&visible, Offset(20), how).unwrap().is_empty());
}

#[test]
fn a_marker_for_no_open_transaction_is_written_and_fences_alone() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    assert_eq!(bench.end(topic, marker(1, 3, false)), Ok(0));
    assert_eq!((bench.aborted(topic), bench.last_stable(topic)), (vec![], 1));
    let old = bench.place_batch(topic, 0, transactional(1, (1, 2, 0)));
    assert!(matches!(old, Err(AppendError::InvalidProducerEpoch { current: ProducerEpoch(3), .. })));
    let late = bench.place_batch(topic, 0, transactional(1, (1, 3, 7)));
    assert!(matches!(late, Err(AppendError::OutOfOrderSequence { last: Sequence::NONE, .. })));
    bench.append(topic, 0, transactional(1, (1, 3, 0)));
}

#[test]
fn markers_of_older_epochs_and_older_coordinators_are_refused() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.append(topic, 0, transactional(1, (1, 5, 0)));
    let old = bench.end(topic, marker(1, 4, true));
    assert!(matches!(old, Err(AppendError::InvalidProducerEpoch { .. })));
    bench.end(topic, Marker { coordinator_epoch: 7, ..marker(1, 5, true) }).unwrap();
    bench.append(topic, 0, transactional(1, (1, 5, 1)));
    let fenced = bench.end(topic, Marker { coordinator_epoch: 6, ..marker(1, 5, true) });
    assert_eq!(
        fenced,
        Err(AppendError::CoordinatorFenced { producer_id: ProducerId(1), current: 7, found: 6 })
    );
    assert_eq!(bench.last_stable(topic), 2);
}

#[test]
fn in_the_second_version_only_a_higher_epoch_ends_a_transaction_and_a_repeat_ends_nothing() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    let second = |epoch| Marker { version: TransactionVersion::V2, ..marker(1, epoch, true) };
    bench.append(topic, 0, transactional(2, (1, 0, 0)));
    assert!(matches!(bench.end(topic, second(0)), Err(AppendError::InvalidProducerEpoch { .. })));
    assert_eq!(bench.end(topic, second(1)), Ok(2));
    assert_eq!(bench.end(topic, second(1)), Ok(3), "the repeat of a marker");
    let late = bench.place_batch(topic, 0, transactional(1, (1, 0, 2)));
    assert!(matches!(late, Err(AppendError::InvalidProducerEpoch { .. })));
    assert_eq!(bench.last_stable(topic), 4);
    let later = bench.place_batch(topic, 0, transactional(1, (1, 1, 2)));
    assert!(matches!(later, Err(AppendError::OutOfOrderSequence { .. })));
    bench.append(topic, 0, transactional(1, (1, 1, 0)));
}

#[test]
fn in_the_second_version_an_unknown_producer_begins_at_sequence_zero() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    let place = |sequence, version| {
        let mut group = AppendGroup::new();
        group.push_of(topic, PartitionId(0), transactional(1, (1, 0, sequence)), version);
        bench.commit(group)
    };
    assert!(matches!(place(4, TransactionVersion::V2), Err(AppendError::OutOfOrderSequence { .. })));
    assert_eq!(place(4, TransactionVersion::V1), Ok(0));
}

#[test]
fn a_batch_outside_of_its_producers_open_transaction_is_refused() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.append(topic, 0, batch(1, None));
    bench.append(topic, 0, transactional(1, (1, 0, 0)));
    let outside = bench.place_batch(topic, 0, batch(1, Some((1, 0, 1))));
    let refused = AppendError::InvalidTransactionState { producer_id: ProducerId(1), first: Offset(1) };
    assert_eq!(outside.map(|_| ()), Err(refused));
    bench.end(topic, marker(1, 0, true)).unwrap();
    bench.append(topic, 0, batch(1, Some((1, 0, 1))));
}

#[test]
fn a_group_may_begin_and_end_several_transactions_of_one_producer() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    let mut group = AppendGroup::new();
    for turn in 0..3 {
        group.push(topic, PartitionId(0), transactional(2, (1, 0, turn * 2)));
        group.push_marker(topic, PartitionId(0), marker(1, 0, turn == 1), NOW);
    }
    bench.commit(group).unwrap();
    assert_eq!(bench.aborted(topic), [(1, 0, 2), (1, 6, 8)]);
    assert_eq!(bench.last_stable(topic), 9);
}

#[test]
fn a_refused_marker_leaves_nothing_of_its_group() {
    let bench = Bench::new();
    let (first, second) = (bench.topic("first", 1, &[]), bench.topic("second", 1, &[]));
    bench.append(first, 0, transactional(1, (1, 0, 0)));
    bench.append(second, 0, transactional(1, (1, 9, 0)));
    let mut group = ending(first, marker(1, 0, true));
    group.push_marker(second, PartitionId(0), marker(1, 0, true), NOW);
    assert!(matches!(bench.commit(group), Err(AppendError::InvalidProducerEpoch { .. })));
    assert_eq!((bench.last_stable(first), bench.last_stable(second)), (0, 0));
    assert_eq!(bench.read(first, 0).len(), 1);
}

#[test]
fn what_is_taken_back_takes_its_transactions_with_it() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.append(topic, 0, transactional(1, (1, 0, 0)));
    let kept = bench.place_batch(topic, 0, batch(1, None)).unwrap();
    bench.place(ending(topic, marker(1, 0, false))).unwrap();
    bench.place_batch(topic, 0, transactional(1, (2, 0, 0))).unwrap();
    bench.store.truncate_to(kept.lsn());
    bench.store.round().unwrap();
    assert_eq!((bench.last_stable(topic), bench.aborted(topic)), (0, vec![]));
    assert_eq!(bench.end(topic, marker(1, 0, true)), Ok(2));
    assert_eq!(bench.last_stable(topic), 3);
}

#[test]
fn producers_are_told_with_their_transactions() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.append(topic, 0, transactional(2, (1, 4, 0)));
    bench.end(topic, Marker { coordinator_epoch: 3, ..marker(2, 1, true) }).unwrap();
    let partition = bench.partition(topic, 0);
    let known = |id, epoch, last_sequence, coordinator_epoch, transaction: Option<i64>| ProducerView {
        id: ProducerId(id),
        epoch: ProducerEpoch(epoch),
        last_sequence: Sequence(last_sequence),
        last_timestamp: NOW,
        coordinator_epoch,
        transaction: transaction.map(Offset),
    };
    assert_eq!(partition.producers(), [known(1, 4, 1, -1, Some(0)), known(2, 1, -1, 3, None)]);
    assert_eq!(partition.open_transactions(), [known(1, 4, 1, -1, Some(0))]);
}

#[test]
fn a_marker_that_was_asked_for_is_refused_where_its_producer_would_be_one_too_many() {
    let bench = Bench::with(Options { producers_max: 2, ..options() });
    let topic = bench.topic("orders", 1, &[]);
    bench.append(topic, 0, transactional(1, (1, 0, 0)));
    bench.append(topic, 0, batch(1, Some((2, 0, 0))));
    let asked = |id| {
        let mut group = AppendGroup::new();
        group.push_asked_marker(topic, PartitionId(0), marker(id, 0, false), NOW);
        bench.commit(group)
    };
    assert_eq!(asked(3), Err(AppendError::TooManyProducers { most: 2 }));
    assert_eq!(asked(1), Ok(2), "who has a transaction open is known");
    assert_eq!(bench.end(topic, marker(4, 0, false)), Ok(3), "the coordinator has decided");
}

#[test]
fn a_producer_with_an_open_transaction_is_never_forgotten() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("retention.ms", "-1")]);
    bench.append(topic, 0, transactional(1, (1, 0, 0)));
    bench.append(topic, 0, batch(1, Some((2, 0, 0))));
    bench.clock.advance(std::time::Duration::from_secs(3 * 86_400));
    bench.store.retention_step();
    let known: Vec<_> = bench.partition(topic, 0).producers().iter().map(|known| known.id.0).collect();
    assert_eq!(known, [1]);
}

#[test]
fn transactions_before_the_log_start_hold_nothing_back_and_cannot_be_looked_up() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.append(topic, 0, transactional(2, (1, 0, 0)));
    bench.end(topic, marker(1, 0, false)).unwrap();
    bench.append(topic, 0, transactional(2, (2, 0, 0)));
    bench.append(topic, 0, batch(3, None));
    let moved = bench.store.move_log_start(topic, PartitionId(0), Offset(6)).unwrap();
    bench.store.round().unwrap();
    moved.wait().unwrap();
    assert_eq!((bench.last_stable(topic), bench.aborted(topic)), (6, vec![]));
    assert_eq!(bench.partition(topic, 0).aborted_transactions(Offset(5), Offset(8)), None);
    let bench = bench.restart();
    assert_eq!((bench.last_stable(topic), bench.aborted(topic)), (6, vec![]));
    bench.end(topic, marker(2, 0, false)).unwrap();
    assert_eq!((bench.last_stable(topic), bench.aborted(topic)), (9, vec![(2, 3, 8)]));
}

#[test]
fn no_transaction_is_begun_where_as_many_were_aborted_as_may_be_told() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.append(topic, 0, transactional(1, (1, 0, 0)));
    let one = AbortedTransaction {
        producer_id: ProducerId(9),
        first_offset: Offset(0),
        last_offset: Offset(0),
        last_stable_offset: Offset(0),
    };
    let most = crate::caps::ABORTED_TRANSACTIONS_MAX;
    let partition = bench.partition(topic, 0);
    (0..most).for_each(|_| partition.aborted.lock().push(one));
    let refused = bench.place_batch(topic, 0, transactional(1, (2, 0, 0)));
    assert_eq!(refused.map(|_| ()), Err(AppendError::TooManyAborted { most }));
    bench.append(topic, 0, batch(1, None));
    bench.end(topic, marker(1, 0, true)).unwrap();
}

/// What a log of transactions means, told again: from its batches as readers see them.
fn looked_at_again(bench: &Bench, topic: TopicId) -> (i64, Vec<(i64, i64, i64)>) {
    let partition = bench.partition(topic, 0);
    let visible = partition.shown();
    let (mut open, mut aborted) = (BTreeMap::new(), Vec::new());
    let mut offset = visible.log_start;
    let how = Read { bytes_max: 1, at_least_one: true, wait: Wait::Yes, isolation: Isolation::Uncommitted };
    while offset < visible.high_watermark {
        let records = partition.read(&visible, offset, how).unwrap().bytes().unwrap();
        let batch = batches(records, Tail::Report).next().unwrap().unwrap();
        let header = *batch.header();
        offset = header.next_offset();
        let id = header.producer_id.0;
        if header.attributes.is_control() {
            let begun: Option<i64> = open.remove(&id);
            let is_commit = batch.payload()[8] == 1;
            aborted.extend(begun.filter(|_| !is_commit).map(|first| (id, first, header.base_offset.0)));
        } else if header.attributes.is_transactional() {
            open.entry(id).or_insert(header.base_offset.0);
        }
    }
    (open.into_values().min().unwrap_or(visible.high_watermark.0), aborted)
}

#[derive(Clone, Debug)]
enum Act {
    Plain,
    Write(i64),
    End(i64, bool),
    Round,
    Checkpoint,
    TakeBack,
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        1 => Just(Act::Plain),
        6 => (0..4_i64).prop_map(Act::Write),
        3 => (0..4_i64, any::<bool>()).prop_map(|(id, committed)| Act::End(id, committed)),
        3 => Just(Act::Round),
        1 => Just(Act::Checkpoint),
        1 => Just(Act::TakeBack),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn durability_14_transactions_are_restored_as_they_were(acts in acts()) {
        let mut bench = Bench::new();
        let topic = bench.topic("orders", 1, &[("segment.bytes", "600")]);
        for act in acts {
            let sequence = |id: i64| {
                let placing = bench.partition(topic, 0);
                let placing = placing.placing();
                let known = placing.known_producer(&placing.draft(), ProducerId(id));
                known.map_or(0, |known| known.last_sequence().0 + 1)
            };
            match act {
                Act::Plain => drop(bench.place_batch(topic, 0, batch(1, None)).unwrap()),
                Act::Write(id) => {
                    let batch = transactional(2, (id, 0, sequence(id)));
                    drop(bench.place_batch(topic, 0, batch).unwrap());
                }
                Act::End(id, committed) => drop(bench.place(ending(topic, marker(id, 0, committed))).unwrap()),
                Act::Round => drop(bench.store.round().unwrap()),
                Act::Checkpoint => bench.store.write_checkpoint(false).unwrap(),
                Act::TakeBack => {
                    let lsn = bench.store.stats().written;
                    bench.store.truncate_to(lsn);
                }
                Act::Restart => {
                    bench.store.round().unwrap();
                    let before = folded(&bench);
                    bench = bench.restart();
                    prop_assert_eq!(folded(&bench), before);
                }
            }
            let seen = (bench.last_stable(topic), bench.aborted(topic));
            prop_assert_eq!(seen, looked_at_again(&bench, topic));
        }
    }
}
