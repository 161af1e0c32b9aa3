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

impl<V> Update<V> {
    /// What the update is to a table that is made of this one, value by value; none where that has nothing before and
    /// after.
    pub(crate) fn map<U>(self, map: impl Fn(V) -> Option<U>) -> Option<Update<U>> {
        let Self { old, new } = self;
        let update = Update { old: old.and_then(&map), new: new.and_then(&map) };
        (update.old.is_some() || update.new.is_some()).then_some(update)
    }
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
