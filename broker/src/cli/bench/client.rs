//! What the measuring client says of itself: the whole run, its warm-up included.

use mainstem_client::metrics::Metrics;
use serde_json::{Value, json};

/// The headings of the table for people.
pub(super) const HEADINGS: [&str; 8] =
    ["client", "requests", "ms each", "batches", "records/batch", "retries", "MB sent", "MB received"];

/// What a client did, and by which requests.
pub(super) struct Client {
    api: &'static str,
    requests: u64,
    request_ms: f64,
    /// Batches and records in them, of a client that made any.
    batches: Option<(u64, u64)>,
    retries: u64,
    bytes_sent: u64,
    bytes_received: u64,
}

impl Client {
    pub(super) fn producer(metrics: &Metrics) -> Self {
        let produced = &metrics.produced;
        Self { batches: Some((produced.batches, produced.records)), ..Self::of("Produce", metrics) }
    }

    pub(super) fn consumer(metrics: &Metrics) -> Self {
        Self::of("Fetch", metrics)
    }

    fn of(api: &'static str, metrics: &Metrics) -> Self {
        let latency = metrics.requests.get(api).cloned().unwrap_or_default();
        Self {
            api,
            requests: latency.count,
            request_ms: latency.mean().as_secs_f64() * 1e3,
            batches: None,
            retries: metrics.retries + metrics.produced.batches_retried,
            bytes_sent: metrics.traffic.outgoing_bytes,
            bytes_received: metrics.traffic.incoming_bytes,
        }
    }

    /// Its row for people.
    pub(super) fn row(&self) -> [String; 8] {
        let (batches, records) = match self.batches {
            Some((batches, records)) => (batches.to_string(), format!("{:.1}", each(records, batches))),
            None => Default::default(),
        };
        [
            self.api.to_owned(),
            self.requests.to_string(),
            format!("{:.3}", self.request_ms),
            batches,
            records,
            self.retries.to_string(),
            format!("{:.2}", self.bytes_sent as f64 / 1e6),
            format!("{:.2}", self.bytes_received as f64 / 1e6),
        ]
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "api": self.api,
            "requests": self.requests,
            "request_ms": self.request_ms,
            "batches": self.batches.map(|(batches, _)| batches),
            "records_per_batch": self.batches.map(|(batches, records)| each(records, batches)),
            "retries": self.retries,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
        })
    }
}

fn each(count: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}
