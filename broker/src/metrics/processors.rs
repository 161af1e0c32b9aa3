//! Processors beside the log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{Counter, CounterVec, Gauge, GaugeVec, IntCounter, IntCounterVec};

use super::caps::{NODES_MAX, PROCESSORS_MAX};
use super::processor_tasks::{Families as TaskFamilies, ProcessorTask, State, Tasks};
use super::register::{Registry, counters, seconds_counters, seconds_gauges};

/// Where the processors above the cap are counted.
const OTHERS: &str = "(others)";

/// Every processor.
#[derive(Debug)]
pub struct Processors {
    families: Families,
    known: Mutex<HashMap<String, Arc<Processor>>>,
}

/// One processor: how much goes through it, and how late it is.
#[derive(Debug)]
pub struct Processor {
    records_in: IntCounter,
    records_out: IntCounter,
    commits: IntCounter,
    late_drops: IntCounter,
    failed_attempts: IntCounter,
    watermark_delay: Gauge,
    nodes: Nodes,
    tasks: Tasks,
}

/// What went through a node of a processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounts {
    /// Records that came to it.
    pub records_in: u64,
    /// Records that it passed on.
    pub records_out: u64,
    /// Records that came after their window's grace and were dropped.
    pub late_drops: u64,
    /// Records that it could not take: those of the next five together.
    pub errors: u64,
    /// Those that did not parse and were skipped.
    pub skipped: u64,
    /// Those without a time that is taken, which were skipped.
    pub bad_times: u64,
    /// Those that went to the dead-letter topic.
    pub dead_lettered: u64,
    /// Those that had no key where one is needed.
    pub keyless: u64,
    /// Those whose value was null where one is needed.
    pub valueless: u64,
    /// How far its records were behind the largest time that had been seen, all together.
    pub lateness: Duration,
    /// The same of the one furthest behind.
    pub lateness_max: Duration,
}

/// The nodes of one processor.
#[derive(Debug)]
struct Nodes {
    processor: String,
    families: NodeFamilies,
    known: Mutex<HashMap<String, Arc<Node>>>,
}

#[derive(Debug)]
struct Node {
    records_in: IntCounter,
    records_out: IntCounter,
    late_drops: IntCounter,
    errors: IntCounter,
    dropped: [IntCounter; CAUSES.len()],
    lateness: Counter,
    lateness_max: Gauge,
}

/// Why records are dropped.
const CAUSES: [&str; 6] = ["late", "malformed", "bad_time", "dead_letter", "no_key", "no_value"];

#[derive(Clone, Debug)]
struct NodeFamilies {
    dropped: IntCounterVec,
    lateness: CounterVec,
    lateness_max: GaugeVec,
    records_in: IntCounterVec,
    records_out: IntCounterVec,
    late_drops: IntCounterVec,
    errors: IntCounterVec,
}

#[derive(Debug)]
struct Families {
    records_in: IntCounterVec,
    records_out: IntCounterVec,
    commits: IntCounterVec,
    late_drops: IntCounterVec,
    failed_attempts: IntCounterVec,
    watermark_delay: GaugeVec,
    nodes: NodeFamilies,
    tasks: TaskFamilies,
}

impl Processors {
    pub(super) fn new(registry: &Registry) -> Self {
        Self { families: Families::new(registry), known: Mutex::default() }
    }

    /// The counters of the processor `name`, to be kept by it.
    pub fn of(&self, name: &str) -> Arc<Processor> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let label = if known.contains_key(name) || known.len() < PROCESSORS_MAX { name } else { OTHERS };
        known.entry(label.to_owned()).or_insert_with(|| Arc::new(self.families.processor(label))).clone()
    }
}

impl Processor {
    /// Records were taken from the inputs.
    pub fn took(&self, records: u64) {
        self.records_in.inc_by(records);
    }

    /// Records were given to the outputs.
    pub fn gave(&self, records: u64) {
        self.records_out.inc_by(records);
    }

    /// Offsets, state and outputs were committed.
    pub fn committed(&self) {
        self.commits.inc();
    }

    /// Records came after their window's grace and were dropped.
    pub fn dropped_late(&self, records: u64) {
        self.late_drops.inc_by(records);
    }

    /// This went through one of its nodes.
    pub fn passed(&self, node: &str, counts: NodeCounts) {
        self.nodes.of(node).count(&counts);
    }

    /// A task does something else now.
    pub fn task_is(&self, task: &str, state: State) {
        if matches!(state, State::Waiting | State::Failed) {
            self.failed_attempts.inc();
        }
        self.tasks.is(task, state);
    }

    /// So many records, and so many bytes of them, wait in front of a task.
    pub fn task_buffers(&self, task: &str, records: u64, bytes: u64) {
        self.tasks.buffers(task, [records, bytes]);
    }

    /// The counters of a task; none where there are too many.
    pub fn task(&self, name: &str) -> Option<Arc<ProcessorTask>> {
        self.tasks.of(name)
    }

    /// How far the watermark is behind the clock.
    pub fn watermark_is_behind(&self, by: Duration) {
        self.watermark_delay.set(by.as_secs_f64());
    }
}

