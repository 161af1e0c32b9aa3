//! Who wants to be told the time, and when.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mainstem_protocol::Text;
use tokio::sync::Notify;

/// Deadlines of groups, soonest first. A group may have several; one that is not due any more costs it a look.
#[derive(Debug, Default)]
pub(super) struct Timers {
    deadlines: Mutex<BTreeSet<(Duration, Text)>>,
    sooner: Notify,
}

impl Timers {
    pub(super) fn arm(&self, deadline: Duration, group: &Text) {
        let mut deadlines = self.deadlines.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = deadlines.first().is_none_or(|(first, _)| deadline < *first);
        deadlines.insert((deadline, group.clone()));
        if is_first {
            self.sooner.notify_one();
        }
    }

    /// Takes the groups out that are due, and says when the next one is.
    pub(super) fn due(&self, now: Duration) -> (Vec<Text>, Option<Duration>) {
        let mut deadlines = self.deadlines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while deadlines.first().is_some_and(|(deadline, _)| *deadline <= now) {
            due.extend(deadlines.pop_first().map(|(_, group)| group));
        }
        (due, deadlines.first().map(|(deadline, _)| *deadline))
    }

    /// Until a deadline was set that comes before all others.
    pub(super) async fn sooner(&self) {
        self.sooner.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_once_and_the_next_deadline_is_told() {
        let timers = Timers::default();
        let second = Duration::from_secs(1);
        timers.arm(2 * second, &"b".into());
        timers.arm(second, &"a".into());
        timers.arm(3 * second, &"c".into());
        assert_eq!(timers.due(2 * second), (vec!["a".into(), "b".into()], Some(3 * second)));
        assert_eq!(timers.due(2 * second), (vec![], Some(3 * second)));
    }
}
