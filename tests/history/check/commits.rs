//! A group's offsets that are not what was stored. Each partition's is a register: what may be read is what was stored last,
//! or anything that was being stored meanwhile.

use super::Finding;
use crate::history::{Fate, History, Operation, OperationId, Partition, Step};

struct Stored<'a> {
    operation: &'a Operation,
    partition: Partition,
    offset: i64,
}

pub(super) fn check(history: &History) -> Vec<Finding> {
    let stored: Vec<_> = history.steps().filter_map(|(_, operation, step)| stored(operation, step)).collect();
    let read = history.steps().filter_map(|(id, operation, step)| match step {
        Step::Committed { partition, offset } => regressed(&stored, id, operation, *partition, *offset),
        _ => None,
    });
    read.collect()
}

fn stored<'a>(operation: &'a Operation, step: &Step) -> Option<Stored<'a>> {
    match step {
        Step::Commit { partition, offset } if operation.fate != Fate::Failed => {
            Some(Stored { operation, partition: *partition, offset: *offset })
        }
        _ => None,
    }
}

fn regressed(
    stored: &[Stored<'_>],
    read_by: OperationId,
    reader: &Operation,
    partition: Partition,
    read: Option<i64>,
) -> Option<Finding> {
    let stored: Vec<_> = stored.iter().filter(|stored| stored.partition == partition).collect();
    // Those that were certainly there before the question.
    let settled: Vec<_> = stored
        .iter()
        .filter(|stored| stored.operation.fate == Fate::Done && stored.operation.precedes(reader))
        .collect();
    // What nobody has confirmed may take place at any later time.
    let is_over =
        |one: &Operation| one.fate == Fate::Done && settled.iter().any(|other| one.precedes(other.operation));
    // What is stored in a transaction is there when it commits, and not before.
    let begins = |one: &Operation| one.deciding.unwrap_or(one.begun);
    let has_begun = |one: &Operation| reader.ended.is_none_or(|ended| begins(one) < ended);
    let live = stored.iter().filter(|stored| has_begun(stored.operation) && !is_over(stored.operation));
    let nothing = settled.is_empty().then_some(None);
    let mut possible: Vec<_> = nothing.into_iter().chain(live.map(|stored| Some(stored.offset))).collect();
    possible.sort_unstable();
    possible.dedup();
    let is_possible = possible.contains(&read);
    (!is_possible).then_some(Finding::OffsetRegression { read_by, partition, read, possible })
}
