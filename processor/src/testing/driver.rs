//! Runs a topology within the calls of a test.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use mainstem_client::{Offset, PartitionId, Text, TopicPartition};

use super::{Encode, TestClock, TestRecord, topics::Topics};
use crate::{
    Counters, NodeCounts, OutputRecord, Topology, Windowed, caps,
    graph::{spans, windowed},
    merge::{Merge, Room},
    record::Emitted,
    serdes::{Serde, SerdeError},
    state::{Globals, Stores, with_time},
    topology::{Layout, Plan, PlanError},
    work::{self, Work, WorkError},
};

/// What a test has done wrong, or what its topology did.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TestError {
    /// The topology does not fit the partitions that were asked for.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A node cannot go on; the driver should not be used any further.
    #[error("node {node}: {error}")]
    Node {
        /// The node.
        node: Text,
        /// What is wrong.
        error: crate::NodeError,
    },
    /// A key or value of the test has no bytes, or those that came out are something else.
    #[error(transparent)]
    Serde(#[from] SerdeError),
    /// Nobody reads that topic, or it has no such partition.
    #[error("no source reads {topic} partition {partition}; the topology reads {inputs}")]
    NotRead {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What it reads.
        inputs: String,
    },
    /// There is no such store.
    #[error("there is no store {store}; there are {known}")]
    NoStore {
        /// The name.
        store: String,
        /// The names that there are.
        known: String,
    },
    /// What the topology writes leads to further records without an end.
    #[error("the topology gives itself work without an end: does it read a topic that it writes?")]
    Endless,
}

impl From<WorkError> for TestError {
    fn from(error: WorkError) -> Self {
        let WorkError { node, error } = error;
        Self::Node { node, error }
    }
}

/// Runs a topology within the calls of a test: what goes in is worked through to the last consequence before the call
/// returns, through repartition topics and all tasks, and committed. Nothing depends on a clock or on chance: the same
/// calls lead to the same records.
///
/// Topics have one partition unless [`Self::with_partitions`] says otherwise; repartition topics have as many as the
/// runtime would give them. Time comes from the records; [`Self::advance`] moves the clock on, which makes inputs idle
/// and lets timers by the clock go off, and [`Self::finish`] ends the input.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{StreamBuilder, TestDriver, TestRecord};
///
/// let builder = StreamBuilder::new("count-by-value");
/// builder.stream::<(), Text>("in").group_by(|_, value| value.clone()).count("counts").to("out");
/// let topology = builder.build()?;
///
/// // Two partitions lead to two tasks that read, and two that count.
/// let mut driver = TestDriver::with_partitions(&topology, &[("in", 2)])?;
/// driver.pipe_record("in", &TestRecord::new((), "a", 10).partition(0))?;
/// driver.pipe_record("in", &TestRecord::new((), "a", 20).partition(1))?;
///
/// let changes = driver.read::<String, i64>("out")?;
/// let counts: Vec<i64> = changes.iter().map(|change| change.value).collect();
/// assert_eq!(counts, [1, 2]);
/// assert_eq!(driver.store::<String, i64>("counts")?, [("a".to_owned(), 2)]);
/// assert_eq!(driver.counts("counts").records_in, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TestDriver {
    topology: Topology,
    tasks: Vec<Task>,
    topics: Topics,
    globals: Globals,
    counters: Arc<Counters>,
    now: Duration,
    clock: TestClock,
    idle_after: Duration,
}

struct Task {
    work: Work,
    merge: Merge,
    inputs: Vec<Read>,
}

/// A partition that a task reads.
struct Read {
    partition: TopicPartition,
    offset: usize,
    heard: Duration,
    is_repartition: bool,
}

impl std::fmt::Debug for TestDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestDriver").field("topology", &self.topology).finish_non_exhaustive()
    }
}

impl TestDriver {
    /// Runs a topology whose topics have one partition each. Its tasks begin at once: [`crate::Processor::on_start`] has
    /// been called when this returns, and what that has written can be read.
    ///
    /// # Errors
    /// Where it does not fit them.
    pub fn new(topology: &Topology) -> Result<Self, TestError> {
        Self::with_partitions(topology, &[])
    }

