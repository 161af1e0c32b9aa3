//! A planted fault of each kind is found, and nothing else with it; a history without faults has no findings.

use super::{Finding::*, *};
use crate::history::{Fate, Moment, Operation, Process, Step};

const P: Partition = Partition(0);
const Q: Partition = Partition(1);

/// Operations, each of which begins when the one before has ended, unless told otherwise.
#[derive(Default)]
struct Told(History);

impl Told {
    fn add(mut self, process: u32, fate: Fate, steps: Vec<Step>) -> Self {
        let begun = self.0.operations.len() as u64 * 10;
        let ended = Some(Moment(begun + 5));
        let (process, begun) = (Process(process), Moment(begun));
        self.0.operations.push(Operation { process, begun, deciding: None, ended, fate, steps });
        self
    }

    fn done(self, process: u32, steps: Vec<Step>) -> Self {
        self.add(process, Fate::Done, steps)
    }

    fn transaction(self, process: u32, fate: Fate, steps: Vec<Step>) -> Self {
        let mut told = self.add(process, fate, steps);
        let last = told.0.operations.last_mut().unwrap();
        last.deciding = Some(Moment(last.begun.0 + 4));
        told
    }

    /// The last one begins as early as the first, and decides as late as if it had not.
    fn meanwhile(mut self) -> Self {
        self.0.operations.last_mut().unwrap().begun = Moment(0);
        self
    }

    fn last_reader(mut self, process: u32) -> Self {
        self.0.last_reader = Some(Process(process));
        self
    }

    #[track_caller]
    fn finds(self, expected: &[Finding]) {
        assert_eq!(check(&self.0, Isolation::Kafka), expected);
    }
}

fn send(partition: Partition, value: u64, offset: i64) -> Step {
    Step::Send { partition, value: Value(value), offset: Some(offset) }
}

fn sent_somewhere(partition: Partition, value: u64) -> Step {
    Step::Send { partition, value: Value(value), offset: None }
}

fn poll(partition: Partition, records: &[(i64, u64)]) -> Step {
    Step::Poll {
        partition,
        records: records.iter().map(|(offset, value)| (*offset, Value(*value))).collect(),
    }
}

fn op(id: usize) -> OperationId {
    OperationId(id)
}

fn three_records() -> Told {
    let told = Told::default();
    (0..3).fold(told, |told, at| told.done(1, vec![send(P, at, at as i64)]))
}

#[test]
fn history_without_faults_has_no_findings() {
    three_records()
        .transaction(2, Fate::Done, vec![poll(P, &[(0, 0)]), send(P, 3, 3), send(Q, 4, 0)])
        // The marker of a transaction takes an offset; what was aborted takes some and is not read.
        .transaction(2, Fate::Failed, vec![send(P, 5, 5), send(Q, 6, 2)])
        .transaction(3, Fate::Unknown, vec![sent_somewhere(P, 7), sent_somewhere(Q, 8)])
        .transaction(3, Fate::Unknown, vec![sent_somewhere(P, 9), sent_somewhere(Q, 10)])
        .add(1, Fate::Unknown, vec![sent_somewhere(P, 11)])
        .add(1, Fate::Unknown, vec![sent_somewhere(P, 12)])
        .add(1, Fate::Failed, vec![sent_somewhere(P, 13)])
        .done(4, vec![poll(P, &[(0, 0), (1, 1)]), poll(Q, &[(0, 4)])])
        .done(4, vec![Step::Seek { partition: P }, poll(P, &[(0, 0), (1, 1), (2, 2)])])
        .done(
            5,
            vec![poll(P, &[(0, 0), (1, 1), (2, 2), (3, 3), (7, 7), (9, 11)]), poll(Q, &[(0, 4), (5, 8)])],
        )
        .last_reader(5)
        .finds(&[]);
}

#[test]
fn acknowledged_record_that_others_behind_it_prove_absent_is_lost() {
    three_records().done(2, vec![poll(P, &[(0, 0), (2, 2)])]).finds(&[
        LostWrite { value: Value(1), written_by: op(1), place: Some((P, 1)), read_up_to: Some(2) },
        PollSkip { read_by: op(3), partition: P, from: 0, to: 2, skipped: vec![(1, Value(1))] },
    ]);
}

#[test]
fn record_that_was_read_once_and_is_gone_in_the_end_is_lost() {
    Told::default()
        .add(1, Fate::Unknown, vec![sent_somewhere(P, 0)])
        .done(2, vec![poll(P, &[(0, 0)])])
        .done(1, vec![send(P, 1, 1)])
        .done(3, vec![poll(P, &[(1, 1)])])
        .last_reader(3)
        .finds(&[LostWrite { value: Value(0), written_by: op(0), place: Some((P, 0)), read_up_to: Some(1) }]);
}

#[test]
fn acknowledged_record_behind_the_end_of_all_reading_is_unseen() {
    three_records().done(2, vec![poll(P, &[(0, 0), (1, 1)])]).last_reader(2).finds(&[Unseen {
        value: Value(2),
        written_by: op(2),
        place: (P, 2),
        read_up_to: Some(1),
    }]);
}

