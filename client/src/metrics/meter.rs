//! Where it is counted: numbers that many tasks raise at once.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use mainstem_protocol::{
    ApiKey, ErrorCode,
    messages::{FetchResponse, ResponseBody},
    records::Records,
};

use super::{Consumed, Metrics, Produced, Traffic, histogram::Histogram};
use crate::transport::TransportError;

/// Codes that have a place of their own, from -1 on; the protocol has fewer.
const CODES: usize = 256;

/// What one client counts.
#[derive(Debug)]
pub(crate) struct Meter {
    /// By the place of the API among all of them.
    requests: Box<[Histogram]>,
    codes: Box<[AtomicU64]>,
    timed_out: AtomicU64,
    disconnected: AtomicU64,
    failed: AtomicU64,
    retries: AtomicU64,
    records_sent: AtomicU64,
    records_failed: AtomicU64,
    batches_sent: AtomicU64,
    batches_retried: AtomicU64,
    batch_bytes: AtomicU64,
    uncompressed_bytes: AtomicU64,
    queue_time: Histogram,
    records_consumed: AtomicU64,
    bytes_consumed: AtomicU64,
    rebalances: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            requests: ApiKey::ALL.iter().map(|_| Histogram::default()).collect(),
            codes: (0..CODES).map(|_| AtomicU64::new(0)).collect(),
            timed_out: AtomicU64::new(0),
            disconnected: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            records_sent: AtomicU64::new(0),
            records_failed: AtomicU64::new(0),
            batches_sent: AtomicU64::new(0),
            batches_retried: AtomicU64::new(0),
            batch_bytes: AtomicU64::new(0),
            uncompressed_bytes: AtomicU64::new(0),
            queue_time: Histogram::default(),
            records_consumed: AtomicU64::new(0),
            bytes_consumed: AtomicU64::new(0),
            rebalances: AtomicU64::new(0),
        }
    }
}

/// Raises a number by as much as a count in memory says.
fn add(number: &AtomicU64, count: usize) {
    number.fetch_add(count as u64, Relaxed);
}

impl Meter {
    /// A request got its answer, or none.
    pub(crate) fn called(&self, key: ApiKey, time: Duration, answer: &Result<ResponseBody, TransportError>) {
        match answer {
            Ok(answer) => self.answered(key, time, answer),
            Err(TransportError::TimedOut { .. }) => add(&self.timed_out, 1),
            Err(TransportError::Disconnected { .. }) => add(&self.disconnected, 1),
            Err(_) => add(&self.failed, 1),
        }
    }

    fn answered(&self, key: ApiKey, time: Duration, answer: &ResponseBody) {
        let place = ApiKey::ALL.iter().position(|known| *known == key);
        if let Some(request) = place.and_then(|place| self.requests.get(place)) {
            request.observe(time);
        }
        answer.each_error(|code| {
            if let Some(count) = usize::try_from(i32::from(code.0) + 1).ok().and_then(|at| self.codes.get(at))
            {
                count.fetch_add(1, Relaxed);
            }
        });
        if let ResponseBody::Fetch(FetchResponse { responses, .. }) = answer {
            let partitions = responses.iter().flat_map(|topic| &topic.partitions);
            add(
                &self.bytes_consumed,
                partitions.filter_map(|data| data.records.as_ref()).map(Records::len).sum(),
            );
        }
    }

    /// Something is attempted again.
    pub(crate) fn tried_again(&self) {
        add(&self.retries, 1);
    }

    /// A batch was made of what has waited for so long.
    pub(crate) fn sealed(&self, waited: Duration, uncompressed: usize, bytes: usize) {
        self.queue_time.observe(waited);
        add(&self.uncompressed_bytes, uncompressed);
        add(&self.batch_bytes, bytes);
    }

    /// A batch was acknowledged.
    pub(crate) fn stored(&self, records: i32) {
        add(&self.batches_sent, 1);
        add(&self.records_sent, usize::try_from(records).unwrap_or(0));
    }

    /// A batch has failed.
    pub(crate) fn lost(&self, records: i32) {
        add(&self.records_failed, usize::try_from(records).unwrap_or(0));
    }

    /// A batch is sent again.
    pub(crate) fn retried(&self) {
        add(&self.batches_retried, 1);
    }

    /// Records were handed out.
    pub(crate) fn consumed(&self, records: usize) {
        add(&self.records_consumed, records);
    }

    /// The group has given out partitions.
    pub(crate) fn rebalanced(&self) {
        add(&self.rebalances, 1);
    }

    /// All of it at this moment.
    pub(crate) fn snapshot(&self, traffic: Traffic) -> Metrics {
        let requests =
            ApiKey::ALL.iter().zip(&self.requests).map(|(key, times)| (key.name(), times.snapshot()));
        Metrics {
            traffic,
            requests: requests.filter(|(_, latency)| latency.count > 0).collect(),
            errors: self.errors(),
            retries: self.retries.load(Relaxed),
            produced: Produced {
                records: self.records_sent.load(Relaxed),
                records_failed: self.records_failed.load(Relaxed),
                batches: self.batches_sent.load(Relaxed),
                batches_retried: self.batches_retried.load(Relaxed),
                bytes: self.batch_bytes.load(Relaxed),
                uncompressed_bytes: self.uncompressed_bytes.load(Relaxed),
                queue_time: self.queue_time.snapshot(),
            },
            consumed: Consumed {
                records: self.records_consumed.load(Relaxed),
                bytes: self.bytes_consumed.load(Relaxed),
                rebalances: self.rebalances.load(Relaxed),
                lag: BTreeMap::new(),
            },
        }
    }

    fn errors(&self) -> BTreeMap<String, u64> {
        let codes = self.codes.iter().zip(-1..).map(|(count, code)| (ErrorCode(code).to_string(), count));
        let lost =
            [("TIMED_OUT", &self.timed_out), ("DISCONNECTED", &self.disconnected), ("FAILED", &self.failed)];
        let lost = lost.into_iter().map(|(name, count)| (name.to_owned(), count));
        let counts = codes.chain(lost).map(|(name, count)| (name, count.load(Relaxed)));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

/// What the connections of one transport count.
#[derive(Debug, Default)]
pub(crate) struct TrafficMeter {
    created: AtomicU64,
    closed: AtomicU64,
    failed: AtomicU64,
    outgoing: AtomicU64,
    incoming: AtomicU64,
}

impl TrafficMeter {
    pub(crate) fn opened(&self) {
        add(&self.created, 1);
    }

    pub(crate) fn closed(&self) {
        add(&self.closed, 1);
    }

    pub(crate) fn failed(&self) {
        add(&self.failed, 1);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        add(&self.outgoing, bytes);
    }

    pub(crate) fn received(&self, bytes: usize) {
        add(&self.incoming, bytes);
    }

    pub(crate) fn snapshot(&self) -> Traffic {
        // In this order: a connection that ends in between counts as open.
        let closed = self.closed.load(Relaxed);
        let connections_created = self.created.load(Relaxed);
        Traffic {
            connections: connections_created.saturating_sub(closed),
            connections_created,
            connections_failed: self.failed.load(Relaxed),
            outgoing_bytes: self.outgoing.load(Relaxed),
            incoming_bytes: self.incoming.load(Relaxed),
        }
    }
}