    /// Runs a topology; these topics have so many partitions, and all others one. As with [`Self::new`] its tasks begin at
    /// once, each with [`crate::Processor::on_start`].
    ///
    /// # Errors
    /// Where it does not fit them, as where they are not co-partitioned.
    pub fn with_partitions(topology: &Topology, partitions: &[(&str, i32)]) -> Result<Self, TestError> {
        let mut topics = Topics::default();
        for (topic, partitions) in partitions {
            topics.create(&Text::from(*topic), *partitions);
        }
        let inputs = topology.input_topics();
        let count = |topic: &Text| topics.partitions(topic).map_or(1, |count| count as i32);
        let plan = Plan::new(topology, inputs.iter().map(|topic| (topic.clone(), count(topic))).collect())?;
        for (topic, partitions) in &plan.partitions {
            topics.create(topic, *partitions);
        }
        let counters = Arc::new(Counters::default());
        let globals = topology.globals();
        let clock = TestClock::default();
        let tasks = tasks(topology, &plan, &counters, &globals, &clock);
        let (topology, now, idle_after) = (topology.clone(), Duration::ZERO, caps::IDLE_AFTER);
        let mut driver = Self { topology, tasks, topics, globals, counters, now, clock, idle_after };
        driver.start()?;
        Ok(driver)
    }

    /// Lets all tasks begin. Those that have nothing to write are left as they are.
    fn start(&mut self) -> Result<(), TestError> {
        self.tasks.iter_mut().try_for_each(|task| task.work.start())?;
        if self.tasks.iter().any(|task| !task.work.emitted.is_empty()) {
            self.run()?;
        }
        Ok(())
    }

    /// Puts a record into a topic, in the partition of its key (the first one where it has none), and has all its
    /// consequences come about. `timestamp` is in milliseconds since 1970.
    ///
    /// # Errors
    /// Where nobody reads the topic, or a node cannot go on.
    pub fn pipe(
        &mut self,
        topic: &str,
        key: impl Encode,
        value: impl Encode,
        timestamp: i64,
    ) -> Result<(), TestError> {
        self.put(topic, None, &key, &value, timestamp, Default::default())?;
        self.run()
    }

    /// As [`Self::pipe`], with all that a record may have.
    ///
    /// # Errors
    /// As [`Self::pipe`].
    pub fn pipe_record<K: Encode, V: Encode>(
        &mut self,
        topic: &str,
        record: &TestRecord<K, V>,
    ) -> Result<(), TestError> {
        self.pipe_batch(topic, std::slice::from_ref(record))
    }

    /// As [`Self::pipe_record`], with several records that a task gets as one batch.
    ///
    /// # Errors
    /// As [`Self::pipe`].
    pub fn pipe_batch<K: Encode, V: Encode>(
        &mut self,
        topic: &str,
        records: &[TestRecord<K, V>],
    ) -> Result<(), TestError> {
        for record in records {
            let TestRecord { key, value, timestamp, partition, headers } = record;
            self.put(topic, *partition, key, value, timestamp.0, headers.clone())?;
        }
        self.run()
    }

    fn put(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        key: &impl Encode,
        value: &impl Encode,
        timestamp: i64,
        headers: mainstem_client::Headers,
    ) -> Result<(), TestError> {
        let partitions = self.topics.partitions(topic).unwrap_or(0);
        let is_read = self.topology.input_topics().iter().any(|known| known == topic);
        let is_there = partition.is_none_or(|id| usize::try_from(id).is_ok_and(|id| id < partitions));
        if !is_read || !is_there {
            let inputs = self.topology.input_topics().join(", ");
            let partition = partition.unwrap_or(0);
            return Err(TestError::NotRead { topic: topic.to_owned(), partition, inputs });
        }
        let (key, value) = (key.to_bytes()?, value.to_bytes()?);
        let record = OutputRecord { key, value, timestamp: timestamp.into(), headers };
        let partition = partition.map(PartitionId);
        self.topics.write(Emitted { topic: Text::from(topic), partition, record });
        Ok(())
    }

