//! A value for each key.

use std::{fmt, sync::Arc};

use mainstem_client::Text;

use super::{Data, Stream};
use crate::{
    graph::{operator::node, sink::Sink, table::update::Update},
    record::Item,
    serdes::Serde,
    topology::{Kind, Make},
};

/// A value for each key, as a store keeps it; and the stream of its updates, of which the last one of each key is the
/// table. To topics only the last update of a key between two commits is written, so that their number says nothing
/// there; what keeps something of the updates gets each.
pub struct Table<K, V> {
    updates: Stream<K, Update<V>>,
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self { updates: self.updates.clone() }
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("updates", &self.updates).finish()
    }
}

impl<K: Data, V: Data> Table<K, V> {
    pub(super) const fn new(updates: Stream<K, Update<V>>) -> Self {
        Self { updates }
    }

    /// The stream of its updates: the new value of a key, and none where a key leaves the table.
    #[must_use]
    pub fn to_stream(&self) -> Stream<K, Option<V>> {
        self.updates.step("to_stream", false, |updates, out| {
            out.extend(updates.drain(..).map(|item| item.with(|key, update| (key, update.new))));
        })
    }

    /// The stream of its new values. That a key leaves the table is not to be seen there: it is for tables that keys
    /// never leave, as those of [`crate::Grouped`].
    #[must_use]
    pub fn updates(&self) -> Stream<K, V> {
        self.updates.step("updates", false, |updates, out| {
            let updates = updates.drain(..);
            out.extend(updates.filter_map(Item::new_value));
        })
    }
}

impl<K: Serde, V: Serde> Table<K, V> {
    /// Writes its updates to a topic, with null as the value where a key leaves the table.
    pub fn to(&self, topic: impl Into<Text>) {
        let (topic, draft) = (topic.into(), self.updates.draft());
        let name = draft.free(&format!("{topic}.sink"));
        let to = topic.clone();
        let make: Make = Arc::new(move |_| node(Sink::<Item<K, Update<V>>>::new(to.clone())));
        self.updates.sink(name, Kind::Sink { topic, is_repartition: false }, make);
    }
}
