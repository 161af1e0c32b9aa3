//! Where tables begin: topics and streams.

use std::sync::Arc;

use mainstem_client::Text;

use super::Table;
use crate::{
    Input, StoreSpec, Stream, StreamBuilder,
    dsl::grouped::add_keeper,
    graph::{
        aggregate::Passing,
        cells::Cells,
        operator::node,
        table::keep::{Keep, Says},
    },
    record::Item,
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
        self.table_of(topic.into(), input, None)
    }

    /// As [`Self::table_with`], kept in a store of that name, and where it says (Kafka Streams: `table(topic, Consumed,
    /// Materialized)`).
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{Input, StoreSpec, StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("towns");
    /// let store = StoreSpec::new("towns").on_disk();
    /// builder.table_in::<Text, Text>("towns-topic", Input::new(), store).to("out");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("towns-topic", "anna", "Graz", 0)?;
    /// assert_eq!(driver.store::<String, String>("towns")?, [("anna".to_owned(), "Graz".to_owned())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn table_in<K: Serde, V: Serde>(
        &self,
        topic: impl Into<Text>,
        input: Input<K, Option<V>>,
        store: impl Into<StoreSpec>,
    ) -> Table<K, V> {
        self.table_of(topic.into(), input, Some(store.into()))
    }

    fn table_of<K: Serde, V: Serde>(
        &self,
        topic: Text,
        input: Input<K, Option<V>>,
        store: Option<StoreSpec>,
    ) -> Table<K, V> {
        let node = input.into_table_node(topic);
        let name = node.name.clone();
        self.draft().check::<K, V>(&name);
        self.draft().lock().add(node);
        let store = store.unwrap_or_else(|| StoreSpec::new(format!("{name}-table")));
        let says: Says<Item<Option<K>, Option<V>>, K, V> = Item::keyed;
        let records = Stream::<Option<K>, Option<V>>::new(self.draft().clone(), Parent::only(name), false);
        kept(&records, store, says)
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
    pub fn to_table(&self, store: impl Into<StoreSpec>) -> Table<K, V> {
        let says: Says<Item<K, V>, K, V> = |item| Some(item.with(|key, value| (key, Some(value))));
        kept(self, store.into(), says)
    }
}

impl<K: Serde, V: Serde> Stream<K, Option<V>> {
    /// As [`Stream::to_table`], where a record without a value takes its key out of the table.
    pub fn to_table_with_removals(&self, store: impl Into<StoreSpec>) -> Table<K, V> {
        let says: Says<Item<K, Option<V>>, K, V> = Some;
        kept(self, store.into(), says)
    }
}

fn kept<K: Serde, K2: Serde, V: Serde, V2: Serde>(
    stream: &Stream<K, V>,
    store: StoreSpec,
    says: Says<Item<K, V>, K2, V2>,
) -> Table<K2, V2> {
    let (kept_in, name) = (store.name.clone(), store.name.clone());
    let make: Make =
        Arc::new(move |setting| node(Keep::new(says, Cells::new(name.clone()), Passing::of(setting))));
    add_keeper(stream, store, make, |node| node).kept_in(kept_in)
}
