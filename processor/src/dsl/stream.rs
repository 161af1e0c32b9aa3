//! Records, one by one.

use std::{fmt, marker::PhantomData, sync::Arc};

use mainstem_client::Text;

use super::{Data, Draft, Grouped, Input, Split};
use crate::{
    TopologyError,
    graph::{
        operator::node,
        repartition::{Repartition, Route},
        sink::Sink,
        stateless::{Stateless, Step},
    },
    record::Item,
    serdes::Serde,
    topology::{Kind, Make, Node, Parent},
};

/// Records, one by one. Each step leads to another stream; the same stream may be used several times, by cloning it.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{StreamBuilder, TestDriver};
///
/// let builder = StreamBuilder::new("long-words");
/// builder
///     .stream::<Text, Text>("words")
///     .filter(|_, word| word.len() > 3)
///     .map(|_, word| (word.len() as i32, word.to_uppercase()))
///     .to("long-words");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// for word in ["log", "stream"] {
///     driver.pipe("words", "key", word, 0)?;
/// }
/// let long = driver.read::<i32, String>("long-words")?;
/// assert_eq!((long.len(), long[0].key, &*long[0].value), (1, 6, "STREAM"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stream<K, V> {
    draft: Draft,
    node: Parent,
    /// Whether the key may be another one than that by which records are in their partitions.
    is_rekeyed: bool,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for Stream<K, V> {
    fn clone(&self) -> Self {
        let Self { draft, node, is_rekeyed, types } = self;
        Self { draft: draft.clone(), node: node.clone(), is_rekeyed: *is_rekeyed, types: *types }
    }
}

impl<K, V> fmt::Debug for Stream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("node", &self.node.name).finish_non_exhaustive()
    }
}

impl<K: Data, V: Data> Stream<K, V> {
    pub(crate) const fn new(draft: Draft, node: Parent, is_rekeyed: bool) -> Self {
        Self { draft, node, is_rekeyed, types: PhantomData }
    }

    pub(crate) const fn draft(&self) -> &Draft {
        &self.draft
    }

    pub(crate) const fn node(&self) -> &Parent {
        &self.node
    }

    pub(crate) const fn is_rekeyed(&self) -> bool {
        self.is_rekeyed
    }

    /// A step that leads to another stream.
    pub(super) fn step<K2: Data, V2: Data>(
        &self,
        what: &str,
        is_rekeyed: bool,
        step: impl Fn(&mut Vec<Item<K, V>>, &mut Vec<Item<K2, V2>>) + Send + Sync + 'static,
    ) -> Stream<K2, V2> {
        let step: Step<_, _> = Arc::new(step);
        let make: Make = Arc::new(move |_| node(Stateless { step: Arc::clone(&step) }));
        let node = self.draft.step(vec![self.node.clone()], what, make);
        Stream::new(self.draft.clone(), node, is_rekeyed)
    }

    /// Gives the last step another name than the one that follows from its place.
    #[must_use]
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        let name = name.into();
        self.draft.lock().rename(&self.node.name, &name);
        self.node.name = name;
        self
    }

    /// Keeps the records that `keep` says yes to.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.step("filter", self.is_rekeyed, move |records, out| {
            records.retain(|item| keep(&item.key, &item.value));
            out.append(records);
        })
    }

    /// Makes another record of each.
    #[must_use]
    pub fn map<K2: Data, V2: Data>(
        &self,
        map: impl Fn(K, V) -> (K2, V2) + Send + Sync + 'static,
    ) -> Stream<K2, V2> {
        self.step("map", true, move |records, out| {
            out.extend(records.drain(..).map(|item| item.with(&map)));
        })
    }

    /// Makes another value of each, under the same key: nothing has to move to another partition then.
    #[must_use]
    pub fn map_values<V2: Data>(&self, map: impl Fn(V) -> V2 + Send + Sync + 'static) -> Stream<K, V2> {
        self.step("map_values", self.is_rekeyed, move |records, out| {
            out.extend(records.drain(..).map(|item| item.with(|key, value| (key, map(value)))));
        })
    }

    /// Makes any number of records of each.
    #[must_use]
    pub fn flat_map<K2: Data, V2: Data, I: IntoIterator<Item = (K2, V2)>>(
        &self,
        map: impl Fn(K, V) -> I + Send + Sync + 'static,
    ) -> Stream<K2, V2> {
        self.step("flat_map", true, move |records, out| {
            for item in records.drain(..) {
                let Item { key, value, time, headers, watermark, order } = item;
                let results = map(key, value).into_iter();
                out.extend(results.map(|(key, value)| Item {
                    key,
                    value,
                    time,
                    headers: headers.clone(),
                    watermark,
                    order,
                }));
            }
        })
    }

    /// Makes any number of values of each, under the same key.
    #[must_use]
    pub fn flat_map_values<V2: Data, I: IntoIterator<Item = V2>>(
        &self,
        map: impl Fn(V) -> I + Send + Sync + 'static,
    ) -> Stream<K, V2> {
        self.flat_map_values_with_key(move |_, value| map(value))
    }

    /// Puts another key to each.
    #[must_use]
    pub fn select_key<K2: Data>(&self, key: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> Stream<K2, V> {
        self.keyed("select_key", key)
    }

    fn keyed<K2: Data>(
        &self,
        what: &str,
        key: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
    ) -> Stream<K2, V> {
        self.step(what, true, move |records, out| {
            out.extend(records.drain(..).map(|item| item.with(|old, value| (key(&old, &value), value))));
        })
    }

    /// Looks at each record in passing.
    #[must_use]
    pub fn peek(&self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        self.step("peek", self.is_rekeyed, move |records, out| {
            records.iter().for_each(|item| look(&item.key, &item.value));
            out.append(records);
        })
    }

    /// Shares the records out to branches with names; each goes to the first that wants it.
    #[must_use]
    pub fn split(&self, name: impl Into<Text>) -> Split<K, V> {
        Split::new(self, name.into())
    }

    /// The records of both, in the order in which the task has seen them.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let make: Make = Arc::new(|_| {
            let pass: Step<Item<K, V>, Item<K, V>> = Arc::new(|records, out| out.append(records));
            node(Stateless { step: pass })
        });
        let node = self.draft.step(vec![self.node.clone(), other.node.clone()], "merge", make);
        Self::new(self.draft.clone(), node, self.is_rekeyed || other.is_rekeyed)
    }

    /// Brings together by another key what is to be counted or added up.
    #[must_use]
    pub fn group_by<K2: Data>(&self, key: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> Grouped<K2, V> {
        Grouped::new(self.keyed("group_by", key))
    }

    /// Brings together by the key what is to be counted or added up.
    #[must_use]
    pub fn group_by_key(&self) -> Grouped<K, V> {
        Grouped::new(self.clone())
    }

    pub(super) fn sink(&self, name: Text, kind: Kind, make: Make) {
        self.draft.lock().add(Node::new(name, kind, vec![self.node.clone()], make));
    }
}

