//! Whether clients can be served.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;

/// Whether clients can be served, and why not. Clones are the same.
#[derive(Clone)]
pub struct Readiness {
    why_not: Arc<ArcSwap<Option<&'static str>>>,
    watch: Arc<OnceLock<Watch>>,
}

/// What keeps clients away at this moment.
type Watch = Box<dyn Fn() -> Option<&'static str> + Send + Sync>;

impl Default for Readiness {
    /// Not ready: recovering.
    fn default() -> Self {
        Self { why_not: Arc::new(ArcSwap::from_pointee(Some("recovering"))), watch: Arc::default() }
    }
}

impl Readiness {
    /// Clients are served from now on, but while `watch` says why not.
    pub fn ready(&self, watch: impl Fn() -> Option<&'static str> + Send + Sync + 'static) {
        // Nobody becomes ready twice.
        let _ = self.watch.set(Box::new(watch));
        self.why_not.store(Arc::new(None));
    }

    /// Clients are not served from now on.
    pub fn not_ready(&self, why: &'static str) {
        self.why_not.store(Arc::new(Some(why)));
    }

    /// The reason why clients are not served, if they are not.
    pub fn why_not(&self) -> Option<&'static str> {
        let watched = || self.watch.get().and_then(|watch| watch());
        self.why_not.load().or_else(watched)
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").field("why_not", &self.why_not()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn clients_are_served_between_recovery_and_stop_and_while_nothing_keeps_them_away() {
        let (readiness, is_full) = (Readiness::default(), Arc::new(AtomicBool::new(false)));
        assert_eq!(readiness.why_not(), Some("recovering"));
        let seen = Arc::clone(&is_full);
        readiness.ready(move || seen.load(Ordering::Relaxed).then_some("full"));
        assert_eq!(readiness.why_not(), None);
        is_full.store(true, Ordering::Relaxed);
        assert_eq!(readiness.why_not(), Some("full"));
        readiness.not_ready("stopping");
        assert_eq!(readiness.why_not(), Some("stopping"));
    }
}
