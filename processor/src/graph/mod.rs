//! One sub-topology of one task at work: its nodes, in an order in which each comes behind those that give to it.
//!
//! A batch goes through node by node: each takes everything that its parents have left for it, works through it in one
//! call, and leaves the results for its children. What is left is a vector of the right type that changes hands, so
//! nothing is allocated per record or per batch once the vectors have grown.
//!
//! - [`operator`]: a node at work, around its logic; [`cx`]: what it works with; [`outlet`]: where it leaves records.
//! - `source` and `sink`: a pair: bytes become keys and values, keys and values become bytes; `times`: when records happened.
//! - `stateless`: filter, map and their like.
//! - `cells`: values of a store that are at hand; `aggregate` and `windowed`: what they are for; `late`: what becomes of
//!   records that come too late for their windows.
//! - `spans`: windows at hand whose bounds follow from their records; `rows`: what is passed on of them; `session` and
//!   `sliding`: what they are for.
//! - `counted`: windows by count; `suppress`: updates of tables that are held back.
//! - `join`: nodes that put together what two parents give.
//! - `table`: what becomes of the values of tables.
//! - `custom`: processors that users write against the low-level interface; `process`: those within typed streams.
//! - `timers`: those of either that go by the watermark.
//! - `repartition`: sinks of repartition topics; `mark`: records there that say how far time has come.

pub(crate) mod aggregate;
pub(crate) mod cells;
pub(crate) mod counted;
pub(crate) mod custom;
pub(crate) mod cx;
mod error;
pub(crate) mod join;
pub(crate) mod late;
pub(crate) mod mark;
pub(crate) mod operator;
pub(crate) mod outlet;
pub(crate) mod process;
pub(crate) mod repartition;
pub(crate) mod rows;
pub(crate) mod session;
pub(crate) mod sink;
pub(crate) mod sliding;
pub(crate) mod source;
pub(crate) mod spans;
pub(crate) mod stateless;
pub(crate) mod suppress;
pub(crate) mod table;
pub(crate) mod timers;
pub(crate) mod times;
pub(crate) mod windowed;

use bytes::BytesMut;
use mainstem_client::{Record, Text, Timestamp, TopicPartition};

use cx::Cx;
pub use error::{MalformedRecord, NodeError};
use operator::Operator;
use times::Met;

use crate::{
    NodeCounts,
    record::Emitted,
    state::Stores,
    wall_clock::WallTimers,
    watermark::{BEGINNING, END, TaskTime},
};

/// What all nodes of a task share.
pub(crate) struct Shared<'a> {
    pub(crate) stores: &'a mut Stores,
    /// Timers that go by the clock.
    pub(crate) wall: &'a mut WallTimers,
    pub(crate) time: &'a mut TaskTime,
    pub(crate) emitted: &'a mut Vec<Emitted>,
    pub(crate) buffer: &'a mut BytesMut,
    /// The number of the next record that the task sees.
    pub(crate) order: &'a mut u64,
    pub(crate) partition: &'a TopicPartition,
}

/// A node at work.
pub(crate) struct RunningNode {
    pub(crate) name: Text,
    pub(crate) operator: Box<dyn Operator>,
    pub(crate) wires: Vec<Wire>,
    /// Whether it has several parents, whose records it takes in the order of their coming.
    pub(crate) merges: bool,
    /// How far its watermark is behind that of the task: windows on the way here wait so long.
    pub(crate) delay_ms: i64,
    /// Whether it writes for others than this topology.
    pub(crate) is_output: bool,
    pub(crate) counts: NodeCounts,
}

/// Where the results of a node go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) port: usize,
    pub(crate) child: usize,
    /// Which of the child's parents the node is.
    pub(crate) inlet: usize,
    /// Whether no other wire takes from this port.
    pub(crate) is_last: bool,
}

/// What nodes are called for, besides their records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Start,
    Records,
    Watermark,
    Commit,
}

/// The nodes of a task.
pub(crate) struct Graph {
    pub(crate) nodes: Vec<RunningNode>,
    /// The node that is called, in case it panics.
    at_work: usize,
    /// The node that has more to give once what it has given so far is out of the way, and what it was called for.
    paused: Option<(usize, Signal)>,
}

impl Graph {
    pub(crate) const fn new(nodes: Vec<RunningNode>) -> Self {
        Self { nodes, at_work: 0, paused: None }
    }

    /// The node that was called last.
    pub(crate) fn at_work(&self) -> &Text {
        &self.nodes[self.at_work].name
    }

    /// Works through records of a source. The records are taken out; the vector can be used again.
    pub(crate) fn records(
        &mut self,
        source: usize,
        records: &mut Vec<Record>,
        shared: &mut Shared<'_>,
    ) -> Result<(), NodeError> {
        let input = self.nodes[source].operator.input(0);
        if let Some(input) = input.downcast_mut::<Vec<Record>>() {
            input.append(records);
        }
        self.pass(source, Signal::Records, shared)
    }

