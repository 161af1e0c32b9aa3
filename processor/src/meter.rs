//! What a processor reports of itself while it runs.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mainstem_client::{Text, Timestamp};

/// What went through a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounts {
    /// Records that came to it.
    pub records_in: u64,
    /// Records that it passed on, or wrote to a topic.
    pub records_out: u64,
    /// Records that came too late: one for each window that was closed already, as Kafka Streams counts.
    pub late: u64,
    /// Records that did not parse and were skipped or given to the dead-letter topic, or that had no key where one is
    /// needed.
    pub errors: u64,
}

impl NodeCounts {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            records_in: self.records_in + other.records_in,
            records_out: self.records_out + other.records_out,
            late: self.late + other.late,
            errors: self.errors + other.errors,
        }
    }
}

/// Counts what goes through a processor. Called a few times per batch, never per record.
pub trait Meter: Send + Sync + fmt::Debug + 'static {
    /// Records were taken from the inputs; those of repartition topics are not counted again.
    fn took(&self, _records: u64) {}

    /// Records were given to the outputs; those for repartition topics are not counted.
    fn gave(&self, _records: u64) {}

    /// Outputs, state and positions were committed.
    fn committed(&self) {}

    /// Records came after their window was closed, and were dropped.
    fn dropped_late(&self, _records: u64) {}

    /// The watermark of a task has risen; [`i64::MAX`] says that its input has ended.
    fn watermark(&self, _at: Timestamp) {}

    /// So many records of a store's changelog were taken over before its task works, and about so many are left.
    fn restored(&self, _store: &Text, _records: u64, _left: u64) {}

    /// This went through a node since the last time.
    fn node(&self, _name: &Text, _counts: NodeCounts) {}
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMeter;

impl Meter for NoMeter {}

/// Tells several meters the same.
#[derive(Clone, Debug, Default)]
pub struct Meters(pub Vec<Arc<dyn Meter>>);

impl Meter for Meters {
    fn took(&self, records: u64) {
        self.0.iter().for_each(|meter| meter.took(records));
    }

    fn gave(&self, records: u64) {
        self.0.iter().for_each(|meter| meter.gave(records));
    }

    fn committed(&self) {
        self.0.iter().for_each(|meter| meter.committed());
    }

    fn dropped_late(&self, records: u64) {
        self.0.iter().for_each(|meter| meter.dropped_late(records));
    }

    fn watermark(&self, at: Timestamp) {
        self.0.iter().for_each(|meter| meter.watermark(at));
    }

    fn restored(&self, store: &Text, records: u64, left: u64) {
        self.0.iter().for_each(|meter| meter.restored(store, records, left));
    }

    fn node(&self, name: &Text, counts: NodeCounts) {
        self.0.iter().for_each(|meter| meter.node(name, counts));
    }
}

/// Adds everything up in memory, node by node.
#[derive(Debug, Default)]
pub struct Counters {
    nodes: Mutex<BTreeMap<Text, NodeCounts>>,
}

impl Counters {
    /// What went through a node so far, in all tasks; nothing where there is no such node.
    #[must_use]
    pub fn of(&self, node: &str) -> NodeCounts {
        self.nodes().get(node).copied().unwrap_or_default()
    }

    /// Every node that has seen anything.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Text, NodeCounts> {
        self.nodes().clone()
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<Text, NodeCounts>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meter for Counters {
    fn node(&self, name: &Text, counts: NodeCounts) {
        let mut nodes = self.nodes();
        match nodes.get_mut(name) {
            Some(known) => *known = known.plus(counts),
            None => drop(nodes.insert(name.clone(), counts)),
        }
    }
}