impl Node {
    fn count(&self, counts: &NodeCounts) {
        let NodeCounts {
            records_in,
            records_out,
            late_drops,
            errors,
            skipped,
            bad_times,
            dead_lettered,
            keyless,
            valueless,
            lateness,
            lateness_max,
        } = *counts;
        self.records_in.inc_by(records_in);
        self.records_out.inc_by(records_out);
        self.late_drops.inc_by(late_drops);
        self.errors.inc_by(errors);
        // In the order of `CAUSES`.
        let dropped = [late_drops, skipped, bad_times, dead_lettered, keyless, valueless];
        self.dropped.iter().zip(dropped).for_each(|(counter, records)| counter.inc_by(records));
        self.lateness.inc_by(lateness.as_secs_f64());
        if lateness_max.as_secs_f64() > self.lateness_max.get() {
            self.lateness_max.set(lateness_max.as_secs_f64());
        }
    }
}

impl Families {
    fn new(registry: &Registry) -> Self {
        let family = |name: &str, help: &str| counters(registry, name, help, &["processor"]);
        Self {
            records_in: family("mainstem_processor_records_in_total", "Records that a processor has taken"),
            records_out: family(
                "mainstem_processor_records_out_total",
                "Records that a processor has written",
            ),
            commits: family("mainstem_processor_commits_total", "Commits of a processor"),
            late_drops: family(
                "mainstem_processor_late_drops_total",
                "Records that came after their window's grace and were dropped",
            ),
            failed_attempts: family(
                "mainstem_processor_failed_attempts_total",
                "Attempts at a processor's tasks that failed, whether or not another one was made",
            ),
            watermark_delay: seconds_gauges(
                registry,
                "mainstem_processor_watermark_delay_seconds",
                "How far a processor's watermark is behind the clock",
                &["processor"],
            ),
            nodes: NodeFamilies::new(registry),
            tasks: TaskFamilies::new(registry),
        }
    }

    fn processor(&self, name: &str) -> Processor {
        let Self {
            records_in,
            records_out,
            commits,
            late_drops,
            failed_attempts,
            watermark_delay,
            nodes,
            tasks,
        } = self;
        Processor {
            records_in: records_in.with_label_values(&[name]),
            records_out: records_out.with_label_values(&[name]),
            commits: commits.with_label_values(&[name]),
            late_drops: late_drops.with_label_values(&[name]),
            failed_attempts: failed_attempts.with_label_values(&[name]),
            watermark_delay: watermark_delay.with_label_values(&[name]),
            tasks: Tasks::new(name, tasks),
            nodes: Nodes { processor: name.to_owned(), families: nodes.clone(), known: Mutex::default() },
        }
    }
}

impl Nodes {
    fn of(&self, node: &str) -> Arc<Node> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let label = if known.contains_key(node) || known.len() < NODES_MAX { node } else { OTHERS };
        let new = || Arc::new(self.families.node(&self.processor, label));
        known.entry(label.to_owned()).or_insert_with(new).clone()
    }
}

impl NodeFamilies {
    fn new(registry: &Registry) -> Self {
        let family = |name: &str, help: &str| counters(registry, name, help, &["processor", "node"]);
        Self {
            records_in: family("mainstem_processor_node_records_in_total", "Records that came to a node"),
            records_out: family("mainstem_processor_node_records_out_total", "Records that a node passed on"),
            late_drops: family(
                "mainstem_processor_node_late_drops_total",
                "Records that came to a node after their window's grace and were dropped",
            ),
            errors: family("mainstem_processor_node_errors_total", "Records that a node could not take"),
            dropped: counters(
                registry,
                "mainstem_processor_node_dropped_records_total",
                "Records that went no further than a node, by cause: `late` behind their window's grace, `malformed` and \
                 skipped, without a time that is taken and skipped (`bad_time`), either of these and in the dead-letter topic \
                 (`dead_letter`), or without the key (`no_key`) or the value (`no_value`) that is needed",
                &["processor", "node", "cause"],
            ),
            lateness: seconds_counters(
                registry,
                "mainstem_processor_node_record_lateness_seconds_total",
                "How far the records of a source were behind the largest time that its task had seen, added up",
                &["processor", "node"],
            ),
            lateness_max: seconds_gauges(
                registry,
                "mainstem_processor_node_record_lateness_max_seconds",
                "How far the record furthest behind was, since the processor's start",
                &["processor", "node"],
            ),
        }
    }

    fn node(&self, processor: &str, name: &str) -> Node {
        let Self { records_in, records_out, late_drops, errors, dropped, lateness, lateness_max } = self;
        let labels = [processor, name];
        Node {
            dropped: CAUSES.map(|cause| dropped.with_label_values(&[processor, name, cause])),
            lateness: lateness.with_label_values(&labels),
            lateness_max: lateness_max.with_label_values(&labels),
            records_in: records_in.with_label_values(&labels),
            records_out: records_out.with_label_values(&labels),
            late_drops: late_drops.with_label_values(&labels),
            errors: errors.with_label_values(&labels),
        }
    }
}
