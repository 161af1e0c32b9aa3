//! Settings of `fetch`.

use super::INT_MAX;
use crate::config::{Shape, setting::settings};

settings! {
    /// What the broker keeps for clients that fetch.
    pub struct FetchSettings at fetch, "Fetch" {
        /// Fetch sessions (KIP-227) that the broker keeps. A client without one names all its partitions in every request; 0
        /// keeps none.
        sessions_max: usize = 1000, "max.incremental.fetch.session.cache.slots",
            Shape::count(0, INT_MAX).kafka("ServerConfigs");
    }
}
