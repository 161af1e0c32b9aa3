//! A clock that wakes when it is set to. The runtime's timers wake at full milliseconds, up to two of them late; the
//! system's own are right to a few microseconds (`timerfd_create(2)`).

use std::{future::pending, io, os::fd::OwnedFd, time::Duration};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::{Instant, sleep_until},
};
use tracing::debug;

/// Waits up to this long are exact; of longer ones, what the runtime's timers are late by is a small part.
const EXACT_MAX: Duration = Duration::from_millis(200);

/// The alarm clock of one task.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// None where the process may not open any more files: the runtime's timers then do it alone.
    timer: Option<AsyncFd<OwnedFd>>,
    set_to: Option<Instant>,
}

impl Alarm {
    /// An alarm that is not set. Must be called within a runtime.
    pub(crate) fn new() -> Self {
        let timer = timer().inspect_err(|error| debug!(%error, "waits are exact to two milliseconds only"));
        Self { timer: timer.ok(), set_to: None }
    }

    /// Waits until a time, or less: what the alarm was set to before may ring first.
    ///
    /// # Cancel safety
    /// Dropped, it can be called again, with the same time or another.
    pub(crate) async fn wait(&mut self, now: Instant, until: Instant) {
        let left = until.saturating_duration_since(now);
        let Some(timer) = self.timer.as_ref().filter(|_| left <= EXACT_MAX) else {
            return sleep_until(until).await;
        };
        let is_set = self.set_to.is_some_and(|time| now < time && time <= until);
        if !is_set {
            self.set_to = set(timer, left).is_ok().then_some(until);
        }
        // The runtime's timer comes first only where a test has stopped the clock.
        tokio::select! {
            biased;
            () = ring(timer) => {}
            () = sleep_until(until) => {}
        }
    }
}

#[expect(
    deprecated,
    reason = "what replaces it is unsafe; an `OwnedFd` is the same descriptor as long as it lives"
)]
fn timer() -> io::Result<AsyncFd<OwnedFd>> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    AsyncFd::with_interest(timer, Interest::READABLE)
}

/// Sets it anew; what has rung before is forgotten, so nobody has to read the timer.
fn set(timer: &AsyncFd<OwnedFd>, left: Duration) -> io::Result<()> {
    // Zero would stop it.
    let left = Timespec::try_from(left.max(Duration::from_nanos(1))).map_err(io::Error::other)?;
    let once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let time = Itimerspec { it_interval: once, it_value: left };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &time)?;
    Ok(())
}

async fn ring(timer: &AsyncFd<OwnedFd>) {
    match timer.readable().await {
        Ok(mut ready) => ready.clear_ready(),
        Err(_) => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(3);
    const LATE: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn alarm_rings_at_its_time_and_again_at_the_next() {
        let mut alarm = Alarm::new();
        for _ in 0..5 {
            let until = Instant::now() + SOON;
            while Instant::now() < until {
                alarm.wait(Instant::now(), until).await;
            }
        }
        assert!(alarm.timer.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn stopped_clock_goes_on_when_everybody_waits() {
        let (mut alarm, start) = (Alarm::new(), Instant::now());
        alarm.wait(start, start + EXACT_MAX).await;
        alarm.wait(Instant::now(), start + LATE).await;
        assert!(start.elapsed() >= LATE);
    }

    #[tokio::test]
    async fn earlier_time_counts_whichever_was_set_first() {
        let (mut alarm, start) = (Alarm::new(), Instant::now());
        for until in [start + EXACT_MAX, start + SOON, start + EXACT_MAX] {
            let waited = tokio::time::timeout(Duration::ZERO, alarm.wait(start, until)).await;
            assert!(waited.is_err());
            assert!(alarm.set_to.is_some_and(|time| time <= until));
        }
        assert_eq!(alarm.set_to, Some(start + SOON));
    }

    #[tokio::test]
    async fn alarm_without_a_timer_waits_all_the_same() {
        let (mut alarm, until) = (Alarm { timer: None, set_to: None }, Instant::now() + SOON);
        alarm.wait(Instant::now(), until).await;
        assert!(Instant::now() >= until);
    }
}
