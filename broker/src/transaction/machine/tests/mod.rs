mod bad_input;
mod rules;
mod schedules;

use mainstem_protocol::{ErrorCode, PartitionId, ProducerEpoch, ProducerId, Text, Timestamp};

use super::{Outcome, Partitions, Producer, State, Step, Transaction, Version};

const TIMEOUT_MS: i32 = 60_000;
const NOW: Timestamp = Timestamp(1_000_000);
const MOST: usize = 100;

fn producer(id: i64, epoch: i16) -> Producer {
    Producer { id: ProducerId(id), epoch: ProducerEpoch(epoch) }
}

fn partitions(of: &[(&'static str, i32)]) -> Partitions {
    let named: Vec<_> = of.iter().map(|(topic, id)| (Text::from_static(topic), PartitionId(*id))).collect();
    named.iter().map(|(topic, id)| (topic, *id)).collect()
}

/// A transactional id that producer 7 has, with this epoch.
fn held(epoch: i16) -> Transaction {
    let mut transaction = Transaction::new(ProducerId(7), TIMEOUT_MS, NOW);
    transaction.producer.epoch = ProducerEpoch(epoch);
    transaction
}

/// As [`held`], with a transaction open in two partitions.
fn open(epoch: i16) -> Transaction {
    changed(&held(epoch).add(producer(7, epoch), &partitions(&[("a", 0), ("b", 1)]), MOST, NOW))
}

/// As [`open`], and then ended.
fn ended(epoch: i16, outcome: Outcome, version: Version) -> Transaction {
    changed(&end(&open(epoch), epoch, outcome, version))
}

fn changed<T: std::fmt::Debug>(step: &Step<T>) -> Transaction {
    step.change.as_ref().expect("something changes").next.clone()
}

/// Producer 7 ends its transaction; 9 is the next free producer id.
fn end(transaction: &Transaction, epoch: i16, outcome: Outcome, version: Version) -> Step<Producer> {
    transaction.end(producer(7, epoch), outcome, version, Some(ProducerId(9)), NOW).expect("there is an id")
}

/// Somebody takes over; 9 is the next free producer id.
fn init(transaction: &Transaction, expected: Option<Producer>) -> Step<Producer> {
    transaction.init(expected, TIMEOUT_MS, Some(ProducerId(9)), NOW).expect("there is an id")
}

#[track_caller]
fn refused<T: std::fmt::Debug + PartialEq>(step: &Step<T>, error: ErrorCode) {
    assert_eq!((&step.change, &step.answer), (&None, &Err(error)));
}

#[track_caller]
fn unchanged(step: &Step<Producer>, answer: Producer) {
    assert_eq!((&step.change, &step.answer), (&None, &Ok(answer)));
}

#[track_caller]
fn ends(step: &Step<Producer>, outcome: Outcome, marker: Producer, next: Producer) {
    let change = step.change.as_ref().expect("the transaction ends");
    let markers = change.markers.as_ref().expect("there are markers");
    assert_eq!((markers.outcome, markers.producer), (outcome, marker));
    assert_eq!((change.next.state, change.next.producer), (outcome.complete(), next));
    assert_eq!(change.next.partitions, Partitions::default());
    assert!(step.answer.is_err() || step.answer == Ok(next));
}

/// What the log keeps of a transactional id is all that matters of it, but for the epoch before.
fn restarted(transaction: &Transaction) -> Transaction {
    Transaction::restored(&transaction.stored()).expect("it was stored")
}

const ALL_QUIET: [State; 3] = [State::Empty, State::CompleteCommit, State::CompleteAbort];
