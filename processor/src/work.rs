//! A task's work without any way in or out: records and news of time come in by calls, records for topics are left to
//! be taken. The runtime and the test driver both do nothing but carry them.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use mainstem_client::{Record, Text, Timestamp, TopicPartition, clock::Clock};

use crate::{
    Meter, NodeError, Topology, caps,
    graph::{Graph, Shared, behind, times::Met},
    merge::{Merge, Room},
    record::Emitted,
    state::{Stores, Timer},
    topology::{Kind, Plan, plan},
    wall_clock::{WallTimer, WallTimers},
    watermark::{BEGINNING, Channel, TaskTime},
    window::millis,
};

/// A node that cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("node {node}: {error}")]
pub(crate) struct WorkError {
    pub(crate) node: Text,
    pub(crate) error: NodeError,
}

/// A task's nodes with their state and their time.
pub(crate) struct Work {
    graph: Graph,
    sources: Vec<SourceOf>,
    /// Whether records are taken one by one.
    is_stepwise: bool,
    /// Whether it tells other tasks how far its time has come.
    is_heard: bool,
    pub(crate) stores: Stores,
    /// Timers that go by the clock.
    pub(crate) wall: WallTimers,
    pub(crate) time: TaskTime,
    /// Records for topics.
    pub(crate) emitted: Vec<Emitted>,
    meter: Arc<dyn Meter>,
    buffer: BytesMut,
    order: u64,
    /// No timer of a node that is gone is in front of this.
    next_orphan: Timestamp,
    /// Vectors that are used again and again: the times of records, and the one that is worked off by itself.
    times: Vec<Timestamp>,
    one: Vec<Record>,
    /// Whether it pauses where much is emitted, so that it can be taken away.
    in_pieces: bool,
    paused: Option<Paused>,
}

/// Work that has paused while nodes were called for a partition.
struct Paused {
    partition: TopicPartition,
    /// Where the watermark was before, if it is to be looked how far it has risen when the nodes have come to their end.
    before: Option<Timestamp>,
}

/// The node that reads a topic.
struct SourceOf {
    topic: Text,
    node: usize,
    is_repartition: bool,
    /// Whether its records have the time at which they are worked through.
    goes_by_clock: bool,
    /// The largest time of the records that were merged, where there was one.
    merged: Option<Met>,
}

/// The partitions that a task reads: those of its number. What makes a global table reads all.
pub(crate) fn inputs(topology: &Topology, plan: &Plan, part: usize, task: i32) -> Vec<TopicPartition> {
    let part = &topology.parts()[part];
    let sources = plan::sources(topology, part);
    if part.is_global() {
        let count = |topic: &Text| plan.partitions.get(topic).copied().unwrap_or(0);
        let all = |(_, topic, _): (_, Text, _)| {
            (0..count(&topic)).map(move |number| TopicPartition::new(topic.clone(), number))
        };
        return sources.into_iter().flat_map(all).collect();
    }
    let has_it = |topic: &Text| plan.partitions.get(topic).is_some_and(|partitions| task < *partitions);
    let topics = sources.into_iter().map(|(_, topic, _)| topic).filter(has_it);
    topics.map(|topic| TopicPartition::new(topic, task)).collect()
}

fn channels(plan: &Plan, partition: TopicPartition) -> Vec<Channel> {
    match plan.writers.get(&partition.topic) {
        Some(writers) => {
            let of = |task| Channel { partition: partition.clone(), from: Some(task) };
            (0..*writers).map(of).collect()
        }
        None => vec![Channel { partition, from: None }],
    }
}

