//! Timers of a node that go by its watermark. They stand in the store of the task, by their times, among those of other
//! nodes.

use mainstem_client::Timestamp;

use super::cx::Cx;
use crate::{
    state::Timer,
    watermark::{BEGINNING, END},
};

/// Where the timers of a node are.
#[derive(Debug)]
pub(crate) struct Timers {
    /// None of them is in front of this: until then nobody has to look.
    pub(crate) next: Timestamp,
}

impl Timers {
    /// What the store holds is not known yet.
    pub(crate) const fn new() -> Self {
        Self { next: BEGINNING }
    }

    /// Takes out the first one that is due.
    pub(crate) fn take(&mut self, due: Timestamp, cx: &mut Cx<'_>) -> Option<Timer> {
        if due == BEGINNING || due < self.next {
            return None;
        }
        match cx.stores.first().due_timer(self.next, due, cx.node) {
            Ok(timer) => {
                self.next = timer.at;
                cx.stores.first_mut().delete_timer(timer.at, &timer.node, &timer.key);
                Some(timer)
            }
            Err(next) => {
                self.next = next;
                None
            }
        }
    }
}

/// Up to when timers of the node are due at its watermark. At the end of the input it is those that there are: one that sets
/// itself anew each time would have no end.
pub(crate) fn due(cx: &Cx<'_>) -> Timestamp {
    let last = (cx.watermark == END).then(|| cx.stores.first().last_timer(cx.node));
    last.map_or(cx.watermark, |last| last.unwrap_or(BEGINNING))
}