#[test]
fn record_in_two_places_is_a_duplicate() {
    three_records()
        .done(2, vec![poll(P, &[(0, 0), (1, 1), (2, 2), (3, 1)])])
        .finds(&[Duplicate { value: Value(1), places: vec![(P, 1), (P, 3)] }]);
}

#[test]
fn place_with_two_records_is_inconsistent() {
    three_records()
        .done(2, vec![poll(P, &[(0, 0), (1, 1), (2, 2)])])
        .add(1, Fate::Unknown, vec![sent_somewhere(P, 3)])
        .done(3, vec![poll(P, &[(0, 0), (1, 1), (2, 3)])])
        .finds(&[InconsistentOffsets { place: (P, 2), values: vec![(Value(2), op(2)), (Value(3), op(5))] }]);
}

#[test]
fn record_that_nobody_has_sent_is_a_phantom() {
    let place = (P, 3);
    three_records().done(2, vec![poll(P, &[(0, 0), (1, 1), (2, 2), (3, 99)])]).finds(&[Phantom {
        value: Value(99),
        place,
        read_by: op(3),
    }]);
}

#[test]
fn record_of_an_aborted_transaction_that_is_read_is_an_aborted_read() {
    Told::default()
        .transaction(1, Fate::Failed, vec![send(P, 0, 0)])
        .done(2, vec![poll(P, &[(0, 0)])])
        .finds(&[AbortedRead { value: Value(0), place: (P, 0), written_by: op(0), read_by: op(1) }]);
}

#[test]
fn record_that_is_read_before_its_transaction_is_to_commit_is_read_too_early() {
    let mut told = Told::default()
        .done(2, vec![poll(P, &[(0, 0)])])
        .transaction(1, Fate::Done, vec![send(P, 0, 0)])
        .meanwhile();
    told.0.operations.sort_by_key(|operation| operation.begun);
    told.finds(&[PrecommittedRead { value: Value(0), place: (P, 0), written_by: op(1), read_by: op(0) }]);
}

#[test]
fn transaction_of_which_a_part_is_missing_is_torn_whatever_its_client_was_told() {
    for fate in [Fate::Done, Fate::Unknown] {
        Told::default()
            .transaction(1, fate, vec![send(P, 0, 0), sent_somewhere(Q, 1)])
            .done(2, vec![poll(P, &[(0, 0)])])
            .last_reader(2)
            .finds(&[TornTransaction { transaction: op(0), there: vec![Value(0)], missing: vec![Value(1)] }]);
    }
}

#[test]
fn transactions_that_have_read_one_another_are_a_dirty_cycle() {
    let told = Told::default()
        .transaction(1, Fate::Done, vec![send(P, 0, 0), poll(Q, &[(0, 1)])])
        .transaction(2, Fate::Done, vec![send(Q, 1, 0), poll(P, &[(0, 0)])])
        .meanwhile();
    let links = vec![
        Link { from: op(0), to: op(1), why: Why::Read(Value(0)) },
        Link { from: op(1), to: op(0), why: Why::Read(Value(1)) },
    ];
    told.finds(&[
        PrecommittedRead { value: Value(1), place: (Q, 0), written_by: op(1), read_by: op(0) },
        DirtyCycle { links },
    ]);
}

#[test]
fn process_that_reads_what_depends_on_its_own_future_is_in_a_cycle() {
    // 0 reads what 1 wrote; 1 has read what the first process writes only afterwards.
    let told = Told::default()
        .done(1, vec![poll(Q, &[(0, 1)])])
        .done(1, vec![send(P, 0, 0)])
        .transaction(2, Fate::Done, vec![send(Q, 1, 0), poll(P, &[(0, 0)])])
        .meanwhile();
    let found = check(&told.0, Isolation::Kafka);
    let links = vec![
        Link { from: op(0), to: op(1), why: Why::Later },
        Link { from: op(1), to: op(2), why: Why::Read(Value(0)) },
        Link { from: op(2), to: op(0), why: Why::Read(Value(1)) },
    ];
    assert!(found.contains(&DirtyCycle { links }), "{found:?}");
}

#[test]
fn writes_between_one_another_are_a_cycle_only_where_writes_are_ordered() {
    let told = Told::default()
        .transaction(1, Fate::Done, vec![send(P, 0, 0), send(Q, 2, 1)])
        .transaction(2, Fate::Done, vec![send(P, 1, 1), send(Q, 3, 0)])
        .meanwhile()
        .done(3, vec![poll(P, &[(0, 0), (1, 1)]), poll(Q, &[(0, 3), (1, 2)])]);
    assert_eq!(check(&told.0, Isolation::Kafka), []);
    let links = vec![
        Link { from: op(0), to: op(1), why: Why::WroteBehind(Value(0)) },
        Link { from: op(1), to: op(0), why: Why::WroteBehind(Value(3)) },
    ];
    assert_eq!(check(&told.0, Isolation::OrderedWrites), [DirtyCycle { links }]);
}

