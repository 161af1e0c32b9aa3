//! Requests by API.

use std::time::Duration;

use mainstem_protocol::{ApiKey, ErrorCode, messages::ResponseBody};
use prometheus::{Histogram, HistogramVec, IntCounterVec};

use super::register::{BYTES, Registry, SECONDS, counters, histograms};

/// Requests of every API.
#[derive(Debug)]
pub struct Requests {
    /// By key; an API is looked up on every request.
    by_key: Vec<Option<Api>>,
    refused: IntCounterVec,
    errors: IntCounterVec,
}

/// Requests of one API.
#[derive(Clone, Debug)]
pub struct Api {
    seconds: Histogram,
    request_bytes: Histogram,
    response_bytes: Histogram,
}

impl Requests {
    pub(super) fn new(registry: &Registry) -> Self {
        let seconds = histograms(
            registry,
            "mainstem_request_seconds",
            "Time from a request's last byte to its answer, by API; long polls wait on purpose",
            SECONDS,
            &["api"],
        );
        let request_bytes =
            histograms(registry, "mainstem_request_bytes", "Size of requests, by API", BYTES, &["api"]);
        let response_bytes =
            histograms(registry, "mainstem_response_bytes", "Size of responses, by API", BYTES, &["api"]);
        let all = ApiKey::ALL.iter().map(|key| *key as usize).max().unwrap_or(0);
        let mut by_key = vec![None; all + 1];
        for key in ApiKey::ALL {
            by_key[*key as usize] = Some(Api::new(key.name(), [&seconds, &request_bytes, &response_bytes]));
        }
        let refused = counters(
            registry,
            "mainstem_requests_refused_total",
            "Requests that closed their connection, by reason: malformed, of an unknown API or version, too large, cut \
             short, too slow to arrive, without room to arrive in, or of another protocol",
            &["reason"],
        );
        let errors = counters(
            registry,
            "mainstem_request_errors_total",
            "Errors told to clients, by API and by Kafka's name of the error; one for each topic, partition or member that \
             has it",
            &["api", "error"],
        );
        Self { by_key, refused, errors }
    }

    /// The requests of `key`.
    pub fn of(&self, key: ApiKey) -> &Api {
        // Every key of `ApiKey::ALL` has its place.
        self.by_key[key as usize].as_ref().expect("every API has its metrics")
    }

    /// A request could not be taken.
    pub fn refused(&self, reason: &'static str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    /// A response was made. Its errors are counted one by one, as Kafka's `ErrorsPerSec` does
    /// (`RequestChannel.updateErrorMetrics`), but what succeeded is not counted among them.
    pub fn made(&self, response: &ResponseBody) {
        let key = response.key();
        response.each_error(|error| self.failed(key, error));
    }

    /// An error is told to a client. Costs a look-up, so for failures alone.
    pub fn failed(&self, key: ApiKey, error: ErrorCode) {
        // Every code that is told is in the table of names.
        self.errors.with_label_values(&[key.name(), error.name().unwrap_or("(unknown)")]).inc();
    }
}

impl Api {
    fn new(name: &str, [seconds, request_bytes, response_bytes]: [&HistogramVec; 3]) -> Self {
        Self {
            seconds: seconds.with_label_values(&[name]),
            request_bytes: request_bytes.with_label_values(&[name]),
            response_bytes: response_bytes.with_label_values(&[name]),
        }
    }

    /// A request was answered, after `elapsed`.
    pub fn answered(&self, elapsed: Duration, request_bytes: usize, response_bytes: usize) {
        self.seconds.observe(elapsed.as_secs_f64());
        self.request_bytes.observe(request_bytes as f64);
        self.response_bytes.observe(response_bytes as f64);
    }
}
