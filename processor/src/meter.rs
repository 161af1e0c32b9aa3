//! What a processor reports of itself while it runs.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainstem_client::{Offset, Text, Timestamp, TopicPartition};

use crate::TaskState;

/// What went through a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounts {
    /// Records that came to it.
    pub records_in: u64,
    /// Records that it passed on, or wrote to a topic.
    pub records_out: u64,
    /// Records that came too late: one for each window that was closed already, as Kafka Streams counts.
    pub late: u64,
    /// Records that did not parse, or had no time that is taken, and were skipped or given to the dead-letter topic, or that
    /// had no key or no value where one is needed.
    pub errors: u64,
    /// Of these, those that did not parse and were skipped ([`crate::BadRecords::Skip`]).
    pub skipped: u64,
    /// Of these, those without a time that is taken, which were skipped ([`crate::BadTimes::Skip`]).
    pub bad_times: u64,
    /// Of these, those that went to the dead-letter topic ([`crate::BadRecords::DeadLetter`]).
    pub dead_lettered: u64,
    /// Of these, those whose value was null where a join needs one.
    pub valueless: u64,
    /// How far the records of a source were behind the largest time that its task had seen, in milliseconds: all together.
    pub lateness_ms: u64,
    /// The same: the one furthest behind.
    pub lateness_ms_max: u64,
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
            skipped: self.skipped + other.skipped,
            bad_times: self.bad_times + other.bad_times,
            dead_lettered: self.dead_lettered + other.dead_lettered,
            valueless: self.valueless + other.valueless,
            lateness_ms: self.lateness_ms.saturating_add(other.lateness_ms),
            lateness_ms_max: if self.lateness_ms_max > other.lateness_ms_max {
                self.lateness_ms_max
            } else {
                other.lateness_ms_max
            },
        }
    }

    /// Those that had no key where one is needed.
    #[must_use]
    pub const fn keyless(self) -> u64 {
        self.errors - self.skipped - self.bad_times - self.dead_lettered - self.valueless
    }

    /// Counts a record that is left out for having no value.
    pub(crate) const fn leave_out_valueless(&mut self) {
        self.errors += 1;
        self.valueless += 1;
    }

    pub(crate) fn see_lateness(&mut self, ms: u64) {
        self.lateness_ms = self.lateness_ms.saturating_add(ms);
        self.lateness_ms_max = self.lateness_ms_max.max(ms);
    }
}

/// A task of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The number of its sub-topology.
    pub part: usize,
    /// The number of the partition that it reads.
    pub number: i32,
}

impl fmt::Display for TaskId {
    /// As Kafka Streams numbers them: sub-topology and partition.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.part, self.number)
    }
}

/// How a task stands after a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskReport {
    /// How long the commit took, from the first of its outputs to the last offset.
    pub commit_latency: Duration,
    /// How far time has come; [`i64::MAX`] where the input has ended.
    pub watermark: Timestamp,
    /// Records of its inputs that wait behind what is committed.
    pub input_lag: u64,
    /// Its stores.
    pub stores: Vec<StoreSize>,
}

/// An input of a task that goes no further because a transaction is open there, and only committed records are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldInput {
    /// The input.
    pub input: TopicPartition,
    /// Where the transaction begins.
    pub at: Offset,
    /// Offsets from there to the end of the partition: those of the transaction, and all that came behind its first one.
    pub records: u64,
    /// How long it has been so.
    pub held_for: Duration,
    /// The transactional id whose transaction it is, once that is known.
    pub by: Option<Text>,
}

/// How large a store of a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSize {
    /// Its name.
    pub store: Text,
    /// Entries, those of the runtime among them; on disk about so many.
    pub entries: u64,
    /// Bytes of keys and values in memory, or of files on disk.
    pub bytes: u64,
}

/// What has come in and waits to be worked through, since the inputs of a task are merged in the order of their times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffered {
    /// Records.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
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
    fn restored(&self, _task: TaskId, _store: &Text, _records: u64, _left: u64) {}

    /// A task has committed, and stands like this.
    fn task_committed(&self, _task: TaskId, _report: &TaskReport) {}

    /// So much waits in front of a task that runs. Told where it is something else than before; of a task that does not
    /// run nothing waits.
    fn buffered(&self, _task: TaskId, _buffered: Buffered) {}

    /// A task does something else now.
    fn task_state(&self, _task: TaskId, _state: &TaskState) {}

    /// Open transactions hold back these inputs of a task. Told again and again while there are any, and once without any
    /// when it is over.
    fn held_back(&self, _task: TaskId, _inputs: &[HeldInput]) {}

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

    fn restored(&self, task: TaskId, store: &Text, records: u64, left: u64) {
        self.0.iter().for_each(|meter| meter.restored(task, store, records, left));
    }

    fn task_committed(&self, task: TaskId, report: &TaskReport) {
        self.0.iter().for_each(|meter| meter.task_committed(task, report));
    }

    fn buffered(&self, task: TaskId, buffered: Buffered) {
        self.0.iter().for_each(|meter| meter.buffered(task, buffered));
    }

    fn task_state(&self, task: TaskId, state: &TaskState) {
        self.0.iter().for_each(|meter| meter.task_state(task, state));
    }

    fn held_back(&self, task: TaskId, inputs: &[HeldInput]) {
        self.0.iter().for_each(|meter| meter.held_back(task, inputs));
    }

    fn node(&self, name: &Text, counts: NodeCounts) {
        self.0.iter().for_each(|meter| meter.node(name, counts));
    }
}

/// Tells another meter what goes through nodes, and nothing else: a global table is no input of its processor, and its
/// time not that of the tasks.
#[derive(Clone, Debug)]
pub(crate) struct OfNodes(pub(crate) Arc<dyn Meter>);

impl Meter for OfNodes {
    fn node(&self, name: &Text, counts: NodeCounts) {
        self.0.node(name, counts);
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
