//! How long to wait before the next attempt.

use std::time::Duration;

/// Waits that double from attempt to attempt, with an upper bound.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The wait before the attempt that comes now.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        wait
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
        let waits = [backoff.next(), backoff.next(), backoff.next()].map(|wait| wait.as_millis());
        assert_eq!(waits, [50, 100, 150]);
        backoff.reset();
        assert_eq!(backoff.next().as_millis(), 50);
    }
}
