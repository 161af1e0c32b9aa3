//! Records that are not there, there twice, or not the same for everybody.

use std::collections::BTreeMap;

use super::{Finding, Place, logs::Logs};
use crate::history::{Fate, History, OperationId, Partition, Process, Value};

pub(super) fn check(history: &History, logs: &Logs) -> Vec<Finding> {
    let mut findings = missing(history, logs);
    findings.extend(phantoms(history, logs));
    findings.extend(duplicates(logs));
    findings.extend(inconsistent(logs));
    findings.extend(out_of_order(history));
    findings
}

/// A transaction of which a part is there is torn, which says more.
fn missing(history: &History, logs: &Logs) -> Vec<Finding> {
    let is_missing = |value: Value| logs.is_visible(history, value) && !logs.there.contains(&value);
    let absent = logs.writers.iter().filter(|(value, _)| is_missing(**value));
    let whole = absent.filter(|(_, (writer, _))| {
        let operation = history.operation(*writer);
        !operation.is_transaction() || operation.sent().all(|(_, value, _)| !logs.there.contains(&value))
    });
    whole.map(|(value, (writer, partition))| absence(logs, *value, *writer, *partition)).collect()
}

fn absence(logs: &Logs, value: Value, written_by: OperationId, partition: Partition) -> Finding {
    let read_up_to = logs.read_up_to.get(&partition).copied();
    match logs.place(value) {
        Some(place) if read_up_to.is_none_or(|up_to| up_to < place.1) && !logs.read.contains(&value) => {
            Finding::Unseen { value, written_by, place, read_up_to }
        }
        place => Finding::LostWrite { value, written_by, place, read_up_to },
    }
}

fn phantoms(history: &History, logs: &Logs) -> Vec<Finding> {
    let unknown = history.polled().filter(|(_, _, _, value)| !logs.writers.contains_key(value));
    let phantom =
        |(read_by, partition, offset, value)| Finding::Phantom { value, place: (partition, offset), read_by };
    unknown.map(phantom).collect()
}

fn duplicates(logs: &Logs) -> Vec<Finding> {
    let several = logs.places.iter().filter(|(_, places)| places.len() > 1);
    let finding = |(value, places): (&Value, &std::collections::BTreeSet<Place>)| Finding::Duplicate {
        value: *value,
        places: places.iter().copied().collect(),
    };
    several.map(finding).collect()
}

fn inconsistent(logs: &Logs) -> Vec<Finding> {
    let several = logs.at.iter().filter(|(_, values)| values.len() > 1);
    let finding = |(place, values): (&Place, &BTreeMap<Value, OperationId>)| Finding::InconsistentOffsets {
        place: *place,
        values: values.iter().map(|(value, by)| (*value, *by)).collect(),
    };
    several.map(finding).collect()
}

/// A producer keeps the order in which it was given the records of a partition.
fn out_of_order(history: &History) -> Vec<Finding> {
    let mut last: BTreeMap<(Process, Partition), (OperationId, i64)> = BTreeMap::new();
    let mut findings = Vec::new();
    for (id, operation) in history.operations().filter(|(_, operation)| operation.fate == Fate::Done) {
        for (partition, _, offset) in operation.sent() {
            let Some(offset) = offset else { continue };
            let later = (id, offset);
            match last.insert((operation.process, partition), later) {
                Some(earlier) if earlier.1 >= offset => {
                    findings.push(Finding::NonmonotonicSend { earlier, later, partition });
                }
                _ => {}
            }
        }
    }
    findings
}
