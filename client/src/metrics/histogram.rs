//! Times, counted in buckets.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Buckets of a histogram: the first takes what is no longer than 128 µs, each further one twice that of the one before,
/// the last whatever is longer than about a minute.
///
/// ```
/// let latency = mainstem_client::metrics::Latency::default();
/// assert_eq!(latency.buckets.len(), mainstem_client::metrics::LATENCY_BUCKETS);
/// ```
pub const LATENCY_BUCKETS: usize = 21;

/// The exponent of the first bucket's bound in microseconds.
const FIRST: u32 = 7;

/// How long something took, each time that it happened.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// admin.list_topics().await?;
/// let metadata = &admin.metrics().requests["Metadata"];
/// println!("{} answers, {:?} on average", metadata.count, metadata.mean());
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Latency {
    /// How often.
    pub count: u64,
    /// Microseconds of all of them together.
    pub sum_us: u64,
    /// How often it took so long, by bucket ([`LATENCY_BUCKETS`]).
    pub buckets: [u64; LATENCY_BUCKETS],
}

impl Latency {
    /// The upper bound of a bucket, which it includes; none for the last one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_client::metrics::Latency;
    ///
    /// assert_eq!(Latency::bound(0), Some(Duration::from_micros(128)));
    /// ```
    #[must_use]
    pub fn bound(bucket: usize) -> Option<Duration> {
        let exponent = FIRST + u32::try_from(bucket).ok()?;
        (bucket + 1 < LATENCY_BUCKETS).then(|| Duration::from_micros(1 << exponent))
    }

    /// The average; zero where nothing has happened.
    ///
    /// ```
    /// let latency = mainstem_client::metrics::Latency { count: 2, sum_us: 6, ..Default::default() };
    /// assert_eq!(latency.mean().as_micros(), 3);
    /// ```
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_micros(self.sum_us.checked_div(self.count).unwrap_or(0))
    }
}

/// The same while it is counted.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    sum_us: AtomicU64,
    buckets: [AtomicU64; LATENCY_BUCKETS],
}

impl Histogram {
    pub(super) fn observe(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        // Bits of the largest number that the bucket takes: 128 is the last one of the first bucket.
        let bits = u64::BITS - micros.saturating_sub(1).leading_zeros();
        let bucket = (bits.saturating_sub(FIRST) as usize).min(LATENCY_BUCKETS - 1);
        self.sum_us.fetch_add(micros, Relaxed);
        self.buckets[bucket].fetch_add(1, Relaxed);
    }

    pub(super) fn snapshot(&self) -> Latency {
        let buckets: [u64; LATENCY_BUCKETS] =
            std::array::from_fn(|bucket| self.buckets[bucket].load(Relaxed));
        Latency { count: buckets.iter().sum(), sum_us: self.sum_us.load(Relaxed), buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_in_the_first_bucket_that_takes_it() {
        let check = |micros: u64, expected: usize| {
            let histogram = Histogram::default();
            histogram.observe(Duration::from_micros(micros));
            let latency = histogram.snapshot();
            assert_eq!(latency.buckets.iter().position(|count| *count == 1), Some(expected), "{micros}");
            let bound = Latency::bound(expected).map_or(u64::MAX, |bound| bound.as_micros() as u64);
            assert!(micros <= bound, "{micros}");
            assert_eq!((latency.count, latency.sum_us), (1, micros));
        };
        check(0, 0);
        check(128, 0);
        check(129, 1);
        check(256, 1);
        check(1_000_000, 13);
        check(67_108_864, 19);
        check(67_108_865, 20);
        check(u64::MAX, 20);
    }
}