    /// Has the time of tasks whose inputs are all idle be so far behind the clock, as
    /// [`crate::Settings::clock_when_idle`] does.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver, TimeWindows, Windowed};
    ///
    /// let builder = StreamBuilder::new("per-minute");
    /// let minutes = TimeWindows::tumbling(Duration::from_secs(60));
    /// let clicks = builder.stream::<Text, Text>("clicks").group_by_key().windowed_by(minutes);
    /// clicks.on_close().count("counts").to("per-minute");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.clock_when_idle(Duration::from_secs(5));
    /// driver.pipe("clicks", "anna", "/", 30_000)?;
    /// driver.advance(Duration::from_secs(64))?;
    /// assert_eq!(driver.read::<Windowed<Text>, i64>("per-minute")?, []);
    /// driver.advance(Duration::from_secs(1))?;
    /// assert_eq!(driver.read::<Windowed<Text>, i64>("per-minute")?[0].value, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clock_when_idle(&mut self, behind: Duration) {
        self.tasks.iter_mut().for_each(|task| task.work.rest_behind_clock(behind));
    }

    /// Moves the clock on, which begins with 1970. A partition without anything new for ten seconds is idle: the time of
    /// the others does not wait for its. Timers by the clock ([`crate::Context::schedule_wall_clock`]) go off that are
    /// due then, each once.
    ///
    /// # Errors
    /// Where a node cannot go on.
    pub fn advance(&mut self, by: Duration) -> Result<(), TestError> {
        self.now += by;
        self.clock.set(self.now);
        for task in &mut self.tasks {
            for read in &task.inputs {
                if !read.is_repartition && self.now - read.heard >= self.idle_after {
                    task.work.idle_input(&read.partition)?;
                }
            }
            task.work.on_wall_clock()?;
            task.work.rest()?;
        }
        self.run()
    }

    /// Ends the input: the watermark rises to the end of time, and all windows close.
    ///
    /// # Errors
    /// Where a node cannot go on.
    pub fn finish(&mut self) -> Result<(), TestError> {
        for task in &mut self.tasks {
            for read in task.inputs.iter().filter(|read| !read.is_repartition) {
                task.work.finish_input(&read.partition)?;
            }
        }
        self.run()
    }

    /// Puts a record into a topic and leaves it there.
    #[cfg(test)]
    pub(crate) fn put_only<K: Encode, V: Encode>(
        &mut self,
        topic: &str,
        record: &TestRecord<K, V>,
    ) -> Result<(), TestError> {
        let TestRecord { key, value, timestamp, partition, headers } = record;
        self.put(topic, *partition, key, value, timestamp.0, headers.clone())
    }

    /// Has one task, whose number is taken modulo theirs, work through what there is for it.
    #[cfg(test)]
    pub(crate) fn run_task(&mut self, task: usize) -> Result<(), TestError> {
        let task = task % self.tasks.len();
        self.turn(task).map(|_| ())
    }

    /// Says whether the task had nothing to read and nothing to write.
    fn turn(&mut self, task: usize) -> Result<bool, TestError> {
        let task = &mut self.tasks[task];
        let has_read = task.run(&self.topics, self.now)?;
        let emitted = std::mem::take(&mut task.work.emitted);
        let is_quiet = !has_read && emitted.is_empty();
        emitted.into_iter().for_each(|emitted| self.topics.write(emitted));
        Ok(is_quiet)
    }

    /// Round after round through all tasks, until none has anything to read.
    pub(crate) fn run(&mut self) -> Result<(), TestError> {
        for _ in 0..caps::TEST_ROUNDS_MAX {
            let mut is_quiet = true;
            for task in 0..self.tasks.len() {
                is_quiet &= self.turn(task)?;
            }
            if is_quiet {
                return Ok(());
            }
        }
        Err(TestError::Endless)
    }

    /// What was written to a topic since it was last read, in the order of writing.
    ///
    /// # Errors
    /// Where keys or values are something else.
    pub fn read<K: Serde, V: Serde>(&mut self, topic: &str) -> Result<Vec<TestRecord<K, V>>, TestError> {
        let records = self.topics.read(topic);
        let decoded = records.iter().map(|(partition, record)| TestRecord::decoded(*partition, record));
        Ok(decoded.collect::<Result<_, _>>()?)
    }

    /// What was written to a topic since it was last read, as a table: the last value of each key.
    ///
    /// # Errors
    /// Where keys or values are something else.
    pub fn read_table<K: Serde + Ord, V: Serde>(&mut self, topic: &str) -> Result<BTreeMap<K, V>, TestError> {
        let records = self.read::<K, V>(topic)?.into_iter();
        Ok(records.map(|record| (record.key, record.value)).collect())
    }

    /// What a store of a [`crate::Grouped`] holds, in all tasks, in the order of their keys' bytes.
    ///
    /// # Errors
    /// Where there is no such store, or it holds something else.
    pub fn store<K: Serde, V: Serde>(&self, store: &str) -> Result<Vec<(K, V)>, TestError> {
        let entry = |(key, value): &(Bytes, Bytes)| Ok((K::decode(Some(key))?, with_time(value)?.0));
        self.raw_store(store)?.iter().map(entry).collect()
    }

    /// What a store of a [`crate::WindowedStream`] or [`crate::SessionStream`] holds, in all tasks, in the order of
    /// windows and then of the keys' bytes; sliding windows and sessions stand key by key.
    ///
    /// # Errors
    /// Where there is no such store, or it holds something else.
    pub fn window_store<K: Serde, V: Serde>(&self, store: &str) -> Result<Vec<(Windowed<K>, V)>, TestError> {
        let node = self.topology.nodes().iter().find(|node| node.name == store);
        let windows = node.and_then(|node| node.windows).ok_or_else(|| self.no_store(store))?;
        let raw = self.raw_store(store)?;
        match windows.layout {
            Layout::ByMark(windows) => {
                let entry = |(key, value): &(Bytes, Bytes)| {
                    Ok((windowed::windowed_key(&windows, key)?, with_time(value)?.0))
                };
                raw.iter().map(entry).collect()
            }
            Layout::ByKey => {
                let held = raw.iter().filter_map(|(key, value)| spans::held(key, value).transpose());
                Ok(held.collect::<Result<_, _>>()?)
            }
        }
    }

    /// The bytes that a store holds, in all tasks, in the order of their keys.
    ///
    /// # Errors
    /// Where there is no such store.
    pub fn raw_store(&self, store: &str) -> Result<Vec<(Bytes, Bytes)>, TestError> {
        if let Some(entries) = self.globals.entries(store) {
            return Ok(entries);
        }
        let is_declared =
            self.topology.nodes().iter().any(|node| node.stores.iter().any(|name| name == store));
        if !is_declared {
            return Err(self.no_store(store));
        }
        let stores = self.tasks.iter().filter_map(|task| task.work.stores.get(store));
        let mut entries: Vec<_> = stores.flat_map(|store| store.range_from(b"")).collect();
        entries.sort();
        Ok(entries)
    }

    fn no_store(&self, store: &str) -> TestError {
        let known: Vec<_> = self.topology.nodes().iter().flat_map(|node| node.stores.clone()).collect();
        TestError::NoStore { store: store.to_owned(), known: known.join(", ") }
    }

    /// What went through a node so far.
    #[must_use]
    pub fn counts(&self, node: &str) -> NodeCounts {
        self.counters.of(node)
    }
}

