//! What was made of each record that a group has read in transactions: of each that it is past, one result, and no second one.

use std::collections::BTreeMap;

use super::{Finding, logs::Logs};
use crate::history::{History, OperationId, Partition, Step, Value};

pub(super) fn check(history: &History, logs: &Logs) -> Vec<Finding> {
    let results = results(history, logs);
    let several = results.iter().filter(|(_, results)| results.len() > 1);
    let twice =
        several.map(|(input, results)| Finding::CountedTwice { input: *input, results: results.clone() });
    twice.chain(uncounted(history, logs, &results)).collect()
}

type Results = BTreeMap<Value, Vec<(Value, OperationId)>>;

/// Those that are there, by what they were made of.
fn results(history: &History, logs: &Logs) -> Results {
    let mut results = Results::new();
    for (id, _, step) in history.steps() {
        if let Step::Made { from, value } = step
            && logs.there.contains(value)
        {
            results.entry(*from).or_default().push((*value, id));
        }
    }
    results
}

/// Records that are there, that the group is past, and of which nothing is there.
fn uncounted(history: &History, logs: &Logs, results: &Results) -> Vec<Finding> {
    let committed = committed_last(history);
    let there = logs.at.iter().flat_map(|(place, values)| values.keys().map(move |value| (*place, *value)));
    let is_past = |(partition, offset): (Partition, i64)| {
        committed.get(&partition).is_some_and(|committed| *committed > offset)
    };
    let lost = there.filter(|(place, value)| {
        is_past(*place) && logs.there.contains(value) && !results.contains_key(value)
    });
    let finding =
        |(place, input): (_, Value)| Finding::Uncounted { input, place, committed: committed[&place.0] };
    lost.map(finding).collect()
}

/// How far the group is in the end, as the last reader has found; nothing of groups that make nothing.
fn committed_last(history: &History) -> BTreeMap<Partition, i64> {
    let makes = history.steps().any(|(_, _, step)| matches!(step, Step::Made { .. }));
    let last =
        history.steps().filter(|(_, operation, _)| makes && Some(operation.process) == history.last_reader);
    let committed = last.filter_map(|(_, _, step)| match step {
        Step::Committed { partition, offset } => Some((*partition, (*offset)?)),
        _ => None,
    });
    committed.collect()
}
