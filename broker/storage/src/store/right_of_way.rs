//! What is about to be acknowledged goes first: while the journal is synced, whoever works through a log stands aside.
//!
//! It is not the disk alone that both need. Between a sync and its end stand workers of the kernel that are bound to a
//! processor, and Linux lets a thread that computes there finish its time first, for up to a tick of 4 ms, whatever its
//! priority within this process. Only a thread that sleeps is not in their way. Decision 8 has what that changes, and what
//! it does not.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::clock::Clock;

/// For so long somebody may stand aside for each moment in which they worked: a log is compacted with a fifth of the
/// time at least, although the journal is synced all the while.
const ASIDE_PER_WORK: u32 = 4;

/// So much of that may be saved up. A sync that takes longer than a disk with a spindle does is not waited for.
const ASIDE_MAX: Duration = Duration::from_millis(50);

/// Whether the journal is being synced.
#[derive(Debug, Default)]
pub(super) struct RightOfWay {
    is_taken: AtomicBool,
    /// Whether anybody stands aside: else nobody need be told.
    is_awaited: AtomicBool,
    aside: Mutex<()>,
    freed: Condvar,
}

/// Others stand aside until this goes.
#[derive(Debug)]
pub(super) struct Taken<'a>(&'a RightOfWay);

impl RightOfWay {
    pub(super) fn take(&self) -> Taken<'_> {
        self.is_taken.store(true, Ordering::SeqCst);
        Taken(self)
    }

    /// Waits while the way is taken, as far as patience goes.
    pub(super) fn stand_aside(&self, patience: &mut Patience, clock: &dyn Clock) {
        if !self.is_taken.load(Ordering::Relaxed) {
            return;
        }
        let from = clock.monotonic();
        let most = patience.left(from);
        if !most.is_zero() {
            self.wait(most);
            patience.stood(from, clock.monotonic());
        }
    }

    fn wait(&self, most: Duration) {
        let aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_awaited.store(true, Ordering::SeqCst);
        // Whoever frees it does so before looking whether anybody waits.
        let is_taken = |(): &mut ()| self.is_taken.load(Ordering::SeqCst);
        drop(self.freed.wait_timeout_while(aside, most, is_taken));
        self.is_awaited.store(false, Ordering::SeqCst);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Self(way) = self;
        way.is_taken.store(false, Ordering::SeqCst);
        if way.is_awaited.load(Ordering::SeqCst) {
            drop(way.aside.lock());
            way.freed.notify_all();
        }
    }
}

/// How long somebody may still stand aside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    left: Duration,
    /// Since when they have worked, by the monotonic clock.
    works_from: Duration,
}

impl Patience {
    /// All of it, for somebody who begins now.
    pub(super) const fn new(now: Duration) -> Self {
        Self { left: ASIDE_MAX, works_from: now }
    }

    /// How long they may stand aside now.
    fn left(&mut self, now: Duration) -> Duration {
        let worked = now.saturating_sub(self.works_from);
        self.left = self.left.saturating_add(worked.saturating_mul(ASIDE_PER_WORK)).min(ASIDE_MAX);
        self.works_from = now;
        self.left
    }

    fn stood(&mut self, from: Duration, now: Duration) {
        self.left = self.left.saturating_sub(now.saturating_sub(from));
        self.works_from = now;
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;
    use crate::clock::SystemClock;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn whoever_stands_aside_goes_on_when_the_way_is_free() {
        let way = Arc::new(RightOfWay::default());
        let taken = way.take();
        let waiter = thread::spawn({
            let way = Arc::clone(&way);
            // More than any test takes: only the end of the sync ends it.
            move || way.wait(Duration::from_secs(3600))
        });
        while !way.is_awaited.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        drop(taken);
        waiter.join().unwrap();
    }

    #[test]
    fn a_free_way_costs_no_patience_and_one_that_stays_taken_not_more_than_there_is() {
        let (way, clock) = (RightOfWay::default(), SystemClock::default());
        let mut patience = Patience::new(clock.monotonic());
        way.stand_aside(&mut patience, &clock);
        assert_eq!(patience.left, ASIDE_MAX);
        let _taken = way.take();
        way.stand_aside(&mut patience, &clock);
        assert!(patience.left < ASIDE_MAX);
    }

    #[test]
    fn a_fifth_of_the_time_is_worked_under_syncs_without_end() {
        let (mut now, mut aside) = (Duration::ZERO, Duration::ZERO);
        let mut patience = Patience { left: Duration::ZERO, works_from: now };
        for _ in 0..1000 {
            now += MILLISECOND;
            let (from, most) = (now, patience.left(now));
            now += most.min(3 * ASIDE_PER_WORK * MILLISECOND);
            patience.stood(from, now);
            aside += now - from;
        }
        assert_eq!(aside, now * ASIDE_PER_WORK / (ASIDE_PER_WORK + 1));
    }
}
