//! Streams that look into what tables were.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use mainstem_client::Text;

use super::placed;
use crate::{
    Data, Input, StoreSpec, Stream, StreamBuilder, TopologyError,
    graph::{
        join::{
            self, Joiner,
            as_of::{AsOf, History, Versions},
            grace::{Grace, LookBack},
            waiting::Line,
        },
        operator,
        table::aside::Aside,
    },
    serdes::Serde,
    state::Form,
    topology::{Kind, Make, Node, Parent},
    window::millis,
};

/// Every value that a key had, and from when to when, as far back as its history goes; the latest for ever.
pub struct VersionedTable<K, V> {
    node: Parent,
    history: History,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> fmt::Debug for VersionedTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VersionedTable").field("history", &self.history).finish_non_exhaustive()
    }
}

impl StreamBuilder {
    /// The records of a topic as a table that knows what it was: each is the value of its key from its time on, until
    /// that of the next, whatever their order; null takes the key out. They are kept in the store `TOPIC-versions`.
    /// Records that are older than the history goes are dropped and counted, and so are those without a key.
    #[must_use]
    pub fn versioned_table<K: Serde, V: Serde>(
        &self,
        topic: impl Into<Text>,
        history: Duration,
    ) -> VersionedTable<K, V> {
        self.versioned_table_with(topic, history, Input::new())
    }

    /// As [`Self::versioned_table`], read as `input` says; the store is `NAME-versions`, where the name is that of the
    /// input.
    #[must_use]
    pub fn versioned_table_with<K: Serde, V: Serde>(
        &self,
        topic: impl Into<Text>,
        history: Duration,
        input: Input<K, Option<V>>,
    ) -> VersionedTable<K, V> {
        self.versions_of(input.into_table_node(topic.into()), history, None)
    }

    /// As [`Self::versioned_table_with`], kept in a store of that name, and where it says.
    #[must_use]
    pub fn versioned_table_in<K: Serde, V: Serde>(
        &self,
        topic: impl Into<Text>,
        history: Duration,
        input: Input<K, Option<V>>,
        store: impl Into<StoreSpec>,
    ) -> VersionedTable<K, V> {
        self.versions_of(input.into_table_node(topic.into()), history, Some(store.into()))
    }

    fn versions_of<K: Serde, V: Serde>(
        &self,
        source: Node,
        history: Duration,
        store: Option<StoreSpec>,
    ) -> VersionedTable<K, V> {
        let name = source.name.clone();
        let spec = store.unwrap_or_else(|| StoreSpec::new(format!("{name}-versions")));
        let store = spec.name.clone();
        let history = History { store: store.clone(), length: history };
        let kept = history.clone();
        let keep: Make = Arc::new(move |_| operator::node(Aside(Versions::<K, V>::new(kept.clone()))));
        let mut draft = self.draft().lock();
        draft.add_store(spec.holding(Form::new::<K, V>("versioned")));
        draft.add(source);
        let node = Node::new(store.clone(), Kind::Processor, vec![Parent::only(name)], keep);
        draft.add(Node { stores: vec![store.clone()], ..node });
        VersionedTable { node: Parent::only(store), history, types: PhantomData }
    }
}