    /// When records of a source happened that are to be worked through later. Those that do not parse come right behind
    /// those in front of them.
    pub(crate) fn times(
        &mut self,
        source: usize,
        (partition, records): (&TopicPartition, &[Record]),
        met: &mut Met,
        times: &mut Vec<Timestamp>,
    ) -> Result<(), NodeError> {
        self.at_work = source;
        let operator = &mut self.nodes[source].operator;
        for record in records {
            let time = operator.look_ahead(record, partition, *met)?;
            let time = time.unwrap_or(met.partition_time).min(LAST);
            met.partition_time = met.partition_time.max(time);
            times.push(time);
        }
        Ok(())
    }

    /// Lets all nodes begin.
    pub(crate) fn start(&mut self, shared: &mut Shared<'_>) -> Result<(), NodeError> {
        self.pass(0, Signal::Start, shared)
    }

    /// Lets all nodes know that the watermark has risen.
    pub(crate) fn watermark(&mut self, shared: &mut Shared<'_>) -> Result<(), NodeError> {
        self.pass(0, Signal::Watermark, shared)
    }

    /// Lets all nodes put down what they hold.
    pub(crate) fn commit(&mut self, shared: &mut Shared<'_>) -> Result<(), NodeError> {
        self.pass(0, Signal::Commit, shared)
    }

    /// Lets a timer go off that goes by the clock.
    pub(crate) fn wall_clock(
        &mut self,
        node: &str,
        alarm: (Timestamp, &[u8]),
        shared: &mut Shared<'_>,
    ) -> Result<(), NodeError> {
        let Some(index) = self.nodes.iter().position(|known| known.name == node) else { return Ok(()) };
        self.at_work = index;
        self.nodes[index].call(shared, |operator, cx| operator.wall_clock(alarm, cx))?;
        self.hand_on(index);
        self.pass(index + 1, Signal::Records, shared)
    }

    /// Whether a node has more to give, of what it was called for last. Nothing else is to be done before
    /// [`Self::go_on`] has led to the end of that.
    pub(crate) const fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Goes on where a node has paused: to its next pause, or to the end.
    pub(crate) fn go_on(&mut self, shared: &mut Shared<'_>) -> Result<(), NodeError> {
        self.paused.take().map_or(Ok(()), |(node, signal)| self.pass(node, signal, shared))
    }

    /// Through the nodes from one of them on. Where a node pauses, those behind it get what it has given so far, and
    /// nothing else: they hear of time and commits when it has come to its end.
    fn pass(&mut self, first: usize, signal: Signal, shared: &mut Shared<'_>) -> Result<(), NodeError> {
        for index in first..self.nodes.len() {
            self.at_work = index;
            let node = &mut self.nodes[index];
            let pending = node.operator.pending();
            let has_work = pending > 0 || node.operator.goes_on();
            if !has_work && signal == Signal::Records {
                continue;
            }
            if has_work {
                node.run(pending, shared)?;
            }
            if node.operator.goes_on() {
                self.hand_on(index);
                self.pass(index + 1, Signal::Records, shared)?;
                self.paused = Some((index, signal));
                return Ok(());
            }
            match signal {
                Signal::Start => node.call(shared, |operator, cx| operator.start(cx))?,
                Signal::Records => {}
                Signal::Watermark => node.call(shared, |operator, cx| operator.watermark(cx))?,
                Signal::Commit => node.call(shared, |operator, cx| operator.commit(cx))?,
            }
            self.hand_on(index);
        }
        Ok(())
    }

    /// Gives what a node has left to its children.
    fn hand_on(&mut self, index: usize) {
        let (done, children) = self.nodes.split_at_mut(index + 1);
        let Some(node) = done.last_mut() else { return };
        for wire in &node.wires {
            node.counts.records_out += node.operator.produced(wire.port) as u64;
            let child = &mut children[wire.child - index - 1];
            node.operator.give(wire.port, child.operator.input(wire.inlet), wire.is_last);
        }
        node.operator.clear();
    }
}

impl RunningNode {
    fn run(&mut self, pending: usize, shared: &mut Shared<'_>) -> Result<(), NodeError> {
        self.counts.records_in += pending as u64;
        if self.merges {
            self.operator.arrange();
        }
        self.call(shared, |operator, cx| operator.run(cx))
    }

    fn call(
        &mut self,
        shared: &mut Shared<'_>,
        call: impl FnOnce(&mut dyn Operator, &mut Cx<'_>) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        let Self { name, operator, delay_ms, counts, .. } = self;
        let mut cx = Cx {
            node: name,
            watermark: behind(shared.time.watermark(), *delay_ms),
            delay_ms: *delay_ms,
            stores: shared.stores,
            wall: shared.wall,
            time: shared.time,
            emitted: shared.emitted,
            buffer: shared.buffer,
            order: shared.order,
            partition: shared.partition,
            counts,
        };
        call(operator.as_mut(), &mut cx)
    }
}

/// The latest time that a record may bring: the end of time says that the input has ended, and no record says that.
pub(crate) const LAST: Timestamp = Timestamp(END.0 - 1);

/// A watermark as it is behind something that waits; before all records and behind all of them nothing does.
pub(crate) const fn behind(watermark: Timestamp, delay_ms: i64) -> Timestamp {
    if watermark.0 == BEGINNING.0 || watermark.0 == END.0 {
        watermark
    } else {
        Timestamp(watermark.0.saturating_sub(delay_ms))
    }
}
