//! What was measured.

use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

use crate::cli::Error;

/// Latencies are told apart down to a microsecond, and to three digits.
const DIGITS: u8 = 3;

/// The longest latency that is told as it is, in microseconds: an hour.
const LATENCY_MICROS_MAX: u64 = 60 * 60 * 1_000_000;

/// Records, their bytes, and how long each of them took.
pub(super) struct Tally {
    pub(super) latencies: Histogram<u64>,
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// When the last of them was done.
    pub(super) ended: Option<Instant>,
}

impl Tally {
    pub(super) fn new() -> Result<Self, Error> {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, DIGITS).map_err(Error::new)?;
        Ok(Self { latencies, records: 0, bytes: 0, ended: None })
    }

    /// Takes a record that was due at one time and done at another.
    pub(super) fn add(&mut self, bytes: usize, due: Instant, done: Instant) {
        self.add_all(1, bytes as u64, done.saturating_duration_since(due), done);
    }

    /// Takes records that were done together.
    pub(super) fn add_all(&mut self, records: u64, bytes: u64, latency: Duration, done: Instant) {
        self.records += records;
        self.bytes += bytes;
        self.ended = self.ended.max(Some(done));
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(micros);
    }

    /// Takes in another one.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), Error> {
        self.records += other.records;
        self.bytes += other.bytes;
        self.ended = self.ended.max(other.ended);
        self.latencies.add(&other.latencies).map_err(Error::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_shows_in_every_record_that_was_due_meanwhile() {
        // A thousand records a second; the broker stalls for the whole second and then answers all of them at once.
        let (start, mut tally) = (Instant::now(), Tally::new().unwrap());
        let done = start + Duration::from_secs(1);
        (0..1000).for_each(|number| tally.add(100, start + Duration::from_millis(number), done));
        assert_eq!((tally.records, tally.bytes, tally.ended), (1000, 100_000, Some(done)));
        let median = tally.latencies.value_at_quantile(0.5);
        assert!((495_000..=505_000).contains(&median), "{median}");
    }

    #[test]
    fn tallies_of_partitions_add_up() {
        let (start, mut all) = (Instant::now(), Tally::new().unwrap());
        for millis in [1, 2, 3] {
            let mut one = Tally::new().unwrap();
            one.add(10, start, start + Duration::from_millis(millis));
            all.merge(&one).unwrap();
        }
        assert_eq!((all.records, all.bytes, all.latencies.len()), (3, 30, 3));
        assert_eq!(all.ended, Some(start + Duration::from_millis(3)));
    }
}