impl<K: Serde, V: Serde> Stream<K, V> {
    /// Puts each record together with the value that its key had in the table when the record happened; one for which
    /// there was none has no result. A value holds from its own time on, that moment included.
    ///
    /// What the table says of that time is what it knows of it when the record comes: a value that comes later changes
    /// no result that was given. Of two values of one time the one that came last holds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("charged");
    /// let prices = builder.versioned_table::<Text, i64>("prices", Duration::from_secs(3600));
    /// let sales = builder.stream::<Text, i64>("sales");
    /// sales.join_as_of(&prices, |_, pieces, price| pieces * price).to("charged");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("prices", "tea", 4_i64, 100)?;
    /// driver.pipe("prices", "tea", 5_i64, 200)?;
    /// for time in [99, 199, 200] {
    ///     driver.pipe("sales", "tea", 10_i64, time)?;
    /// }
    /// let charged = driver.read::<String, i64>("charged")?;
    /// assert_eq!(charged.iter().map(|sale| sale.value).collect::<Vec<_>>(), [40, 50]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn join_as_of<T: Serde, O: Data>(
        &self,
        table: &VersionedTable<K, T>,
        join: impl Fn(&K, &V, &T) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.look_back("join_as_of", table, join::inner(join))
    }

    /// As [`Self::join_as_of`], with a result also where there was no value, and for a record without a key.
    #[must_use]
    pub fn left_join_as_of<T: Serde, O: Data>(
        &self,
        table: &VersionedTable<K, T>,
        join: impl Fn(&K, &V, Option<&T>) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.look_back("left_join_as_of", table, join::left(join))
    }

    /// As [`Self::join_as_of`], but each record waits until the watermark is behind it by the grace, so that values of the
    /// table which come up to so late are found too (Kafka Streams: `Joined.withGracePeriod`, KIP-923). The history of the
    /// table must go back at least as far, or the topology is refused.
    ///
    /// Results come in the order of the records' times, and of their coming where those are the same. A record that is
    /// later than the grace waits no longer: its result comes at once. Those that wait are kept in a store of that name,
    /// which the node is named like.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("charged");
    /// let prices = builder.versioned_table::<Text, i64>("prices", Duration::from_secs(3600));
    /// let sales = builder.stream::<Text, i64>("sales");
    /// let grace = Duration::from_millis(50);
    /// sales.join_as_of_with_grace(&prices, grace, "priced", |_, pieces, price| pieces * price).to("charged");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("prices", "tea", 4_i64, 100)?;
    /// driver.pipe("sales", "tea", 10_i64, 200)?;
    /// // A price that comes behind what it is for.
    /// driver.pipe("prices", "tea", 5_i64, 190)?;
    /// driver.finish()?;
    /// assert_eq!(driver.read::<String, i64>("charged")?[0].value, 50);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn join_as_of_with_grace<T: Serde, O: Data>(
        &self,
        table: &VersionedTable<K, T>,
        grace: Duration,
        store: impl Into<StoreSpec>,
        join: impl Fn(&K, &V, &T) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.look_back_later(table, grace, store.into(), join::inner(join))
    }

    /// As [`Self::join_as_of_with_grace`], with a result also where there was no value. That of a record without a key
    /// comes at once.
    #[must_use]
    pub fn left_join_as_of_with_grace<T: Serde, O: Data>(
        &self,
        table: &VersionedTable<K, T>,
        grace: Duration,
        store: impl Into<StoreSpec>,
        join: impl Fn(&K, &V, Option<&T>) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.look_back_later(table, grace, store.into(), join::left(join))
    }

    fn look_back_later<T: Serde, O: Data>(
        &self,
        table: &VersionedTable<K, T>,
        grace: Duration,
        spec: StoreSpec,
        join: Joiner<K, V, T, O>,
    ) -> Stream<K, O> {
        let store = spec.name.clone();
        let (stream, history) = (placed(self, &store), table.history.clone());
        let stores = vec![store.clone(), history.store.clone()];
        let fault = too_short(&history, grace);
        let (line, delay_ms) = (store.clone(), millis(grace));
        let make: Make = Arc::new(move |_| {
            let as_of = AsOf::new(Arc::clone(&join), history.clone());
            let grace = Grace { ms: delay_ms, line: Line::new(line.clone()) };
            join::node(LookBack::new(as_of, Some(grace)))
        });
        let parents = vec![table.node.clone(), stream.node().clone()];
        let node = Node::new(store.clone(), Kind::Processor, parents, make);
        let mut draft = self.draft().lock();
        if let Some(fault) = fault {
            draft.refuse(TopologyError::BadWindows { node: store.clone(), fault });
        }
        draft.add_store(spec.holding(Form::new::<K, V>("waiting records")));
        draft.add(Node { stores, delay_ms, is_timed: true, looks_up: true, ..node });
        drop(draft);
        Stream::new(self.draft().clone(), Parent::only(store), false)
    }

    fn look_back<T: Serde, O: Data>(
        &self,
        what: &str,
        table: &VersionedTable<K, T>,
        join: Joiner<K, V, T, O>,
    ) -> Stream<K, O> {
        let name = self.draft().free(&format!("{}.{what}", self.node().name));
        let (stream, history) = (placed(self, &name), table.history.clone());
        let stores = vec![history.store.clone()];
        let make: Make =
            Arc::new(move |_| join::node(LookBack::new(AsOf::new(Arc::clone(&join), history.clone()), None)));
        let parents = vec![table.node.clone(), stream.node().clone()];
        let node = Node::new(name.clone(), Kind::Processor, parents, make);
        self.draft().lock().add(Node { stores, ..node });
        Stream::new(self.draft().clone(), Parent::only(name), false)
    }
}

/// What is wrong with a history that ends before records have waited long enough to look into it.
fn too_short(history: &History, grace: Duration) -> Option<String> {
    let length = history.length;
    (length < grace).then(|| {
        format!("a grace of {grace:?}, and a table whose history goes back {length:?}; as far as the grace is needed")
    })
}
