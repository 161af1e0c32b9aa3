//! Consumers that pass over records or go back.

use std::collections::BTreeMap;

use super::{Finding, logs::Logs};
use crate::history::{History, OperationId, Partition, Step};

pub(super) fn check(history: &History, logs: &Logs) -> Vec<Finding> {
    let mut positions = BTreeMap::new();
    let mut findings = Vec::new();
    for (id, operation, step) in history.steps() {
        match step {
            Step::Seek { partition } => {
                positions.remove(&(operation.process, *partition));
            }
            Step::Poll { partition, records } => {
                let position = positions.entry((operation.process, *partition)).or_insert(None);
                for (offset, _) in records {
                    let from = position.replace(*offset);
                    findings
                        .extend(from.and_then(|from| moved(history, logs, id, *partition, from, *offset)));
                }
            }
            _ => {}
        }
    }
    findings
}

/// What is wrong with a consumer's going from one offset to another.
fn moved(
    history: &History,
    logs: &Logs,
    read_by: OperationId,
    partition: Partition,
    from: i64,
    to: i64,
) -> Option<Finding> {
    if to <= from {
        return Some(Finding::NonmonotonicPoll { read_by, partition, from, to });
    }
    let skipped = logs.between(history, partition, from, to);
    (!skipped.is_empty()).then_some(Finding::PollSkip { read_by, partition, from, to, skipped })
}
