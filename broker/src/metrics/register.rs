//! Making metrics, and remembering what was made for the reference. Their names are constants, so that a failure is a
//! mistake here, and every test would see it.

use std::cell::RefCell;

use prometheus::core::Collector;
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts,
};

use super::reference::{Description, Kind};

const MISTAKE: &str = "metric names are valid and unique";

/// Seconds from a tenth of a millisecond to ten seconds: a sync takes 0.1 to 4 ms, a long poll half a second.
pub(super) const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Bytes from a small request to the largest.
pub(super) const BYTES: &[f64] = &[
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Groups that one sync serves.
pub(super) const GROUPS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// The registry while it is filled.
#[derive(Default)]
pub(super) struct Registry {
    inner: prometheus::Registry,
    described: RefCell<Vec<Description>>,
}

impl Registry {
    /// The filled registry, and what is in it in the order of its making.
    pub(super) fn finish(self) -> (prometheus::Registry, Vec<Description>) {
        (self.inner, self.described.into_inner())
    }

    fn register<C: Collector + Clone + 'static>(&self, kind: Kind, metric: prometheus::Result<C>) -> C {
        let metric = metric.expect(MISTAKE);
        self.describe(kind, &metric);
        self.inner.register(Box::new(metric.clone())).expect(MISTAKE);
        metric
    }

    fn describe(&self, kind: Kind, metric: &impl Collector) {
        let described = metric.desc().into_iter().map(|of| Description {
            name: of.fq_name.clone(),
            kind,
            labels: of.variable_labels.clone(),
            help: of.help.clone(),
        });
        self.described.borrow_mut().extend(described);
    }
}

pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    registry.register(Kind::Counter, IntCounter::new(name, help))
}

pub(super) fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registry.register(Kind::Counter, IntCounterVec::new(Opts::new(name, help), labels))
}

pub(super) fn seconds_counter(registry: &Registry, name: &str, help: &str) -> Counter {
    registry.register(Kind::Counter, Counter::new(name, help))
}

pub(super) fn seconds_counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> CounterVec {
    registry.register(Kind::Counter, CounterVec::new(Opts::new(name, help), labels))
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    registry.register(Kind::Gauge, IntGauge::new(name, help))
}

pub(super) fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registry.register(Kind::Gauge, IntGaugeVec::new(Opts::new(name, help), labels))
}

pub(super) fn seconds_gauge(registry: &Registry, name: &str, help: &str) -> Gauge {
    registry.register(Kind::Gauge, Gauge::new(name, help))
}

pub(super) fn seconds_gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
    registry.register(Kind::Gauge, GaugeVec::new(Opts::new(name, help), labels))
}

/// A gauge that is always 1: its labels are what it tells.
pub(super) fn info(registry: &Registry, name: &str, help: &str, labels: &[(&str, &str)]) {
    let (names, values): (Vec<_>, Vec<_>) = labels.iter().copied().unzip();
    gauges(registry, name, help, &names).with_label_values(&values).set(1);
}

pub(super) fn histogram(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    registry.register(Kind::Histogram, Histogram::with_opts(options))
}

pub(super) fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: &[f64],
    labels: &[&str],
) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    registry.register(Kind::Histogram, HistogramVec::new(options, labels))
}