impl Work {
    pub(crate) fn new(
        topology: &Topology,
        plan: &Plan,
        part: usize,
        task: i32,
        stores: Stores,
        meter: Arc<dyn Meter>,
    ) -> Self {
        let members = &topology.parts()[part].nodes;
        let nodes = members.iter().map(|member| &topology.nodes()[*member]).enumerate();
        let sources = nodes.filter_map(|(index, node)| match &node.kind {
            Kind::Source { topic, is_repartition } => Some(SourceOf {
                topic: topic.clone(),
                node: index,
                is_repartition: *is_repartition,
                goes_by_clock: node.goes_by_clock,
                merged: None,
            }),
            _ => None,
        });
        let channels =
            inputs(topology, plan, part, task).into_iter().flat_map(|partition| channels(plan, partition));
        let mut time = TaskTime::restored(channels, stores.first());
        for node in members.iter().map(|member| &topology.nodes()[*member]) {
            if let Kind::Source { topic, .. } = &node.kind {
                time.allow_disorder(topic, node.disorder_ms);
                if node.goes_by_clock {
                    time.go_by_clock(topic);
                }
            }
        }
        Self {
            graph: topology.graph(&topology.parts()[part], plan, task),
            sources: sources.collect(),
            is_heard: writes_repartition_topics(topology, part),
            is_stepwise: topology.is_stepwise(&topology.parts()[part]),
            wall: WallTimers::default(),
            time,
            stores,
            emitted: Vec::new(),
            meter,
            buffer: BytesMut::new(),
            order: 0,
            next_orphan: BEGINNING,
            times: Vec::new(),
            one: Vec::new(),
            in_pieces: false,
            paused: None,
        }
    }

    /// Has it pause where much is emitted: [`Self::work_off`] then leaves records, and [`Self::go_on`] is to be called,
    /// each time when what is emitted is taken away, until there is no more to do. Nothing else may be called before.
    pub(crate) fn in_pieces(self) -> Self {
        Self { in_pieces: true, ..self }
    }

