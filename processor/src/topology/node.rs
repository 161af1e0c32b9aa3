//! A node as it stands in a topology.

use std::sync::Arc;

use mainstem_client::Text;

use crate::{graph::operator::Operator, window::FixedWindows};

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Source {
        topic: Text,
        is_repartition: bool,
    },
    Processor,
    Sink {
        topic: Text,
        is_repartition: bool,
    },
    /// Writes to topics that its records choose.
    Sinks,
}

/// Whom a node takes records from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) name: Text,
    /// Which of its outputs; none where each child has one of its own.
    pub(crate) port: Option<usize>,
}

impl Parent {
    /// The only output of a node.
    pub(crate) fn only(name: impl Into<Text>) -> Self {
        Self { name: name.into(), port: Some(0) }
    }
}

/// What an operator is told about its place.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The nodes behind it.
    pub(crate) children: Vec<Text>,
    /// Whether changes are passed on at once.
    pub(crate) is_eager: bool,
    /// Whether somebody behind it needs the value that a key had before.
    pub(crate) sends_old: bool,
    /// Whether other nodes look into its store.
    pub(crate) is_viewed: bool,
    /// Of the stores that it names those of tables that others keep.
    pub(crate) tables: Vec<Text>,
    /// The task that it is part of.
    pub(crate) task: i32,
    /// The partitions of the repartition topic that it writes, if it does.
    pub(crate) partitions: i32,
    /// The topics whose records may come to it, where its part has some back that it has sent to others.
    pub(crate) upstream: Option<Vec<Text>>,
}

/// Makes a node's operator, one for each task.
pub(crate) type Make = Arc<dyn Fn(&Setting) -> Box<dyn Operator> + Send + Sync>;

/// Windows by which a node keeps its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptWindows {
    pub(crate) layout: Layout,
    /// A window closes when the watermark is so far behind its end.
    pub(crate) closes_after_ms: i64,
    /// The longest time from a record in a window to the window's end.
    pub(crate) length_ms: i64,
}

impl KeptWindows {
    /// The kind of store, and what it must have been kept by to be read so: the windows, but for how long they wait.
    pub(crate) fn form(&self) -> (&'static str, String) {
        match self.layout {
            Layout::ByMark(windows) => ("window", windows.form()),
            Layout::ByKey if self.length_ms == 0 => ("session", String::new()),
            Layout::ByKey => ("sliding window", format!("length {} ms", self.length_ms)),
        }
    }
}

/// How windows stand in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Key by key behind their marks.
    ByMark(FixedWindows),
    /// Window by window behind their keys.
    ByKey,
}

/// A node.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) name: Text,
    pub(crate) kind: Kind,
    pub(crate) parents: Vec<Parent>,
    pub(crate) stores: Vec<Text>,
    /// The global tables that it keeps or looks into.
    pub(crate) globals: Vec<Text>,
    pub(crate) make: Make,
    /// How long its results wait for records that come late.
    pub(crate) delay_ms: i64,
    /// How far the records of the topic that it reads may be out of order.
    pub(crate) disorder_ms: i64,
    /// Whether these have the time of the clock, as the task takes them.
    pub(crate) goes_by_clock: bool,
    /// Whether these must have the time at which the broker appended them.
    pub(crate) needs_append_time: bool,
    /// How many partitions the repartition topic that it reads is to have, if the program says so.
    pub(crate) partitions: Option<i32>,
    /// The format of the keys of the topic that it reads; empty where nobody has said it.
    pub(crate) keys: Text,
    /// Whether it goes by the watermark.
    pub(crate) is_timed: bool,
    /// The windows by which its store is kept.
    pub(crate) windows: Option<KeptWindows>,
    /// Whether it needs the value that a key of a table had before.
    pub(crate) wants_old: bool,
    /// Whether it looks into tables that change while it works.
    pub(crate) looks_up: bool,
    /// Whether it is a processor of the low-level interface.
    pub(crate) is_custom: bool,
    /// Whether it is one within typed streams.
    pub(crate) is_process: bool,
    /// Whether it makes a global table: it works once for all tasks, on all partitions.
    pub(crate) is_global: bool,
}

impl Node {
    pub(crate) fn new(name: Text, kind: Kind, parents: Vec<Parent>, make: Make) -> Self {
        let stores = Vec::new();
        Self {
            name,
            kind,
            parents,
            stores,
            globals: Vec::new(),
            make,
            delay_ms: 0,
            disorder_ms: 0,
            goes_by_clock: false,
            needs_append_time: false,
            partitions: None,
            keys: Text::default(),
            is_timed: false,
            windows: None,
            wants_old: false,
            looks_up: false,
            is_custom: false,
            is_process: false,
            is_global: false,
        }
    }

    /// The topic that it reads.
    pub(crate) const fn topic(&self) -> Option<&Text> {
        match &self.kind {
            Kind::Source { topic, .. } => Some(topic),
            _ => None,
        }
    }

    /// Whether it may keep a table in a store that it names: processors of streams only look into those.
    pub(crate) fn may_keep(&self, store: &Text) -> bool {
        !self.is_process && self.stores.contains(store)
    }

    /// Its stores, and the global tables.
    pub(crate) fn all_stores(&self) -> impl Iterator<Item = &Text> {
        self.stores.iter().chain(&self.globals)
    }
}
