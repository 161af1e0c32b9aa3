//! What becomes of a key's value.

use crate::{
    OutputRecord,
    graph::{NodeError, cx::Cx, sink::Write},
    record::Item,
    serdes::Serde,
};

/// What becomes of the value of a key in a table (Kafka Streams: `Change`). Nodes that take updates need the old value
/// to take back what it has led to; where none does, it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Update<V> {
    /// The value before; none where there was none, or nobody asks.
    pub(crate) old: Option<V>,
    /// The value from now on; none where the key leaves the table.
    pub(crate) new: Option<V>,
}

impl<K, V> Item<K, Update<V>> {
    /// The new value, if there is one.
    pub(crate) fn new_value(self) -> Option<Item<K, V>> {
        let Self { key, value, time, headers, watermark, order } = self;
        value.new.map(|value| Item { key, value, time, headers, watermark, order })
    }
}

/// A topic gets the new value, and null where there is none any more.
impl<K: Serde, V: Serde> Write for Item<K, Update<V>> {
    fn write(self, cx: &mut Cx<'_>) -> Result<OutputRecord, NodeError> {
        self.with(|key, update| (key, update.new)).write(cx)
    }
}