#[test]
fn consumer_that_passes_over_a_record_skips() {
    three_records()
        .done(2, vec![poll(P, &[(0, 0)])])
        .done(2, vec![poll(P, &[(2, 2)])])
        .done(3, vec![poll(P, &[(0, 0), (1, 1), (2, 2)])])
        .finds(&[PollSkip { read_by: op(4), partition: P, from: 0, to: 2, skipped: vec![(1, Value(1))] }]);
}

#[test]
fn consumer_that_goes_back_unasked_is_not_monotonic() {
    three_records()
        .done(2, vec![poll(P, &[(0, 0), (1, 1), (2, 2)])])
        .done(2, vec![poll(P, &[(1, 1), (2, 2)])])
        .finds(&[NonmonotonicPoll { read_by: op(4), partition: P, from: 2, to: 1 }]);
}

#[test]
fn producer_whose_later_record_is_in_front_is_not_monotonic() {
    Told::default()
        .done(1, vec![send(P, 0, 1)])
        .done(1, vec![send(P, 1, 0)])
        .done(2, vec![poll(P, &[(0, 1), (1, 0)])])
        .finds(&[NonmonotonicSend { earlier: (op(0), 1), later: (op(1), 0), partition: P }]);
}

fn commit(offset: i64) -> Vec<Step> {
    vec![Step::Commit { partition: P, offset }]
}

fn committed(offset: Option<i64>) -> Vec<Step> {
    vec![Step::Committed { partition: P, offset }]
}

#[test]
fn offset_of_a_group_that_is_behind_what_was_stored_has_regressed() {
    let check = |read, expected: &[Finding]| {
        let told = Told::default().done(1, commit(5)).done(1, commit(7)).done(2, committed(read));
        told.finds(expected);
    };
    let regressed = |read| OffsetRegression { read_by: op(2), partition: P, read, possible: vec![Some(7)] };
    check(Some(7), &[]);
    check(Some(5), &[regressed(Some(5))]);
    check(Some(0), &[regressed(Some(0))]);
    check(None, &[regressed(None)]);
}

#[test]
fn offset_that_was_being_stored_may_be_read_or_not() {
    for read in [None, Some(5)] {
        Told::default().add(1, Fate::Unknown, commit(5)).done(2, committed(read)).finds(&[]);
    }
    for read in [5, 7] {
        Told::default()
            .done(1, commit(5))
            .add(1, Fate::Unknown, commit(7))
            .done(2, committed(Some(read)))
            .finds(&[]);
    }
    // What was refused was not stored.
    let told = Told::default().done(1, commit(5)).add(1, Fate::Failed, commit(7)).done(2, committed(Some(7)));
    told.finds(&[OffsetRegression { read_by: op(2), partition: P, read: Some(7), possible: vec![Some(5)] }]);
}

fn made(from: u64, value: u64) -> [Step; 2] {
    [Step::Made { from: Value(from), value: Value(value) }, sent_somewhere(Q, value)]
}

/// Three records, of which a group makes something; the last reader finds these results, and the group at that offset.
fn worked(fates: &[(Fate, u64, u64)], there: &[(i64, u64)], offset: i64) -> Told {
    let told = fates.iter().fold(three_records(), |told, (fate, from, value)| {
        told.transaction(2, *fate, made(*from, *value).to_vec())
    });
    let told = told.done(3, vec![poll(P, &[(0, 0), (1, 1), (2, 2)]), poll(Q, there)]);
    told.add(2, Fate::Unknown, commit(offset)).done(3, committed(Some(offset))).last_reader(3)
}

#[test]
fn each_record_that_is_counted_once_is_well() {
    let fates = [(Fate::Done, 0, 10), (Fate::Failed, 1, 11), (Fate::Unknown, 1, 12)];
    worked(&fates, &[(0, 10), (2, 12)], 2).finds(&[]);
}

#[test]
fn record_of_which_two_results_are_there_was_counted_twice() {
    let fates = [(Fate::Done, 0, 10), (Fate::Unknown, 0, 11)];
    let results = vec![(Value(10), op(3)), (Value(11), op(4))];
    worked(&fates, &[(0, 10), (1, 11)], 1).finds(&[CountedTwice { input: Value(0), results }]);
}

#[test]
fn record_that_the_group_is_past_without_a_result_was_not_counted() {
    let fates = [(Fate::Done, 0, 10), (Fate::Failed, 1, 11)];
    let uncounted = Uncounted { input: Value(1), place: (P, 1), committed: 2 };
    worked(&fates, &[(0, 10)], 2).finds(&[uncounted]);
}

#[test]
fn offset_of_a_transaction_that_has_not_decided_is_none_that_may_be_read() {
    let told = Told::default().done(2, committed(Some(5))).transaction(1, Fate::Done, commit(5)).meanwhile();
    let possible = vec![None];
    told.finds(&[OffsetRegression { read_by: op(0), partition: P, read: Some(5), possible }]);
}
