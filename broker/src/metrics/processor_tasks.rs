//! Tasks of processors, and their stores. A task's series stay when it ends, as its processor's do: what they tell is how it
//! was then, and the number of tasks by state tells that it has ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{Counter, CounterVec, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::caps::{TASK_STORES_MAX, TASKS_MAX};
use super::register::{Registry, counters, gauges, seconds_counters, seconds_gauges};

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It brings its state back.
    Restoring,
    /// It works.
    Running,
    /// Something is wrong; it will try again.
    Waiting,
    /// It has come to the end of its inputs.
    Finished,
    /// It was stopped.
    Stopped,
    /// It has ended by a failure.
    Failed,
}

/// In the order of [`State`].
const STATES: [(State, &str); 6] = [
    (State::Restoring, "restoring"),
    (State::Running, "running"),
    (State::Waiting, "waiting"),
    (State::Finished, "finished"),
    (State::Stopped, "stopped"),
    (State::Failed, "failed"),
];

/// The tasks of one processor.
#[derive(Debug)]
pub(super) struct Tasks {
    processor: String,
    families: Families,
    /// How many tasks are in each state, in the order of `STATES`.
    states: [IntGauge; STATES.len()],
    /// Records and bytes that wait in front of all of them.
    buffered: [IntGauge; 2],
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    states: HashMap<String, State>,
    /// Records and bytes that wait in front of each.
    buffered: HashMap<String, [u64; 2]>,
    tasks: HashMap<String, Arc<ProcessorTask>>,
}

/// One task: how far it is, and what its commits take.
#[derive(Debug)]
pub struct ProcessorTask {
    commits: IntCounter,
    commit_seconds: Counter,
    commit_seconds_max: Gauge,
    watermark_delay: Gauge,
    input_lag: IntGauge,
    held_back_seconds: Gauge,
    held_back_records: IntGauge,
    stores: Stores,
}

#[derive(Debug)]
struct Stores {
    labels: [String; 2],
    families: StoreFamilies,
    known: Mutex<HashMap<String, Arc<TaskStore>>>,
}

/// A store of a task.
#[derive(Debug)]
pub struct TaskStore {
    entries: IntGauge,
    bytes: IntGauge,
    restored: IntCounter,
    restore_remaining: IntGauge,
}

#[derive(Clone, Debug)]
pub(super) struct Families {
    shown: Arc<AtomicUsize>,
    states: IntGaugeVec,
    /// Of records and of bytes.
    buffered: [IntGaugeVec; 2],
    commits: IntCounterVec,
    commit_seconds: CounterVec,
    commit_seconds_max: GaugeVec,
    watermark_delay: GaugeVec,
    input_lag: IntGaugeVec,
    held_back_seconds: GaugeVec,
    held_back_records: IntGaugeVec,
    stores: StoreFamilies,
}

#[derive(Clone, Debug)]
struct StoreFamilies {
    entries: IntGaugeVec,
    bytes: IntGaugeVec,
    restored: IntCounterVec,
    restore_remaining: IntGaugeVec,
}

impl Tasks {
    pub(super) fn new(processor: &str, families: &Families) -> Self {
        let Families { states, buffered, .. } = families;
        Self {
            processor: processor.to_owned(),
            families: families.clone(),
            states: STATES.map(|(_, state)| states.with_label_values(&[processor, state])),
            buffered: buffered.each_ref().map(|family| family.with_label_values(&[processor])),
            known: Mutex::default(),
        }
    }

    pub(super) fn is(&self, task: &str, state: State) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = known.states.insert(task.to_owned(), state) {
            self.in_state(before).dec();
        }
        self.in_state(state).inc();
    }

    fn in_state(&self, state: State) -> &IntGauge {
        &self.states[state as usize]
    }

    pub(super) fn buffers(&self, task: &str, buffered: [u64; 2]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match known.buffered.get_mut(task) {
            Some(known) => std::mem::replace(known, buffered),
            None => known.buffered.insert(task.to_owned(), buffered).unwrap_or_default(),
        };
        for ((gauge, before), now) in self.buffered.iter().zip(before).zip(buffered) {
            gauge.add(gauged(now) - gauged(before));
        }
    }

    pub(super) fn of(&self, task: &str) -> Option<Arc<ProcessorTask>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = known.tasks.get(task) {
            return Some(Arc::clone(task));
        }
        if self.families.shown.fetch_add(1, Ordering::Relaxed) >= TASKS_MAX {
            self.families.shown.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let made = Arc::new(self.families.task(&self.processor, task));
        known.tasks.insert(task.to_owned(), Arc::clone(&made));
        Some(made)
    }
}

impl ProcessorTask {
    /// It has committed, which took so long.
    pub fn committed(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.commits.inc();
        self.commit_seconds.inc_by(seconds);
        if seconds > self.commit_seconds_max.get() {
            self.commit_seconds_max.set(seconds);
        }
    }

    /// How far its watermark is behind the clock.
    pub fn watermark_is_behind(&self, by: Duration) {
        self.watermark_delay.set(by.as_secs_f64());
    }

    /// So many records of its inputs wait.
    pub fn waits_for(&self, records: u64) {
        self.input_lag.set(gauged(records));
    }

    /// Open transactions hold back inputs of its, one of them for so long, and so many records.
    pub fn is_held_back(&self, longest: Duration, records: u64) {
        self.held_back_seconds.set(longest.as_secs_f64());
        self.held_back_records.set(gauged(records));
    }