impl<K: Serde, V: Serde> Stream<K, V> {
    /// Writes the records to a topic. A key chooses its partition as with every Kafka producer.
    pub fn to(&self, topic: impl Into<Text>) {
        let topic = topic.into();
        let name = self.draft.free(&format!("{topic}.sink"));
        self.draft.check::<K, V>(&name);
        let to = topic.clone();
        let make: Make = Arc::new(move |_| node(Sink::<Item<K, V>>::new(to.clone())));
        self.sink(name, Kind::Sink { topic, is_repartition: false }, make);
    }

    /// Sends the records through the topic `NAME-name-repartition`, so that those of one key are in one partition
    /// again. Grouping does so by itself where the key has changed. Records without a key have no place there: they
    /// are dropped and counted.
    ///
    /// The topic has as many partitions as those that it meets behind it in a join or an aggregate, or else as there are
    /// tasks in front of it; [`Self::repartition_into`] has it have others.
    #[must_use]
    pub fn repartition(&self, name: impl Into<Text>) -> Self {
        self.repartition_by(name.into(), Route::ByKey, None)
    }

    /// As [`Self::repartition`], through a topic of so many partitions, and so into so many tasks (Kafka Streams:
    /// `Repartitioned.withNumberOfPartitions`, KIP-221): more of them behind a topic of few partitions, where the work is.
    /// Repartition topics that it meets have as many. A topic of another number that it meets is refused at the start, and
    /// another repartition that asks for another number when the program is built.
    ///
    /// The number is that of the state behind it too, and stays: a start with another one on the same state is refused.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("words");
    /// let words = builder.stream::<(), Text>("words").select_key(|_, word| word.clone());
    /// words.repartition_into("by-word", 8).group_by_key().count("counts").to("counts");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for word in ["to", "be", "or", "not", "to", "be"] {
    ///     driver.pipe("words", (), word, 0)?;
    /// }
    /// // Between the records stand marks of time, which have no keys.
    /// let mut moved = driver.read::<Option<Text>, Option<Text>>("words-by-word-repartition")?;
    /// moved.retain(|record| record.key.is_some());
    /// assert!(moved.iter().any(|record| record.partition != moved[0].partition));
    /// assert_eq!(driver.read_table::<String, i64>("counts")?["be"], 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn repartition_into(&self, name: impl Into<Text>, partitions: i32) -> Self {
        self.repartition_by(name.into(), Route::ByKey, Some(partitions))
    }

    pub(super) fn repartition_by(&self, name: Text, route: Route<V>, partitions: Option<i32>) -> Self {
        let whole = self.draft.lock().name().clone();
        if let Err(fault) = crate::topology::named(&name, "repartition") {
            self.draft.lock().refuse(fault);
        }
        let topic = Text::from(format!("{whole}-{name}-repartition"));
        self.draft.check::<K, V>(&Text::from(format!("{name}-repartition-sink")));
        let to = topic.clone();
        let make: Make = Arc::new(move |setting| node(Repartition::<K, V>::new(to.clone(), route, setting)));
        let kind = Kind::Sink { topic: topic.clone(), is_repartition: true };
        self.sink(Text::from(format!("{name}-repartition-sink")), kind, make);
        let input = Input::<K, V>::new().named(format!("{name}-repartition-source"));
        let source = input.into_node(topic, true);
        let name = source.name.clone();
        let mut draft = self.draft.lock();
        if let Some(partitions @ ..1) = partitions {
            draft.refuse(TopologyError::NoPartitions { node: name.clone(), partitions });
        }
        draft.add(Node { partitions, ..source });
        drop(draft);
        Self::new(self.draft.clone(), Parent::only(name), false)
    }
}
