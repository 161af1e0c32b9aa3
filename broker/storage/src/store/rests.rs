//! Whoever works through a log in the background does so in short pieces while others append, and sleeps between them.
//!
//! It is not the disk alone that both need. Whoever appends waits for threads of this process, and between a sync and its
//! end for workers of the kernel, some of them bound to a processor. Linux lets a thread that computes there finish its
//! time first, for up to a tick of 4 ms, whatever its priority within this process. Only a thread that sleeps is not in
//! their way. Decision 8 has what that changes.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// After so much work a rest is due. An append that comes meanwhile is held up for so long at most.
const WORK: Duration = Duration::from_micros(200);

/// How long a rest is. The system makes it some 50 µs longer.
pub(super) const REST: Duration = Duration::from_micros(200);

/// For so long behind a write of the journal the next one is expected. Nobody rests for the sake of an idle store.
const EXPECTED: Duration = Duration::from_millis(100);

/// When the journal was written last, by the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct LastWrite(AtomicU64);

impl LastWrite {
    pub(super) fn note(&self, now: Duration) {
        self.0.store(u64::try_from(now.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn is_recent(&self, now: Duration) -> bool {
        let last = Duration::from_micros(self.0.load(Ordering::Relaxed));
        now.saturating_sub(last) < EXPECTED
    }
}

/// Since when somebody has worked without a rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rested(Duration);

impl Rested {
    /// Work begins now.
    pub(super) const fn at(now: Duration) -> Self {
        Self(now)
    }

    /// Whether it is time for another rest.
    pub(super) fn is_tired(self, now: Duration, last_write: &LastWrite) -> bool {
        now.saturating_sub(self.0) >= WORK && last_write.is_recent(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Duration = Duration::from_secs(1000);

    #[test]
    fn a_rest_is_due_after_a_piece_of_work_while_the_journal_is_written() {
        let (last_write, rested) = (LastWrite::default(), Rested::at(BEGIN));
        last_write.note(BEGIN);
        assert!(!rested.is_tired(BEGIN + WORK / 2, &last_write));
        assert!(rested.is_tired(BEGIN + WORK, &last_write));
    }

    #[test]
    fn nobody_rests_for_the_sake_of_an_idle_store() {
        let (last_write, rested) = (LastWrite::default(), Rested::at(BEGIN));
        assert!(!rested.is_tired(BEGIN + WORK, &last_write));
        last_write.note(BEGIN);
        assert!(!rested.is_tired(BEGIN + EXPECTED, &last_write));
    }
}
