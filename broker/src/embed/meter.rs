//! A processor's counts, among those of the broker.

use std::{sync::Arc, time::Duration};

use mainstem_processor::{Buffered, HeldInput, Meter, NodeCounts, StoreSize, TaskId, TaskReport, TaskState};
use mainstem_protocol::{Text, Timestamp};
use mainstem_storage::Clock;

use crate::metrics::{self, Processor};

/// Counts what goes through a processor where the broker's metrics show it.
#[derive(Debug)]
pub struct BrokerMeter {
    counts: Arc<Processor>,
    clock: Arc<dyn Clock>,
}

impl BrokerMeter {
    /// Counts in `counts`; how far the watermark is behind is told by `clock`.
    #[must_use]
    pub fn new(counts: Arc<Processor>, clock: Arc<dyn Clock>) -> Self {
        Self { counts, clock }
    }

    /// Before the first record there is nothing to be behind of.
    fn behind(&self, at: Timestamp) -> Duration {
        if at.0 == i64::MIN {
            return Duration::ZERO;
        }
        let behind = self.clock.now().0.saturating_sub(at.0);
        Duration::from_millis(u64::try_from(behind).unwrap_or(0))
    }
}

impl Meter for BrokerMeter {
    fn took(&self, records: u64) {
        self.counts.took(records);
    }

    fn gave(&self, records: u64) {
        self.counts.gave(records);
    }

    fn committed(&self) {
        self.counts.committed();
    }

    fn dropped_late(&self, records: u64) {
        self.counts.dropped_late(records);
    }

    /// A watermark ahead of the clock, as at the end of the input, is not behind.
    fn watermark(&self, at: Timestamp) {
        self.counts.watermark_is_behind(self.behind(at));
    }

    fn node(&self, name: &Text, counts: NodeCounts) {
        self.counts.passed(name, shown(&counts));
    }

    fn restored(&self, task: TaskId, store: &Text, records: u64, left: u64) {
        if let Some(store) = self.counts.task(&task.to_string()).and_then(|task| task.store(store)) {
            store.restored(records, left);
        }
    }

    fn task_committed(&self, task: TaskId, report: &TaskReport) {
        let Some(task) = self.counts.task(&task.to_string()) else { return };
        let TaskReport { commit_latency, watermark, input_lag, stores } = report;
        task.committed(*commit_latency);
        task.watermark_is_behind(self.behind(*watermark));
        task.waits_for(*input_lag);
        for StoreSize { store, entries, bytes } in stores {
            if let Some(store) = task.store(store) {
                store.holds(*entries, *bytes);
            }
        }
    }

    fn held_back(&self, task: TaskId, inputs: &[HeldInput]) {
        let Some(task) = self.counts.task(&task.to_string()) else { return };
        let longest = inputs.iter().map(|input| input.held_for).max();
        task.is_held_back(longest.unwrap_or_default(), inputs.iter().map(|input| input.records).sum());
    }

    fn buffered(&self, task: TaskId, buffered: Buffered) {
        let Buffered { records, bytes } = buffered;
        self.counts.task_buffers(&task.to_string(), records, bytes);
    }

    fn task_state(&self, task: TaskId, state: &TaskState) {
        if !matches!(state, TaskState::Running) {
            self.buffered(task, Buffered::default());
        }
        let state = match state {
            TaskState::Restoring => metrics::TaskState::Restoring,
            TaskState::Running => metrics::TaskState::Running,
            TaskState::Waiting(_) => metrics::TaskState::Waiting,
            TaskState::Finished => metrics::TaskState::Finished,
            TaskState::Stopped => metrics::TaskState::Stopped,
            TaskState::Failed(_) => metrics::TaskState::Failed,
        };
        self.counts.task_is(&task.to_string(), state);
    }
}

fn shown(counts: &NodeCounts) -> metrics::NodeCounts {
    let keyless = counts.keyless();
    let NodeCounts {
        records_in,
        records_out,
        late,
        errors,
        skipped,
        bad_times,
        dead_lettered,
        valueless,
        lateness_ms,
        lateness_ms_max,
    } = *counts;
    let (lateness, lateness_max) =
        (Duration::from_millis(lateness_ms), Duration::from_millis(lateness_ms_max));
    metrics::NodeCounts {
        records_in,
        records_out,
        late_drops: late,
        errors,
        skipped,
        bad_times,
        dead_lettered,
        keyless,
        valueless,
        lateness,
        lateness_max,
    }
}
