//! A processor's counts, among those of the broker.

use std::{sync::Arc, time::Duration};

use mainstem_processor::{Meter, NodeCounts};
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
        let behind = self.clock.now().0.saturating_sub(at.0);
        self.counts.watermark_is_behind(Duration::from_millis(u64::try_from(behind).unwrap_or(0)));
    }

    fn node(&self, name: &Text, counts: NodeCounts) {
        let NodeCounts { records_in, records_out, late, errors } = counts;
        self.counts.passed(name, metrics::NodeCounts { records_in, records_out, late_drops: late, errors });
    }
}