/// Those that make global tables go first.
fn tasks(
    topology: &Topology,
    plan: &Plan,
    counters: &Arc<Counters>,
    globals: &Globals,
    clock: &TestClock,
) -> Vec<Task> {
    let mut tasks = Vec::new();
    let parts = topology.parts().iter().enumerate();
    let (global, others): (Vec<_>, Vec<_>) = parts.partition(|(_, part)| part.is_global());
    for (number_of_part, part) in global.into_iter().chain(others) {
        let count = if part.is_global() { 1 } else { plan.tasks[number_of_part] };
        for number in 0..count {
            let stores = Stores::new(part.stores.iter().cloned()).with_globals(globals.clone());
            let part = number_of_part;
            let work = Work::new(topology, plan, part, number, stores, Arc::clone(counters) as _)
                .by_clock(Arc::new(clock.clone()));
            let read = |partition: TopicPartition| Read {
                is_repartition: plan.writers.contains_key(&partition.topic),
                partition,
                offset: 0,
                heard: Duration::ZERO,
            };
            let inputs = work::inputs(topology, plan, part, number);
            let merge = work.merge(inputs.iter().cloned(), Room { records: usize::MAX, bytes: usize::MAX });
            tasks.push(Task { work, merge, inputs: inputs.into_iter().map(read).collect() });
        }
    }
    tasks
}

impl Task {
    /// Works through whatever there is, in the order of time, and commits; says whether there was anything.
    fn run(&mut self, topics: &Topics, now: Duration) -> Result<bool, TestError> {
        let mut has_read = false;
        for read in &mut self.inputs {
            let records = topics.from(&read.partition, read.offset);
            if !records.is_empty() {
                has_read = true;
                read.offset += records.len();
                read.heard = now;
                let times = self.work.times(&read.partition, &records)?.iter().copied();
                self.merge.put(&read.partition, times.zip(records), Offset(read.offset as i64));
            }
        }
        let mut run = Vec::new();
        while let Some(queue) = self.merge.take(caps::BATCH_RECORDS, &mut run, self.work.now()) {
            self.work.work_off(&self.merge.queues()[queue].partition, &mut run)?;
        }
        self.work.prepare_commit()?;
        self.work.stores.apply();
        Ok(has_read)
    }
}
