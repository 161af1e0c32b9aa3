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

    /// So many bytes were read or written.
    pub(crate) const fn spend(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// How long to wait before more is read or written, at such a rate from now on.
    pub(crate) fn wait(&mut self, bytes_per_second: f64, now: Duration) -> Duration {
        if bytes_per_second != self.bytes_per_second {
            *self = Self::new(bytes_per_second, now);
        }
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
            pace.spend(50);
            now += pace.wait(1000.0, now);
        }
        assert_eq!(now, Duration::from_secs(5));
    }

    #[test]
    fn without_a_limit_nothing_is_waited_for_and_idle_time_is_not_saved_up() {
        let mut pace = Pace::new(f64::MAX, Duration::ZERO);
        pace.spend(u64::MAX);
        assert_eq!(pace.wait(f64::MAX, Duration::ZERO), Duration::ZERO);
        let mut pace = Pace::new(1000.0, Duration::ZERO);
        let later = Duration::from_secs(100);
        pace.spend(1);
        assert_eq!(pace.wait(1000.0, later), Duration::ZERO);
        pace.spend(1000);
        assert_eq!(pace.wait(1000.0, later), Duration::from_secs(1));
    }

    #[test]
    fn another_rate_holds_at_once() {
        let mut pace = Pace::new(1.0, Duration::ZERO);
        pace.spend(1_000_000);
        assert_eq!(pace.wait(1.0, Duration::from_secs(1)), Duration::from_secs(999_999));
        assert_eq!(pace.wait(1000.0, Duration::from_secs(1)), Duration::ZERO);
        pace.spend(1000);
        assert_eq!(pace.wait(1000.0, Duration::from_secs(1)), Duration::from_secs(1));
    }
}
