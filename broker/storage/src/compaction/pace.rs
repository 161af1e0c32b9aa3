//! Not faster than it may be (Kafka: `log.cleaner.io.max.bytes.per.second`).

use std::time::Duration;

/// Bytes that were read and written since it began, and when that was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    bytes_per_second: f64,
    begun: Duration,
    bytes: u64,
}

impl Pace {
    /// So many bytes a second, from `now` on, by the monotonic clock.
    pub(crate) const fn new(bytes_per_second: f64, now: Duration) -> Self {
        Self { bytes_per_second, begun: now, bytes: 0 }
    }

    /// So many bytes were read or written; how long to wait before the next.
    pub(crate) fn spend(&mut self, bytes: u64, now: Duration) -> Duration {
        self.bytes += bytes;
        let due = Duration::try_from_secs_f64(self.bytes as f64 / self.bytes_per_second);
        let wait = due.map_or(Duration::ZERO, |due| (self.begun + due).saturating_sub(now));
        // Whoever was slow for long may not be fast for long.
        if wait.is_zero() && now.saturating_sub(self.begun) > BURST {
            *self = Self::new(self.bytes_per_second, now);
        }
        wait
    }
}

const BURST: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_add_up_to_the_rate() {
        let mut pace = Pace::new(1000.0, Duration::ZERO);
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            now += pace.spend(50, now);
        }
        assert_eq!(now, Duration::from_secs(5));
    }

    #[test]
    fn without_a_limit_nothing_is_waited_for_and_idle_time_is_not_saved_up() {
        assert_eq!(Pace::new(f64::MAX, Duration::ZERO).spend(u64::MAX, Duration::ZERO), Duration::ZERO);
        let mut pace = Pace::new(1000.0, Duration::ZERO);
        let later = Duration::from_secs(100);
        assert_eq!(pace.spend(1, later), Duration::ZERO);
        assert_eq!(pace.spend(1000, later), Duration::from_secs(1));
    }
}
