//! Timers that go by a clock. They are the task's for as long as it lives, and not part of its state.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use mainstem_client::{
    Text, Timestamp,
    clock::{Clock, SystemClock},
};

use crate::caps;

/// A task has as many timers by the clock as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task waits for {max} timers by the clock, and may not wait for more")]
pub struct TooManyTimers {
    /// How many it may have.
    pub max: usize,
}

/// A timer that goes by the clock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WallTimer {
    at: Timestamp,
    pub(crate) node: Text,
    pub(crate) key: Bytes,
}

/// The timers of a task that go by its clock.
#[derive(Debug)]
pub(crate) struct WallTimers {
    clock: Arc<dyn Clock>,
    set: BTreeSet<WallTimer>,
    /// When those of a node and a key go off.
    times: HashMap<(Text, Bytes), Timestamp>,
}

impl Default for WallTimers {
    fn default() -> Self {
        Self::by(Arc::new(SystemClock))
    }
}

impl WallTimers {
    pub(crate) fn by(clock: Arc<dyn Clock>) -> Self {
        Self { clock, set: BTreeSet::new(), times: HashMap::new() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sets a timer, or sets it anew.
    pub(crate) fn put(&mut self, after: Duration, node: &Text, key: &[u8]) -> Result<(), TooManyTimers> {
        self.delete(node, key);
        let max = caps::WALL_CLOCK_TIMERS_MAX;
        if self.set.len() >= max {
            return Err(TooManyTimers { max });
        }
        // One that is due at once would leave the task no time for anything else.
        let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX).max(1);
        let at = Timestamp(self.now().0.saturating_add(after));
        let (node, key) = (node.clone(), Bytes::copy_from_slice(key));
        self.times.insert((node.clone(), key.clone()), at);
        self.set.insert(WallTimer { at, node, key });
        Ok(())
    }

    pub(crate) fn delete(&mut self, node: &Text, key: &[u8]) {
        let (node, key) = (node.clone(), Bytes::copy_from_slice(key));
        if let Some(at) = self.times.remove(&(node.clone(), key.clone())) {
            self.set.remove(&WallTimer { at, node, key });
        }
    }

    /// Those that are due by now, in the order of their times.
    pub(crate) fn due(&self) -> Vec<WallTimer> {
        let Some(first) = self.set.first() else { return Vec::new() };
        let now = self.now();
        if first.at > now {
            return Vec::new();
        }
        self.set.iter().take_while(|timer| timer.at <= now).cloned().collect()
    }

    /// Takes a timer out; says whether it was there.
    pub(crate) fn take(&mut self, timer: &WallTimer) -> bool {
        let is_there = self.set.remove(timer);
        if is_there {
            self.times.remove(&(timer.node.clone(), timer.key.clone()));
        }
        is_there
    }

    /// How long it is until the first is due; none where there is none.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let left = self.set.first()?.at.0.saturating_sub(self.now().0);
        Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestClock;

    fn keys(timers: &WallTimers) -> Vec<Bytes> {
        timers.due().into_iter().map(|timer| timer.key).collect()
    }

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn timer_that_is_set_anew_is_due_at_its_new_time_alone() {
        let (clock, node) = (TestClock::default(), Text::from("n"));
        let mut timers = WallTimers::by(Arc::new(clock.clone()));
        timers.put(second(1), &node, b"a").unwrap();
        timers.put(second(2), &node, b"b").unwrap();
        timers.put(second(3), &node, b"a").unwrap();
        clock.set(second(2));
        assert_eq!(keys(&timers), ["b"]);
        assert_eq!(timers.wait(), Some(Duration::ZERO));
        clock.set(second(3));
        assert_eq!(keys(&timers), ["b", "a"]);
        timers.delete(&node, b"b");
        assert_eq!(keys(&timers), ["a"]);
        assert!(timers.take(&timers.due()[0].clone()));
        assert_eq!(timers.wait(), None);
    }

    #[test]
    fn timers_of_two_nodes_with_one_key_are_two() {
        let clock = TestClock::default();
        let mut timers = WallTimers::by(Arc::new(clock.clone()));
        timers.put(second(1), &"m".into(), b"k").unwrap();
        timers.put(second(1), &"n".into(), b"k").unwrap();
        timers.delete(&"m".into(), b"k");
        clock.set(second(1));
        assert_eq!(timers.due()[0].node, "n");
    }

    #[test]
    fn task_has_a_limited_number_of_timers_and_may_still_set_one_anew() {
        let (clock, node) = (TestClock::default(), Text::from("n"));
        let mut timers = WallTimers::by(Arc::new(clock));
        for number in 0..caps::WALL_CLOCK_TIMERS_MAX {
            timers.put(second(1), &node, &number.to_be_bytes()).unwrap();
        }
        let full = TooManyTimers { max: caps::WALL_CLOCK_TIMERS_MAX };
        assert_eq!(timers.put(second(1), &node, b"one more"), Err(full));
        assert_eq!(timers.put(second(2), &node, &0_usize.to_be_bytes()), Ok(()));
    }
}
