//! A processor's name, inputs, outputs, stores and settings.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use mainstem_client::{Offset, Record, Text, Timestamp, TopicPartition};

use crate::{Meter, NoMeter, Processor, caps};

/// Where the input ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InputEnd {
    /// Nowhere.
    #[default]
    Unbounded,
    /// In front of these offsets. Partitions that are not named are taken to be empty. Once a task has read up to
    /// there, its watermark rises to the end of time, and it is finished.
    At(HashMap<TopicPartition, Offset>),
}

type Factory = Arc<dyn Fn() -> Box<dyn Processor> + Send + Sync>;
type EventTime = Arc<dyn Fn(&Record) -> Timestamp + Send + Sync>;

/// Everything that there is to know about a processor before it runs.
#[derive(Clone)]
pub struct ProcessorSpec {
    pub(crate) name: Text,
    pub(crate) factory: Factory,
    pub(crate) inputs: Vec<Text>,
    pub(crate) outputs: Vec<(Text, Text)>,
    pub(crate) stores: Vec<Text>,
    pub(crate) event_time: EventTime,
    pub(crate) input_end: InputEnd,
    pub(crate) commit_interval: Duration,
    pub(crate) uncommitted_bytes_max: usize,
    pub(crate) meter: Arc<dyn Meter>,
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

/// The store that a processor has which declares none: what the runtime itself must not forget is kept there.
const OWN_STORE: &str = "task";

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
            event_time: Arc::new(|record| record.timestamp),
            input_end: InputEnd::Unbounded,
            commit_interval: caps::COMMIT_INTERVAL,
            uncommitted_bytes_max: caps::UNCOMMITTED_BYTES_MAX,
            meter: Arc::new(NoMeter),
        }
    }

    /// Reads a topic. There is one task for each partition number; it reads that partition of all inputs.
    #[must_use]
    pub fn input(mut self, topic: impl Into<Text>) -> Self {
        self.inputs.push(topic.into());
        self
    }

    /// Writes a topic; the processor calls it by `name`.
    #[must_use]
    pub fn output(mut self, name: impl Into<Text>, topic: impl Into<Text>) -> Self {
        self.outputs.push((name.into(), topic.into()));
        self
    }

    /// Keeps a store. Its changelog is the topic `NAME-STORE-changelog`.
    #[must_use]
    pub fn store(mut self, name: impl Into<Text>) -> Self {
        self.stores.push(name.into());
        self
    }

    /// Takes the time at which records happened from elsewhere than their timestamps.
    #[must_use]
    pub fn event_time(self, of: impl Fn(&Record) -> Timestamp + Send + Sync + 'static) -> Self {
        Self { event_time: Arc::new(of), ..self }
    }

    /// Says where the input ends.
    #[must_use]
    pub fn input_end(self, input_end: InputEnd) -> Self {
        Self { input_end, ..self }
    }

    /// Commits at least this often while there is something to commit.
    #[must_use]
    pub fn commit_interval(self, commit_interval: Duration) -> Self {
        Self { commit_interval, ..self }
    }

    /// Commits once this many bytes of output and state wait for it.
    #[must_use]
    pub fn uncommitted_bytes_max(self, uncommitted_bytes_max: usize) -> Self {
        Self { uncommitted_bytes_max, ..self }
    }

    /// Reports what goes through.
    #[must_use]
    pub fn meter(self, meter: Arc<dyn Meter>) -> Self {
        Self { meter, ..self }
    }

    /// The changelog of a store.
    #[must_use]
    pub fn changelog(&self, store: &str) -> Text {
        Text::from(format!("{}-{store}-changelog", self.name))
    }

    /// The stores; the first one also keeps what the runtime must not forget.
    pub(crate) fn all_stores(&self) -> Vec<Text> {
        if self.stores.is_empty() { vec![Text::from_static(OWN_STORE)] } else { self.stores.clone() }
    }
}
