//! A value for each key.

use std::fmt;

use mainstem_client::Text;

use super::{Data, Stream};
use crate::serdes::Serde;

/// A value for each key, as a store keeps it; and the stream of its changes, of which the last one of each key is the
/// table. To topics only the last change of a key between two commits is written, so that their number says nothing there;
/// what keeps something of the changes gets each.
pub struct Table<K, V> {
    changes: Stream<K, V>,
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("changes", &self.changes).finish()
    }
}

impl<K: Data, V: Data> Table<K, V> {
    pub(super) const fn new(changes: Stream<K, V>) -> Self {
        Self { changes }
    }

    /// The stream of its changes.
    #[must_use]
    pub fn to_stream(&self) -> Stream<K, V> {
        self.changes.clone()
    }
}

impl<K: Serde, V: Serde> Table<K, V> {
    /// Writes its changes to a topic.
    pub fn to(&self, topic: impl Into<Text>) {
        self.changes.to(topic);
    }
}
