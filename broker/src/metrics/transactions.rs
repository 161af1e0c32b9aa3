//! What becomes of transactions; how many there are in each state is asked for at each scrape.

use prometheus::{HistogramVec, IntCounter};

use super::register::{Registry, counter, histograms};

/// Seconds from the shortest transaction to the longest that may be asked for by default.
const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0];

/// What becomes of transactions.
#[derive(Debug)]
pub struct Transactions {
    durations: HistogramVec,
    timeouts: IntCounter,
}

impl Transactions {
    pub(super) fn new(registry: &Registry) -> Self {
        let help = "From the beginning of a transaction to its end, by how it ended";
        let name = "mainstem_transaction_duration_seconds";
        Self {
            durations: histograms(registry, name, help, SECONDS, &["outcome"]),
            timeouts: counter(
                registry,
                "mainstem_transaction_timeouts_total",
                "Transactions that were aborted because they were open for too long",
            ),
        }
    }

    /// A transaction has ended after so many milliseconds.
    pub fn ended(&self, committed: bool, millis: u64) {
        let outcome = if committed { "commit" } else { "abort" };
        self.durations.with_label_values(&[outcome]).observe(millis as f64 / 1000.0);
    }

    /// A transaction was open for too long.
    pub fn timed_out(&self) {
        self.timeouts.inc();
    }
}
