//! One second of the charts.

use super::span::Span;
use crate::metrics::Histogram;

/// What happened in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    /// Records a second.
    pub(super) records_in: f64,
    /// Records a second.
    pub(super) records_out: f64,
    /// Bytes a second.
    pub(super) bytes_in: f64,
    /// Bytes a second.
    pub(super) bytes_out: f64,
    /// Seconds that Produce requests took; none where there were none.
    pub(super) produce: Option<Percentiles>,
    /// Seconds that syncs of the journal took; none where there were none.
    pub(super) sync: Option<Percentiles>,
}

/// How long things took, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Point {
    /// What happened in `span`.
    pub(super) fn of(span: &Span) -> Self {
        let rate = |name: &str| span.rate(name);
        Self {
            records_in: rate("mainstem_topic_records_in_total"),
            records_out: rate("mainstem_topic_records_out_total"),
            bytes_in: rate("mainstem_topic_bytes_in_total"),
            bytes_out: rate("mainstem_topic_bytes_out_total"),
            produce: span.requests().get("Produce").and_then(Percentiles::of),
            sync: Percentiles::of(&span.histogram("mainstem_journal_sync_seconds")),
        }
    }
}

impl Percentiles {
    fn of(histogram: &Histogram) -> Option<Self> {
        Some(Self { p50: histogram.quantile(0.5)?, p99: histogram.quantile(0.99)? })
    }
}