    /// Has timers go by a clock other than the machine's.
    pub(crate) fn by_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.wall = WallTimers::by(clock);
        self
    }

    /// Lets the nodes begin, before any record.
    pub(crate) fn start(&mut self) -> Result<(), WorkError> {
        self.call(&nowhere(), Graph::start)?;
        self.report();
        Ok(())
    }

    /// What merges the inputs of the task.
    pub(crate) fn merge(&self, inputs: impl IntoIterator<Item = TopicPartition>, room: Room) -> Merge {
        let by_clock = |input: &TopicPartition| {
            self.sources.iter().any(|source| source.goes_by_clock && source.topic == input.topic)
        };
        Merge::new(inputs, room).by_clock(by_clock)
    }

    /// What the clock says, which is asked only where an input goes by it.
    pub(crate) fn now(&self) -> Timestamp {
        if self.goes_by_clock() { self.wall.now() } else { BEGINNING }
    }

    fn goes_by_clock(&self) -> bool {
        self.sources.iter().any(|source| source.goes_by_clock)
    }

    /// As [`Self::work_off`].
    pub(crate) fn process(
        &mut self,
        partition: &TopicPartition,
        mut records: Vec<Record>,
    ) -> Result<(), WorkError> {
        self.work_off(partition, &mut records)
    }

    /// Works through records of a partition, and then through what the time that they bring leads to. An empty vector
    /// is left, for the next ones; what is in it has to wait ([`Self::in_pieces`]).
    pub(crate) fn work_off(
        &mut self,
        partition: &TopicPartition,
        records: &mut Vec<Record>,
    ) -> Result<(), WorkError> {
        if !self.is_stepwise {
            return self.process_batch(partition, records);
        }
        let (mut one, mut left) = (std::mem::take(&mut self.one), Vec::new());
        let (mut counted, mut bytes) = (0, 0);
        let mut rest = records.drain(..);
        while let Some(record) = rest.next() {
            one.push(record);
            self.process_batch(partition, &mut one)?;
            bytes += self.emitted[counted..].iter().map(Emitted::size).sum::<usize>();
            counted = self.emitted.len();
            if self.in_pieces && (self.paused.is_some() || is_much(counted, bytes)) {
                left.extend(rest.by_ref());
            }
        }
        drop(rest);
        records.append(&mut left);
        self.one = one;
        Ok(())
    }

    /// Goes on where it has paused, once what is emitted was taken away; says whether there was anything to do.
    pub(crate) fn go_on(&mut self) -> Result<bool, WorkError> {
        let Some(Paused { partition, before }) = self.paused.take() else { return Ok(false) };
        self.call(&partition, Graph::go_on)?;
        match (&mut self.paused, before) {
            (Some(paused), before) => paused.before = before,
            (None, Some(before)) => self.on_time(before, &partition)?,
            (None, None) => {}
        }
        self.report();
        Ok(true)
    }

    fn process_batch(
        &mut self,
        partition: &TopicPartition,
        records: &mut Vec<Record>,
    ) -> Result<(), WorkError> {
        let Some(source) = self.sources.iter().find(|source| source.topic == partition.topic) else {
            return Ok(());
        };
        let node = source.node;
        if !source.is_repartition {
            self.meter.took(records.len() as u64);
        }
        let before = self.time.watermark();
        if self.goes_by_clock() {
            self.time.look_at_clock(self.wall.now());
        }
        self.call(partition, |graph, shared| graph.records(node, records, shared))?;
        if let Some(paused) = &mut self.paused {
            paused.before = Some(before);
            return Ok(());
        }
        self.on_time(before, partition)
    }

    /// When the records of a partition happened, as the node says that reads them. What was said of records must be worked
    /// off, in their order, before any that are not said of.
    pub(crate) fn times(
        &mut self,
        partition: &TopicPartition,
        records: &[Record],
    ) -> Result<&[Timestamp], WorkError> {
        let mut times = std::mem::take(&mut self.times);
        times.clear();
        if let Some(source) = self.sources.iter().position(|source| source.topic == partition.topic) {
            let SourceOf { node, merged, .. } = self.sources[source];
            let mut met = merged.unwrap_or_else(|| self.time.met(self.time.channel(partition, None)));
            self.call(partition, |graph, _| graph.times(node, (partition, records), &mut met, &mut times))?;
            self.sources[source].merged = Some(met);
        }
        self.times = times;
        Ok(&self.times)
    }

    /// Notes that an input has ended.
    pub(crate) fn finish_input(&mut self, input: &TopicPartition) -> Result<(), WorkError> {
        let before = self.time.watermark();
        self.time.finish(input);
        self.on_time(before, input)
    }

    /// Notes that an input has nothing new for a while.
    pub(crate) fn idle_input(&mut self, input: &TopicPartition) -> Result<(), WorkError> {
        let before = self.time.watermark();
        self.time.idle(input, None);
        self.on_time(before, input)
    }

    /// Has time be so far behind the clock where all inputs are idle.
    pub(crate) fn rest_behind_clock(&mut self, behind: Duration) {
        self.time.rest_behind_clock(millis(behind));
    }

    /// Has time go on by the clock where all inputs are idle and that is wanted. Says whether there is something to commit:
    /// what that has led to, or that other tasks are to hear of it.
    pub(crate) fn rest(&mut self) -> Result<bool, WorkError> {
        if !self.time.rests_by_clock() {
            return Ok(false);
        }
        let before = self.time.watermark();
        let (written, uncommitted) = (self.emitted.len(), self.stores.uncommitted_bytes());
        self.time.rest(self.wall.now());
        self.on_time(before, &nowhere())?;
        let has_led_to_more = self.emitted.len() != written || self.stores.uncommitted_bytes() != uncommitted;
        Ok(has_led_to_more || (self.is_heard && self.time.watermark() > before))
    }

    /// Lets the nodes know that the watermark has risen, if it has.
    fn on_time(&mut self, before: Timestamp, partition: &TopicPartition) -> Result<(), WorkError> {
        let watermark = self.time.watermark();
        if watermark > before {
            self.call(partition, Graph::watermark)?;
            self.drop_orphans(watermark);
            self.meter.watermark(watermark);
        }
        self.report();
        Ok(())
    }

    /// Takes the timers out that would have gone off for nodes which are gone, where the topology has changed.
    fn drop_orphans(&mut self, watermark: Timestamp) {
        let nodes = &self.graph.nodes;
        let passed = behind(watermark, nodes.iter().map(|node| node.delay_ms).max().unwrap_or(0));
        if passed < self.next_orphan {
            return;
        }
        let (due, next) = self.stores.first().timers_until(self.next_orphan, passed);
        let is_orphan = |timer: &Timer| nodes.iter().all(|node| node.name != timer.node);
        for Timer { at, node, key } in due.into_iter().filter(is_orphan) {
            self.stores.first_mut().delete_timer(at, &node, &key);
        }
        self.next_orphan = next;
    }

    /// Lets the timers go off that the clock has reached; says whether there were any. Those that are set meanwhile wait
    /// for the next call, and so do those behind one that leads to a pause.
    pub(crate) fn on_wall_clock(&mut self) -> Result<bool, WorkError> {
        let due = self.wall.due();
        for timer in &due {
            // One that went off before may have taken it back.
            if self.wall.take(timer) {
                let WallTimer { node, key, .. } = timer;
                let alarm = (self.wall.now(), &key[..]);
                self.call(&nowhere(), |graph, shared| graph.wall_clock(node, alarm, shared))?;
            }
            if self.paused.is_some() {
                break;
            }
        }
        self.report();
        Ok(!due.is_empty())
    }

    /// Has the nodes put down what they hold, for a commit that is about to be made, and say in repartition topics how
    /// far time has come.
    pub(crate) fn prepare_commit(&mut self) -> Result<(), WorkError> {
        self.call(&nowhere(), Graph::commit)?;
        self.report();
        Ok(())
    }

    /// Tells the meter what went through the nodes.
    fn report(&mut self) {
        let (mut late, mut gave) = (0, 0);
        for node in &mut self.graph.nodes {
            let counts = std::mem::take(&mut node.counts);
            if counts != Default::default() {
                self.meter.node(&node.name, counts);
            }
            late += counts.late;
            gave += if node.is_output { counts.records_out } else { 0 };
        }
        if late > 0 {
            self.meter.dropped_late(late);
        }
        if gave > 0 {
            self.meter.gave(gave);
        }
    }

    /// Calls the nodes, to their end or the next pause.
    fn call(
        &mut self,
        partition: &TopicPartition,
        call: impl FnOnce(&mut Graph, &mut Shared<'_>) -> Result<(), NodeError>,
    ) -> Result<(), WorkError> {
        self.call_once(partition, call)?;
        while self.graph.is_paused() && !self.in_pieces {
            self.call_once(partition, Graph::go_on)?;
        }
        if self.graph.is_paused() {
            self.paused = Some(Paused { partition: partition.clone(), before: None });
        }
        Ok(())
    }

    fn call_once(
        &mut self,
        partition: &TopicPartition,
        call: impl FnOnce(&mut Graph, &mut Shared<'_>) -> Result<(), NodeError>,
    ) -> Result<(), WorkError> {
        let Self { graph, stores, wall, time, emitted, buffer, order, .. } = self;
        let mut shared = Shared { stores, wall, time, emitted, buffer, order, partition };
        // After a panic neither the nodes nor their stores are used again: the task ends.
        let called = catch_unwind(AssertUnwindSafe(|| call(graph, &mut shared)));
        let result = called.unwrap_or_else(|panic| Err(NodeError::Panic(message(panic.as_ref()))));
        // What could not be read was not there for the node: nothing that it made of that counts.
        let read = shared.stores.fault().map_or(Ok(()), |fault| Err(NodeError::Store(fault.clone())));
        read.and(result).map_err(|error| WorkError { node: graph.at_work().clone(), error })
    }
}

fn writes_repartition_topics(topology: &Topology, part: usize) -> bool {
    let mut kinds = topology.parts()[part].nodes.iter().map(|member| &topology.nodes()[*member].kind);
    kinds.any(|kind| matches!(kind, Kind::Sink { is_repartition: true, .. }))
}

/// Whether what is emitted should be taken away before there is more of it.
const fn is_much(records: usize, bytes: usize) -> bool {
    records >= caps::EMITTED_MAX || bytes >= caps::EMITTED_BYTES_MAX
}

/// Where records come from that no record has led to.
fn nowhere() -> TopicPartition {
    TopicPartition::new("", 0)
}

pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod allocation_tests;
#[cfg(test)]
mod merge_tests;
#[cfg(test)]
mod pieces_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod window_tests;