    /// The counters of one of its stores; none where there are too many.
    pub fn store(&self, name: &str) -> Option<Arc<TaskStore>> {
        self.stores.of(name)
    }
}

impl TaskStore {
    /// It holds so much.
    pub fn holds(&self, entries: u64, bytes: u64) {
        self.entries.set(gauged(entries));
        self.bytes.set(gauged(bytes));
    }

    /// So many records of its changelog were taken over, and so many are left.
    pub fn restored(&self, records: u64, left: u64) {
        self.restored.inc_by(records);
        self.restore_remaining.set(gauged(left));
    }
}

impl Stores {
    fn of(&self, store: &str) -> Option<Arc<TaskStore>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = known.get(store) {
            return Some(Arc::clone(store));
        }
        if known.len() >= TASK_STORES_MAX {
            return None;
        }
        let [processor, task] = &self.labels;
        let made = Arc::new(self.families.store(&[processor, task, store]));
        known.insert(store.to_owned(), Arc::clone(&made));
        Some(made)
    }
}

fn gauged(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Families {
    pub(super) fn new(registry: &Registry) -> Self {
        let labels = &["processor", "task"];
        Self {
            shown: Arc::default(),
            states: gauges(
                registry,
                "mainstem_processor_tasks",
                "Tasks of a processor by what they do: `restoring`, `running`, `waiting` to try again, `finished`, `stopped`, \
                 `failed`",
                &["processor", "state"],
            ),
            buffered: [
                gauges(
                    registry,
                    "mainstem_processor_buffered_input_records",
                    "Records that have come in and wait in front of a processor's tasks to be merged by time",
                    &["processor"],
                ),
                gauges(
                    registry,
                    "mainstem_processor_buffered_input_bytes",
                    "Bytes of keys and values of such records",
                    &["processor"],
                ),
            ],
            commits: counters(registry, "mainstem_processor_task_commits_total", "Commits of a task", labels),
            commit_seconds: seconds_counters(
                registry,
                "mainstem_processor_task_commit_seconds_total",
                "How long the commits of a task took, added up",
                labels,
            ),
            commit_seconds_max: seconds_gauges(
                registry,
                "mainstem_processor_task_commit_max_seconds",
                "How long the longest commit of a task took, since the processor's start",
                labels,
            ),
            watermark_delay: seconds_gauges(
                registry,
                "mainstem_processor_task_watermark_delay_seconds",
                "How far a task's watermark was behind the clock at its last commit",
                labels,
            ),
            input_lag: gauges(
                registry,
                "mainstem_processor_task_input_lag_records",
                "Records of a task's inputs that waited at its last commit",
                labels,
            ),
            held_back_seconds: seconds_gauges(
                registry,
                "mainstem_processor_task_held_back_seconds",
                "How long an input of a task has waited for an open transaction to end, the longest; 0 where none does. The log \
                 says whose transaction it is",
                labels,
            ),
            held_back_records: gauges(
                registry,
                "mainstem_processor_task_held_back_records",
                "Records of a task's inputs that it may not read yet, since they are of open transactions or behind them",
                labels,
            ),
            stores: StoreFamilies::new(registry),
        }
    }

    fn task(&self, processor: &str, task: &str) -> ProcessorTask {
        let labels = [processor, task];
        let Self {
            shown: _,
            states: _,
            buffered: _,
            commits,
            commit_seconds,
            commit_seconds_max,
            watermark_delay,
            input_lag,
            held_back_seconds,
            held_back_records,
            stores,
        } = self;
        ProcessorTask {
            commits: commits.with_label_values(&labels),
            commit_seconds: commit_seconds.with_label_values(&labels),
            commit_seconds_max: commit_seconds_max.with_label_values(&labels),
            watermark_delay: watermark_delay.with_label_values(&labels),
            input_lag: input_lag.with_label_values(&labels),
            held_back_seconds: held_back_seconds.with_label_values(&labels),
            held_back_records: held_back_records.with_label_values(&labels),
            stores: Stores {
                labels: labels.map(str::to_owned),
                families: stores.clone(),
                known: Mutex::default(),
            },
        }
    }
}

impl StoreFamilies {
    fn new(registry: &Registry) -> Self {
        let labels = &["processor", "task", "store"];
        let family = |name: &str, help: &str| gauges(registry, name, help, labels);
        Self {
            entries: family(
                "mainstem_processor_store_entries",
                "Entries of a store, those of the runtime among them; on disk about so many",
            ),
            bytes: family(
                "mainstem_processor_store_bytes",
                "Bytes of a store: of keys and values in memory, of files on disk",
            ),
            restored: counters(
                registry,
                "mainstem_processor_store_restored_records_total",
                "Records of its changelog that a store was brought back from",
                labels,
            ),
            restore_remaining: family(
                "mainstem_processor_store_restore_remaining_records",
                "Records of its changelog that a store still has to take over before its task works",
            ),
        }
    }

    fn store(&self, labels: &[&str; 3]) -> TaskStore {
        let Self { entries, bytes, restored, restore_remaining } = self;
        TaskStore {
            entries: entries.with_label_values(labels),
            bytes: bytes.with_label_values(labels),
            restored: restored.with_label_values(labels),
            restore_remaining: restore_remaining.with_label_values(labels),
        }
    }
}
