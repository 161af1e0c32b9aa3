//! How long to wait before the next attempt.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// How much shorter or longer than its turn a wait may be, in thousandths (Kafka: `CommonClientConfigs.RETRY_BACKOFF_JITTER`):
/// clients that have lost the same broker do not come back all at once.
const JITTER_THOUSANDTHS: u64 = 200;

/// Waits that double from attempt to attempt, with an upper bound, each of them a little off.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    chance: RandomState,
    count: u64,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first, chance: RandomState::new(), count: 0 }
    }

    /// The wait before the attempt that comes now: within a fifth of its turn, and never above the longest.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        self.count += 1;
        // Keys that the system has drawn at random, and a number that is new each time.
        let chance = self.chance.hash_one(self.count) % (2 * JITTER_THOUSANDTHS + 1);
        let thousandths = u32::try_from(1000 - JITTER_THOUSANDTHS + chance).unwrap_or(1000);
        (wait * thousandths / 1000).min(self.longest)
    }

    /// Whether the last attempt was a success, or there was none.
    pub(crate) fn is_fresh(&self) -> bool {
        self.next == self.first
    }

    /// Begins anew after a success.
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(150));
        for expected in [40..=60, 80..=120, 120..=150, 120..=150] {
            let wait = backoff.next().as_millis();
            assert!(expected.contains(&wait), "{wait}");
        }
        backoff.reset();
        assert!((40..=60).contains(&backoff.next().as_millis()));
    }

    #[test]
    fn clients_that_begin_together_do_not_stay_together() {
        let waits: std::collections::HashSet<_> =
            (0..20).map(|_| Backoff::new(Duration::from_secs(1), Duration::from_secs(9)).next()).collect();
        assert!(waits.len() > 1);
    }
}
