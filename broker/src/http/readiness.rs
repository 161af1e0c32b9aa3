//! Whether clients can be served.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// Whether clients can be served, and why not. Clones are the same.
#[derive(Clone, Debug)]
pub struct Readiness {
    why_not: Arc<ArcSwap<Option<&'static str>>>,
}

impl Default for Readiness {
    /// Not ready: recovering.
    fn default() -> Self {
        Self { why_not: Arc::new(ArcSwap::from_pointee(Some("recovering"))) }
    }
}

impl Readiness {
    /// Clients are served from now on.
    pub fn ready(&self) {
        self.why_not.store(Arc::new(None));
    }

    /// Clients are not served from now on.
    pub fn not_ready(&self, why: &'static str) {
        self.why_not.store(Arc::new(Some(why)));
    }

    /// The reason why clients are not served, if they are not.
    pub fn why_not(&self) -> Option<&'static str> {
        **self.why_not.load()
    }
}
