//! What a history proves to be wrong. Pure: a history in, findings with their evidence out.
//!
//! The names are those of Jepsen's tests of Kafka and of Adya's anomalies, as Elle finds them: each partition is a list, and
//! its offsets are the order in which values were appended to it.
//!
//! - `logs`: what is known of each partition's log, from all that was told and read.
//! - `writes`: records that are not there, there twice, or not the same for everybody.
//! - `polls`: consumers that pass over records or go back.
//! - `transactions`: what was read of those that were aborted, or not yet committed, or in part.
//! - `cycles`: transactions that depend on one another in a circle.
//! - `results`: records of which a group has made something twice, or nothing.
//! - `commits`: a group's offsets that are not what was stored.

mod commits;
mod cycles;
mod logs;
mod polls;
mod results;
#[cfg(test)]
mod tests;
mod transactions;
mod writes;

use crate::history::{History, OperationId, Partition, Value};
use logs::Logs;

/// Where a record is.
pub(crate) type Place = (Partition, i64);

/// An anomaly, and what it is seen from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A record was acknowledged, or read before, and is not where others behind it are read.
    LostWrite { value: Value, written_by: OperationId, place: Option<Place>, read_up_to: Option<i64> },
    /// A record was acknowledged, and reading ends in front of it.
    Unseen { value: Value, written_by: OperationId, place: Place, read_up_to: Option<i64> },
    /// One record has several places.
    Duplicate { value: Value, places: Vec<Place> },
    /// One place has several records.
    InconsistentOffsets { place: Place, values: Vec<(Value, OperationId)> },
    /// A record was read that nobody has sent.
    Phantom { value: Value, place: Place, read_by: OperationId },
    /// A record was read that was refused or aborted (Adya's G1a).
    AbortedRead { value: Value, place: Place, written_by: OperationId, read_by: OperationId },
    /// A record was read before its transaction was asked to commit.
    PrecommittedRead { value: Value, place: Place, written_by: OperationId, read_by: OperationId },
    /// Of one transaction, a part is there and a part is not.
    TornTransaction { transaction: OperationId, there: Vec<Value>, missing: Vec<Value> },
    /// Each of these depends on the one before, and the first on the last (Adya's G0 and G1c).
    DirtyCycle { links: Vec<Link> },
    /// A consumer went from one record to another and left out some between.
    PollSkip { read_by: OperationId, partition: Partition, from: i64, to: i64, skipped: Vec<(i64, Value)> },
    /// A consumer went back without having been told to.
    NonmonotonicPoll { read_by: OperationId, partition: Partition, from: i64, to: i64 },
    /// What one producer sent later is in front of what it sent before.
    NonmonotonicSend { earlier: (OperationId, i64), later: (OperationId, i64), partition: Partition },
    /// Of one record, several results are there.
    CountedTwice { input: Value, results: Vec<(Value, OperationId)> },
    /// The group is past a record of which no result is there.
    Uncounted { input: Value, place: Place, committed: i64 },
    /// A group's offset is none of those that it may be after what was stored.
    OffsetRegression {
        read_by: OperationId,
        partition: Partition,
        read: Option<i64>,
        possible: Vec<Option<i64>>,
    },
}

/// One transaction depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) from: OperationId,
    pub(crate) to: OperationId,
    pub(crate) why: Why,
}

/// Why one depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// It has read what the other one wrote.
    Read(Value),
    /// It has written right behind what the other one wrote.
    WroteBehind(Value),
    /// The same process did it later.
    Later,
}

/// What is asked of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// What Kafka promises: transactions that run at the same time may write between one another's records.
    Kafka,
    /// Writes of transactions are in one order everywhere (Adya's PL-1).
    OrderedWrites,
}

/// Everything that a history proves to be wrong.
pub(crate) fn check(history: &History, isolation: Isolation) -> Vec<Finding> {
    let logs = Logs::of(history);
    let mut findings = writes::check(history, &logs);
    findings.extend(polls::check(history, &logs));
    findings.extend(transactions::check(history, &logs));
    findings.extend(cycles::check(history, &logs, isolation));
    findings.extend(results::check(history, &logs));
    findings.extend(commits::check(history));
    findings
}
