//! When each record is to be sent, whatever became of those before it.

use std::num::NonZeroU64;
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::cli::Error;

/// How long the pacemaker sleeps at least: the reactor's own timers are a millisecond apart, which is longer than many a
/// latency.
const TICK: Duration = Duration::from_micros(50);

/// The times at which records are to be sent: evenly apart, or as fast as they can be.
pub(super) struct Pace {
    start: Instant,
    rate: Option<NonZeroU64>,
    due: watch::Receiver<u64>,
    known: u64,
}

impl Pace {
    /// Begins now; without a rate each record is due at once.
    pub(super) fn begin(rate: Option<NonZeroU64>) -> Result<Self, Error> {
        let (sender, due) = watch::channel(0);
        let start = Instant::now();
        if let Some(rate) = rate {
            let beat = move || beat(start, rate, &sender);
            thread::Builder::new().name("pacemaker".to_owned()).spawn(beat).map_err(Error::new)?;
        }
        Ok(Self { start, rate, due, known: 0 })
    }

    /// When it has begun.
    pub(super) const fn start(&self) -> Instant {
        self.start
    }

    /// Waits until the record of this number is due, and says when that was: never later than now, and earlier where the
    /// loop has fallen behind.
    pub(super) async fn due(&mut self, number: u64) -> Instant {
        let Some(rate) = self.rate else { return Instant::now() };
        if number >= self.known {
            // The pacemaker beats as long as somebody listens.
            self.known = self.due.wait_for(|due| *due > number).await.map_or(u64::MAX, |due| *due);
        }
        self.start + after(number, rate)
    }
}

/// Tells again and again how many records are due.
fn beat(start: Instant, rate: NonZeroU64, sender: &watch::Sender<u64>) {
    while !sender.is_closed() {
        let due = due_after(start.elapsed(), rate);
        sender.send_replace(due);
        let next = start + after(due, rate);
        thread::sleep(next.saturating_duration_since(Instant::now()).clamp(TICK, Duration::from_millis(100)));
    }
}

/// Records that are due so long after the start; the first one is due at once.
fn due_after(elapsed: Duration, rate: NonZeroU64) -> u64 {
    let due = elapsed.as_nanos() * u128::from(rate.get()) / NANOS;
    u64::try_from(due).unwrap_or(u64::MAX).saturating_add(1)
}

/// How long after the start the record of this number is due.
fn after(number: u64, rate: NonZeroU64) -> Duration {
    let nanos = (u128::from(number) * NANOS).div_ceil(u128::from(rate.get()));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

const NANOS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(rate: u64) -> NonZeroU64 {
        NonZeroU64::new(rate).unwrap()
    }

    #[test]
    fn records_are_due_at_their_times_and_not_before() {
        for each in [1, 3, 1000, 999_999, 7_000_000] {
            for number in [0, 1, 2, 1_000_003] {
                let at = after(number, rate(each));
                assert!(due_after(at, rate(each)) > number, "{number} at {each}");
                let before = at.saturating_sub(Duration::from_nanos(1));
                assert!(number == 0 || due_after(before, rate(each)) <= number, "{number} at {each}");
            }
        }
    }

    #[tokio::test]
    async fn a_loop_that_fell_behind_keeps_its_times() {
        let mut pace = Pace::begin(Some(rate(1000))).unwrap();
        let tenth = pace.due(10).await;
        assert_eq!(tenth - pace.start(), Duration::from_millis(10));
        // Those before it were due long ago, and still are counted from then.
        assert_eq!(pace.due(3).await - pace.start(), Duration::from_millis(3));
    }
}
