//! Where tables begin: topics and streams.

use std::sync::Arc;

use mainstem_client::Text;

use super::Table;
use crate::{
    Input, Stream, StreamBuilder,
    dsl::grouped::add_keeper,
    graph::{
        aggregate::Passing,
        cells::Cells,
        operator::node,
        table::keep::{Keep, Says},
    },
    record::{Item, Ordered},
    serdes::Serde,
    topology::{Make, Parent},
};

impl StreamBuilder {
    /// The records of a topic as a table: each is the value of its key from then on, and null takes the key out. They
    /// are kept in the store `TOPIC-table`. Records without a key are left out and counted
    /// ([`crate::NodeCounts::errors`] of the node that is named like the store).
    ///
    /// What came last counts, whatever its time.
    #[must_use]
    pub fn table<K: Serde, V: Serde>(&self, topic: impl Into<Text>) -> Table<K, V> {
        self.table_with(topic, Input::new())
    }

    /// The records of a topic as a table, read as `input` says; the store is `NAME-table`, where the name is that of
    /// the input.
    #[must_use]
    pub fn table_with<K: Serde, V: Serde>(
        &self,
        topic: impl Into<Text>,
        input: Input<K, Option<V>>,
    ) -> Table<K, V> {
        let node = input.into_table_node(topic.into());
        let name = node.name.clone();
        self.draft().check::<K, V>(&name);
        self.draft().lock().add(node);
        let store = Text::from(format!("{name}-table"));
        let says: Says<Item<Option<K>, Option<V>>, K, V> = Item::keyed;
        let records = Stream::<Option<K>, Option<V>>::new(self.draft().clone(), Parent::only(name), false);
        add_keeper(&records, store.clone(), keep(&store, says), |node| node).kept_in(store)
    }
}

impl<K: Serde, V: Serde> Stream<K, V> {
    /// The stream as a table: each record is the value of its key from then on. Where the key has changed on the way,
    /// records go through a repartition topic first.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("last-seen");
    /// let seen = builder.stream::<Text, Text>("visits").to_table("last-visits");
    /// seen.to("last-visits");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for page in ["/", "/shop"] {
    ///     driver.pipe("visits", "anna", page, 0)?;
    /// }
    /// assert_eq!(driver.read_table::<String, String>("last-visits")?["anna"], "/shop");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_table(&self, store: impl Into<Text>) -> Table<K, V> {
        let store = store.into();
        let says: Says<Item<K, V>, K, V> = |item| Some(item.with(|key, value| (key, Some(value))));
        add_keeper(self, store.clone(), keep(&store, says), |node| node).kept_in(store)
    }
}

impl<K: Serde, V: Serde> Stream<K, Option<V>> {
    /// As [`Stream::to_table`], where a record without a value takes its key out of the table.
    pub fn to_table_with_removals(&self, store: impl Into<Text>) -> Table<K, V> {
        let store = store.into();
        let says: Says<Item<K, Option<V>>, K, V> = Some;
        add_keeper(self, store.clone(), keep(&store, says), |node| node).kept_in(store)
    }
}

fn keep<I: Ordered + Send + 'static, K: Serde, V: Serde>(store: &Text, says: Says<I, K, V>) -> Make {
    let store = store.clone();
    Arc::new(move |setting| node(Keep::new(says, Cells::new(store.clone()), Passing::of(setting))))
}
