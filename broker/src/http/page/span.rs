//! Rates and percentiles between two moments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::metrics::{Histogram, Sample};

/// Everything that is exported, and when.
#[derive(Debug, Default)]
pub(super) struct Moment {
    /// By the monotonic clock.
    pub(super) at: Duration,
    pub(super) sample: Sample,
}

/// Two moments, between which rates are taken.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) before: Arc<Moment>,
    pub(super) now: Arc<Moment>,
}

impl Span {
    /// How long it is.
    pub(super) fn seconds(&self) -> f64 {
        self.now.at.saturating_sub(self.before.at).as_secs_f64()
    }

    /// A counter or gauge now, over all its series.
    pub(super) fn now(&self, name: &str) -> f64 {
        self.now.sample.number(name)
    }

    /// How much a counter rises per second, over all its series.
    pub(super) fn rate(&self, name: &str) -> f64 {
        self.per_second(self.now(name) - self.before.sample.number(name))
    }

    /// How much a counter rises per second, by the values of labels. What was not there before began with 0.
    pub(super) fn rates<const N: usize>(&self, name: &str, labels: [&str; N]) -> BTreeMap<[&str; N], f64> {
        let before = self.before.sample.by(name, labels);
        let mut rates = self.now.sample.by(name, labels);
        for (values, rate) in &mut rates {
            *rate = self.per_second(*rate - before.get(values).copied().unwrap_or_default());
        }
        rates
    }

    /// What a histogram observed.
    pub(super) fn histogram(&self, name: &str) -> Histogram {
        self.now.sample.histogram(name).since(&self.before.sample.histogram(name))
    }

    /// How long requests took, by API; those of which there were any.
    pub(super) fn requests(&self) -> BTreeMap<&str, Histogram> {
        const NAME: &str = "mainstem_request_seconds";
        let nothing = Histogram::default();
        let before = self.before.sample.histograms(NAME, "api");
        let all = self.now.sample.histograms(NAME, "api").into_iter();
        all.map(|(api, now)| (api, now.since(before.get(api).unwrap_or(&&nothing))))
            .filter(|(_, requests)| requests.count > 0)
            .collect()
    }

    /// A counter only rises; where it seems to fall it was forgotten and begun anew.
    pub(super) fn per_second(&self, rise: f64) -> f64 {
        let seconds = self.seconds();
        if seconds > 0.0 { rise.max(0.0) / seconds } else { 0.0 }
    }
}
