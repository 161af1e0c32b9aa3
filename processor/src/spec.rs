//! How a topology is run; and the short form of a topology that is one processor.

use std::{collections::HashMap, fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use mainstem_client::{
    Offset, Record, Text, Timestamp, TopicPartition,
    clock::{Clock, SystemClock},
    consumer::IsolationLevel,
};

use crate::{
    Kept, Meter, NoMeter, Processor, SourceSpec, StateDirectory, StoreSpec, Topology, TopologyBuilder,
    TopologyError, caps,
};

/// Where the input ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InputEnd {
    /// Nowhere.
    #[default]
    Unbounded,
    /// In front of these offsets. Partitions that are not named are taken to be empty. Once a task has read up to
    /// there, its watermark rises to the end of time, and it is finished. A later run goes on from there: it works
    /// through what is new, as if time had stopped at the last record; windows that the end has closed stay closed, and
    /// what comes for them is late.
    At(HashMap<TopicPartition, Offset>),
}

/// What follows when a task has failed with an error that another attempt would most likely meet again: a node refused a
/// record or panicked, state is damaged or lost, a request was refused for good. What was not committed is dropped in any
/// case. Errors that pass, such as a broker that is away, are not asked about: the task tries again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The task ends, and the others go on: its partitions are not worked through until the processor is started again.
    #[default]
    EndTask,
    /// All tasks of the processor commit what they have done, and end (Kafka Streams: `SHUTDOWN_CLIENT`, its default).
    StopProcessor,
    /// The task tries again, as it does after errors that pass: at first after 100 ms, then after twice as long each time,
    /// up to 10 s, until it succeeds or is stopped (Kafka Streams: `REPLACE_THREAD`). New instances of its nodes work
    /// then.
    TryAgain,
}

/// How a topology is run.
///
/// ```
/// use std::time::Duration;
/// use mainstem_processor::Settings;
///
/// let settings = Settings { commit_interval: Duration::from_millis(50), ..Settings::default() };
/// assert_eq!(settings.uncommitted_bytes_max, 512 * 1024);
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the input ends; nowhere, unless said otherwise.
    pub input_end: InputEnd,
    /// Which records of transactions are read, of inputs and of global tables (`isolation.level`): unless said otherwise
    /// those that were committed, so that an input goes no further than to the first transaction that is open. Kafka
    /// Streams reads all of them, whatever becomes of them, unless it commits exactly once.
    pub isolation_level: IsolationLevel,
    /// How often to commit while there is something to commit; 200 ms unless said otherwise.
    pub commit_interval: Duration,
    /// Bytes of output and state that may wait for a commit before one is made; 512 KiB unless said otherwise.
    pub uncommitted_bytes_max: usize,
    /// How long a partition must have had nothing new before it is idle, and the time of the others does not wait for
    /// its; 10 s unless said otherwise, and none for ever.
    pub idle_after: Option<Duration>,
    /// Where all inputs of a task are idle, how far its time is behind [`Self::clock`] from then on: windows close though no
    /// more records come, and what comes later than so much behind its time is late. None, which it is unless said
    /// otherwise, leaves time where the records have brought it, and results to follow from the records alone. Without
    /// [`Self::idle_after`] no input is ever idle, and this says nothing.
    pub clock_when_idle: Option<Duration>,
    /// How long an input whose log has no more to come is waited for, before the records of the other inputs of its task
    /// are worked through without it (Kafka Streams: `max.task.idle.ms`, KIP-695). Zero, which it is unless said
    /// otherwise, waits for what is in the log and not for what may come; none does not wait at all.
    pub max_task_idle: Option<Duration>,
    /// Records of an input that may wait to be merged with those of others, before no more of it are fetched; 1000
    /// unless said otherwise (Kafka Streams: `buffered.records.per.partition`). What one poll brings may come on top.
    pub buffered_records_per_partition: usize,
    /// Bytes of keys and values of an input that may wait so; 4 MiB unless said otherwise.
    pub buffered_bytes_per_partition: usize,
    /// Threads that the tasks are shared out over, never more than there are tasks (Kafka Streams: `num.stream.threads`,
    /// which is 1 unless said otherwise). None, which it is unless said otherwise, takes as many as the process has
    /// processors; at most [`caps::THREADS_MAX`].
    pub threads: Option<NonZeroUsize>,
    /// What follows when a task fails for good; it ends alone unless said otherwise.
    pub on_failure: OnFailure,
    /// Whether a start looks at some keys of topics that must be co-partitioned, and refuses those that different
    /// partitioners have written; so unless said otherwise.
    pub checks_partitioners: bool,
    /// Where stores are kept that do not say so themselves; in memory unless said otherwise.
    pub kept: Kept,
    /// Where stores on disk live; none unless said otherwise, and then no store can be on disk.
    pub state_directory: Option<StateDirectory>,
    /// The clock that [`crate::Context::schedule_wall_clock`], [`crate::Input::processing_time`] and
    /// [`Self::clock_when_idle`] go by; the machine's unless said otherwise.
    pub clock: Arc<dyn Clock>,
    /// Where to report what goes through.
    pub meter: Arc<dyn Meter>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            input_end: InputEnd::Unbounded,
            isolation_level: IsolationLevel::ReadCommitted,
            commit_interval: caps::COMMIT_INTERVAL,
            uncommitted_bytes_max: caps::UNCOMMITTED_BYTES_MAX,
            idle_after: Some(caps::IDLE_AFTER),
            clock_when_idle: None,
            max_task_idle: Some(Duration::ZERO),
            buffered_records_per_partition: caps::BUFFERED_RECORDS_PER_PARTITION,
            buffered_bytes_per_partition: caps::BUFFERED_BYTES_PER_PARTITION,
            threads: None,
            on_failure: OnFailure::EndTask,
            checks_partitioners: true,
            kept: Kept::InMemory,
            state_directory: None,
            clock: Arc::new(SystemClock),
            meter: Arc::new(NoMeter),
        }
    }
}

