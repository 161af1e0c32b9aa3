//! Streams that look into tables which every task has whole.

use std::{fmt, sync::Arc};

use mainstem_client::Text;

use crate::{
    Data, Input, Stream, StreamBuilder, TopologyError,
    graph::{
        join::{
            self, Joiner,
            global::{AsksFor, StreamGlobal},
        },
        operator::node,
        table::{
            aside::Aside,
            global::{self, KeepGlobal},
            view::View,
        },
    },
    serdes::Serde,
    topology::{Kind, Make, Node, Parent},
};

/// A table that every task has whole: a process reads all partitions of its topic, once for all of its tasks, and keeps
/// them in memory. No task begins to work before the table is read up to where its topic ended when the process was
/// started; from then on it follows the topic. The topic is all that there is of it: it has no changelog, and is read from
/// the beginning at each start.
///
/// In a run whose input is bounded ([`crate::InputEnd::At`]) the table is that of the named offsets, and where none is
/// named that of the start.
pub struct GlobalTable<K, V> {
    table: Text,
    view: View<K, V>,
}

impl<K, V> Clone for GlobalTable<K, V> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone(), view: Arc::clone(&self.view) }
    }
}

impl<K, V> fmt::Debug for GlobalTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlobalTable").field("table", &self.table).finish_non_exhaustive()
    }
}

impl StreamBuilder {
    /// The records of a topic as a table that every task has whole: each is the value of its key from then on, and null
    /// takes the key out. It is kept under the name `TOPIC-global`. Records without a key are left out and counted.
    #[must_use]
    pub fn global_table<K: Serde, V: Serde>(&self, topic: impl Into<Text>) -> GlobalTable<K, V> {
        self.global_table_with(topic, Input::new())
    }

    /// The same, read as `input` says; the table is `NAME-global`, where the name is that of the input. Records that do
    /// not parse may be skipped, or fail the process: the topic is read anew at each start, and so there is no dead-letter
    /// topic for them.
    #[must_use]
    pub fn global_table_with<K: Serde, V: Serde>(
        &self,
        topic: impl Into<Text>,
        input: Input<K, Option<V>>,
    ) -> GlobalTable<K, V> {
        let is_sent_on = input.sends_dead_letters();
        let source = input.into_table_node(topic.into());
        let name = source.name.clone();
        let table = Text::from(format!("{name}-global"));
        let kept = table.clone();
        let keep: Make = Arc::new(move |_| node(Aside(KeepGlobal::<K, V>::new(kept.clone()))));
        self.draft().check::<K, V>(&name);
        let mut draft = self.draft().lock();
        if is_sent_on {
            draft.refuse(TopologyError::GlobalDeadLetters { node: name.clone() });
        }
        draft.add(Node { is_global: true, ..source });
        let keeper = Node::new(table.clone(), Kind::Processor, vec![Parent::only(name)], keep);
        draft.add(Node { is_global: true, globals: vec![table.clone()], ..keeper });
        GlobalTable { view: global::view(table.clone()), table }
    }
}

impl<K: Serde, V: Serde> Stream<K, V> {
    /// Puts each record together with what the global table holds for the key that the record asks for, made of its key and
    /// value by `asks_for`; one for which it holds nothing has no result. What happens to the table later leads to nothing.
    ///
    /// Nothing needs to be co-partitioned, and nothing is moved: results keep key, time and headers of the stream's record.
    /// Records that ask for nothing, or have no value, have no result and are counted.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("flights");
    /// let airports = builder.global_table::<Text, Text>("airports");
    /// builder
    ///     .stream::<i64, Text>("flights")
    ///     .join_global(&airports, |_, to| Some(to.clone()), |number, _, airport| format!("{number}: {airport}"))
    ///     .to("destinations");
    ///
    /// let topology = builder.build()?;
    /// let mut driver = TestDriver::with_partitions(&topology, &[("airports", 5), ("flights", 2)])?;
    /// driver.pipe("airports", "VIE", "Wien", 0)?;
    /// driver.pipe("flights", 87_i64, "VIE", 0)?;
    /// assert_eq!(driver.read::<i64, String>("destinations")?[0].value, "87: Wien");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn join_global<G: Serde, T: Data, O: Data>(
        &self,
        table: &GlobalTable<G, T>,
        asks_for: impl Fn(&K, &V) -> Option<G> + Send + Sync + 'static,
        join: impl Fn(&K, &V, &T) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.look_up_global("join_global", table, Arc::new(asks_for), join::inner(join), false)
    }

    /// As [`Self::join_global`], with a result also where the table holds nothing. A record that asks for nothing has one
    /// only if it has no key itself (KIP-962).
    #[must_use]
    pub fn left_join_global<G: Serde, T: Data, O: Data>(
        &self,
        table: &GlobalTable<G, T>,
        asks_for: impl Fn(&K, &V) -> Option<G> + Send + Sync + 'static,
        join: impl Fn(&K, &V, Option<&T>) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.look_up_global("left_join_global", table, Arc::new(asks_for), join::left(join), true)
    }

    fn look_up_global<G: Serde, T: Data, O: Data>(
        &self,
        what: &str,
        table: &GlobalTable<G, T>,
        asks_for: AsksFor<K, V, G>,
        join: Joiner<K, V, T, O>,
        is_left: bool,
    ) -> Stream<K, O> {
        let name = self.draft().free(&format!("{}.{what}", self.node().name));
        let (view, globals) = (Arc::clone(&table.view), vec![table.table.clone()]);
        let make: Make = Arc::new(move |_| {
            let (asks_for, table, join) = (Arc::clone(&asks_for), Arc::clone(&view), Arc::clone(&join));
            node(StreamGlobal { asks_for, table, join, is_left })
        });
        let joined = Node::new(name.clone(), Kind::Processor, vec![self.node().clone()], make);
        self.draft().lock().add(Node { globals, ..joined });
        Stream::new(self.draft().clone(), Parent::only(name), self.is_rekeyed())
    }
}
