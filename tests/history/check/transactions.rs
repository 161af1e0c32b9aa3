//! What was read of transactions that were aborted, not yet committed, or kept in part.

use super::{Finding, logs::Logs};
use crate::history::{Fate, History, Operation, OperationId, Partition, Value};

pub(super) fn check(history: &History, logs: &Logs) -> Vec<Finding> {
    let early = history.polled().filter_map(|polled| read_too_early(history, logs, polled));
    early.chain(history.operations().filter_map(|(id, operation)| torn(logs, id, operation))).collect()
}

fn read_too_early(
    history: &History,
    logs: &Logs,
    (read_by, partition, offset, value): (OperationId, Partition, i64, Value),
) -> Option<Finding> {
    let (written_by, _) = *logs.writers.get(&value)?;
    let (writer, place) = (history.operation(written_by), (partition, offset));
    if writer.fate == Fate::Failed {
        return Some(Finding::AbortedRead { value, place, written_by, read_by });
    }
    let read = history.operation(read_by);
    // A transaction knows what it has read when it is about to end; a poll when it has ended.
    let known = read.deciding.or(read.ended)?;
    let is_early = writer.deciding.is_some_and(|deciding| known < deciding) && written_by != read_by;
    is_early.then_some(Finding::PrecommittedRead { value, place, written_by, read_by })
}

/// All of it is there or nothing, whatever its client was told.
fn torn(logs: &Logs, transaction: OperationId, operation: &Operation) -> Option<Finding> {
    if !operation.is_transaction() || operation.fate == Fate::Failed {
        return None;
    }
    let values = operation.sent().map(|(_, value, _)| value);
    let (there, missing): (Vec<_>, Vec<_>) = values.partition(|value| logs.there.contains(value));
    let is_torn = !there.is_empty() && !missing.is_empty();
    is_torn.then_some(Finding::TornTransaction { transaction, there, missing })
}