type Factory = Arc<dyn Fn() -> Box<dyn Processor> + Send + Sync>;

/// One processor with its inputs, outputs, stores and settings: the short form of a topology of that kind.
#[derive(Clone)]
pub struct ProcessorSpec {
    name: Text,
    factory: Factory,
    inputs: Vec<(Text, Option<SourceSpec>)>,
    outputs: Vec<(Text, Text)>,
    stores: Vec<StoreSpec>,
    /// How inputs are read of which nothing else was said.
    times: SourceSpec,
    pub(crate) settings: Settings,
}

impl fmt::Debug for ProcessorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessorSpec")
            .field("name", &self.name)
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .field("stores", &self.stores)
            .finish_non_exhaustive()
    }
}

impl ProcessorSpec {
    /// A processor of that name, which is also the id of its group. `factory` makes one instance for each task, and
    /// another one whenever a task starts again.
    pub fn new<P: Processor + 'static>(
        name: impl Into<Text>,
        factory: impl Fn() -> P + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            factory: Arc::new(move || Box::new(factory())),
            inputs: Vec::new(),
            outputs: Vec::new(),
            stores: Vec::new(),
            times: SourceSpec::new(),
            settings: Settings::default(),
        }
    }

    /// Reads a topic. There is one task for each partition number; it reads that partition of all inputs.
    #[must_use]
    pub fn input(mut self, topic: impl Into<Text>) -> Self {
        self.inputs.push((topic.into(), None));
        self
    }

    /// Reads a topic as `source` says.
    #[must_use]
    pub fn input_with(mut self, topic: impl Into<Text>, source: SourceSpec) -> Self {
        self.inputs.push((topic.into(), Some(source)));
        self
    }

    /// Writes a topic; the processor calls it by `name`.
    #[must_use]
    pub fn output(mut self, name: impl Into<Text>, topic: impl Into<Text>) -> Self {
        self.outputs.push((name.into(), topic.into()));
        self
    }

    /// Keeps a store: a name, or what else there is to say about it. Its changelog is the topic `NAME-STORE-changelog`.
    #[must_use]
    pub fn store(mut self, store: impl Into<StoreSpec>) -> Self {
        self.stores.push(store.into());
        self
    }

    /// Takes the time at which records happened from elsewhere than their timestamps, of all inputs but those of
    /// [`Self::input_with`].
    #[must_use]
    pub fn event_time(self, of: impl Fn(&Record) -> Timestamp + Send + Sync + 'static) -> Self {
        Self { times: SourceSpec::new().event_time(of), ..self }
    }

    /// Says where the input ends.
    #[must_use]
    pub fn input_end(mut self, input_end: InputEnd) -> Self {
        self.settings.input_end = input_end;
        self
    }

    /// Commits at least this often while there is something to commit.
    #[must_use]
    pub fn commit_interval(mut self, commit_interval: Duration) -> Self {
        self.settings.commit_interval = commit_interval;
        self
    }

    /// Commits once this many bytes of output and state wait for it.
    #[must_use]
    pub fn uncommitted_bytes_max(mut self, uncommitted_bytes_max: usize) -> Self {
        self.settings.uncommitted_bytes_max = uncommitted_bytes_max;
        self
    }

    /// Keeps all stores on disk, in this directory.
    #[must_use]
    pub fn on_disk(mut self, directory: StateDirectory) -> Self {
        self.settings.kept = Kept::OnDisk;
        self.settings.state_directory = Some(directory);
        self
    }

    /// Shares the tasks out over so many threads.
    #[must_use]
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.settings.threads = Some(threads);
        self
    }

    /// Says what follows when a task fails for good.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.settings.on_failure = on_failure;
        self
    }

    /// Reports what goes through.
    #[must_use]
    pub fn meter(mut self, meter: Arc<dyn Meter>) -> Self {
        self.settings.meter = meter;
        self
    }

    /// The topology: a source `TOPIC.source` for each input, the processor under the name of the whole, and a sink of
    /// its name for each output.
    ///
    /// # Errors
    /// Where that is none, because names are taken twice or there is no input.
    pub fn topology(&self) -> Result<Topology, TopologyError> {
        let Self { name, factory, inputs, outputs, stores, times, settings: _ } = self;
        let mut builder = TopologyBuilder::new(name.clone());
        let sources: Vec<String> = inputs.iter().map(|(topic, _)| format!("{topic}.source")).collect();
        for (source, (topic, spec)) in sources.iter().zip(inputs) {
            builder =
                builder.source_with(source.clone(), topic.clone(), spec.as_ref().unwrap_or(times).clone());
        }
        let names = stores.iter().map(|store| store.name.clone()).collect();
        let parents: Vec<&str> = sources.iter().map(String::as_str).collect();
        builder = builder.processor_of(name.clone(), &parents, names, Arc::clone(factory));
        for (output, topic) in outputs {
            builder = builder.sink(output.clone(), topic.clone(), [&**name]);
        }
        stores.iter().fold(builder, |builder, store| builder.store(store.clone())).build()
    }
}
