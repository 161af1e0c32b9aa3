//! Log lines about what peers did wrong: each says why, and no peer can fill the log with them.

use std::{
    collections::HashSet,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::caps::{LOGGED_NAME_CHARS_MAX, REFUSAL_LINES_PER_SECOND, REFUSALS_REMEMBERED_MAX};

/// A request that nobody here can answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct UnknownRequest {
    /// What the client says it is, as far as it has said so.
    pub(super) software: String,
    pub(super) key: i16,
    pub(super) version: i16,
}

/// Remembers what was logged.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    known: Mutex<HashSet<UnknownRequest>>,
    budget: Mutex<Budget>,
}

#[derive(Debug, Default)]
struct Budget {
    second: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl Refusals {
    /// Whether this kind of request was not logged before. Beyond a number of kinds, none is new.
    pub(super) fn is_new(&self, request: UnknownRequest) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.len() < REFUSALS_REMEMBERED_MAX && known.insert(request)
    }

    /// Permission for one more line, with the number of lines that were left out before it.
    pub(super) fn line(&self) -> Option<u64> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
    }
}

impl Budget {
    fn take(&mut self, now: Instant) -> Option<u64> {
        let is_over = self.second.is_none_or(|second| now.duration_since(second) >= Duration::from_secs(1));
        if is_over {
            (self.second, self.lines) = (Some(now), 0);
        }
        if self.lines == REFUSAL_LINES_PER_SECOND {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// A name from the wire as the log may show it: short, and without anything that moves a cursor.
pub(super) fn printable(name: &str) -> String {
    name.chars().filter(|char| !char.is_control()).take(LOGGED_NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_request_is_new_once() {
        let refusals = Refusals::default();
        let request = UnknownRequest { software: "kcat".to_owned(), key: 99, version: 0 };
        assert!(refusals.is_new(request.clone()));
        assert!(!refusals.is_new(request.clone()));
        assert!(refusals.is_new(UnknownRequest { version: 1, ..request }));
    }

    #[test]
    fn lines_above_the_budget_are_counted_and_told_later() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        for _ in 0..REFUSAL_LINES_PER_SECOND {
            assert_eq!(budget.take(now), Some(0));
        }
        assert_eq!(budget.take(now), None);
        assert_eq!(budget.take(now), None);
        assert_eq!(budget.take(now + Duration::from_secs(1)), Some(2));
    }

    #[test]
    fn names_cannot_paint_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\n"), "a[31mb");
        assert_eq!(printable(&"x".repeat(1000)).len(), LOGGED_NAME_CHARS_MAX);
    }
}
