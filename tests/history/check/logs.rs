//! What is known of each partition's log.

use std::collections::{BTreeMap, BTreeSet};

use super::Place;
use crate::history::{Fate, History, OperationId, Partition, Step, Value};

/// What all that was told and read says together.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    /// What was told or read to be at each place, and by whom first.
    pub(crate) at: BTreeMap<Place, BTreeMap<Value, OperationId>>,
    /// Where each value is.
    pub(crate) places: BTreeMap<Value, BTreeSet<Place>>,
    /// Who sent each value, and to where.
    pub(crate) writers: BTreeMap<Value, (OperationId, Partition)>,
    /// Everything that anybody has read.
    pub(crate) read: BTreeSet<Value>,
    /// What is there in the end, as far as anybody has looked: what the last reader has read, else what anybody has.
    pub(crate) there: BTreeSet<Value>,
    /// How far those have read each partition.
    pub(crate) read_up_to: BTreeMap<Partition, i64>,
}

impl Logs {
    pub(crate) fn of(history: &History) -> Self {
        let mut logs = Self::default();
        for (id, operation) in history.operations() {
            for (partition, value, offset) in operation.sent() {
                logs.writers.insert(value, (id, partition));
                offset.into_iter().for_each(|offset| logs.note((partition, offset), value, id));
            }
        }
        for (id, partition, offset, value) in history.polled() {
            logs.note((partition, offset), value, id);
            logs.read.insert(value);
            if history.last_reader.is_none_or(|last| history.operation(id).process == last) {
                logs.there.insert(value);
                let up_to = logs.read_up_to.entry(partition).or_insert(offset);
                *up_to = offset.max(*up_to);
            }
        }
        logs
    }

    fn note(&mut self, place: Place, value: Value, by: OperationId) {
        self.at.entry(place).or_default().entry(value).or_insert(by);
        self.places.entry(value).or_default().insert(place);
    }

    /// The place of a value, where it is known.
    pub(crate) fn place(&self, value: Value) -> Option<Place> {
        self.places.get(&value)?.first().copied()
    }

    /// Whether readers must see a value: it was acknowledged, or somebody has seen it before.
    pub(crate) fn is_visible(&self, history: &History, value: Value) -> bool {
        let fate = self.writers.get(&value).map(|(writer, _)| history.operation(*writer).fate);
        match fate {
            Some(Fate::Done) => true,
            Some(Fate::Unknown) => self.read.contains(&value),
            Some(Fate::Failed) | None => false,
        }
    }

    /// Visible records between two offsets of a partition, which are not among them.
    pub(crate) fn between(
        &self,
        history: &History,
        partition: Partition,
        from: i64,
        to: i64,
    ) -> Vec<(i64, Value)> {
        let range = self.at.range((partition, from + 1)..(partition, to));
        let each = range.flat_map(|((_, offset), values)| values.keys().map(|value| (*offset, *value)));
        each.filter(|(_, value)| self.is_visible(history, *value)).collect()
    }

    /// The values of each partition that are there, in the order of the log.
    pub(crate) fn orders(&self) -> BTreeMap<Partition, Vec<Value>> {
        let mut orders: BTreeMap<Partition, Vec<Value>> = BTreeMap::new();
        for ((partition, _), values) in &self.at {
            let there = values.keys().filter(|value| self.there.contains(value));
            orders.entry(*partition).or_default().extend(there);
        }
        orders
    }
}

/// What each operation has read.
pub(crate) fn read_by(steps: &[Step]) -> impl Iterator<Item = (Partition, i64, Value)> {
    steps.iter().flat_map(|step| match step {
        Step::Poll { partition, records } => {
            records.iter().map(|(offset, value)| (*partition, *offset, *value)).collect()
        }
        _ => Vec::new(),
    })
}
