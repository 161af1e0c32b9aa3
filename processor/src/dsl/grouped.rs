//! Records by key.

use std::{fmt, sync::Arc};

use super::{Data, Stream, Table, Windows};
use crate::{
    StoreSpec,
    graph::{
        aggregate::{Aggregate, Change, Fold, Passing},
        cells::Cells,
        operator::node,
    },
    serdes::Serde,
    state::{Form, KEY_VALUE},
    topology::{Kind, Make, Node, Parent},
};

/// Records that are brought together by their keys. What is made of them is kept in a store, whose name is that of the
/// node too, and whose changelog is `NAME-STORE-changelog`. A record without a key is dropped and counted.
pub struct Grouped<K, V> {
    stream: Stream<K, V>,
}

impl<K, V> fmt::Debug for Grouped<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grouped").field("stream", &self.stream).finish()
    }
}

impl<K: Data, V: Data> Grouped<K, V> {
    pub(super) const fn new(stream: Stream<K, V>) -> Self {
        Self { stream }
    }

    pub(super) const fn stream(&self) -> &Stream<K, V> {
        &self.stream
    }

    /// Brings them together by window too; which methods there are then depends on the windows.
    #[must_use]
    pub fn windowed_by<W: Windows>(self, windows: W) -> W::Stream<K, V> {
        windows.over(self.stream)
    }
}

impl<K: Serde, V: Serde> Grouped<K, V> {
    /// Counts the records of each key.
    pub fn count(&self, store: impl Into<StoreSpec>) -> Table<K, i64> {
        self.change(store.into(), count())
    }

    /// Puts the values of each key together, two by two; the first one stands as it is.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("largest");
    /// builder.stream::<Text, i64>("numbers").group_by_key().reduce("largest", i64::max).to("largest");
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for number in [3_i64, 9, 5] {
    ///     driver.pipe("numbers", "a", number, 0)?;
    /// }
    /// assert_eq!(driver.read_table::<String, i64>("largest")?["a"], 9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce(
        &self,
        store: impl Into<StoreSpec>,
        reduce: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> Table<K, V> {
        self.change(store.into(), reduced(reduce))
    }

    /// Adds the records of each key to something that begins as `init` says.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver, serdes::Json};
    ///
    /// let builder = StreamBuilder::new("all-words");
    /// builder
    ///     .stream::<Text, String>("words")
    ///     .group_by_key()
    ///     .aggregate("words-of-key", Json::<Vec<String>>::default, |_, word, mut words| {
    ///         words.push(word);
    ///         words
    ///     })
    ///     .to("all-words");
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for word in ["a", "b"] {
    ///     driver.pipe("words", "k", word, 0)?;
    /// }
    /// assert_eq!(driver.read_table::<String, String>("all-words")?["k"], r#"["a","b"]"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A: Serde>(
        &self,
        store: impl Into<StoreSpec>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, V, A) -> A + Send + Sync + 'static,
    ) -> Table<K, A> {
        self.change(store.into(), aggregated(init, add))
    }

    fn change<A: Serde>(&self, store: StoreSpec, change: Change<K, V, A>) -> Table<K, A> {
        let (kept_in, name) = (store.name.clone(), store.name.clone());
        let make: Make = Arc::new(move |setting| {
            let (change, cells) = (Arc::clone(&change), Cells::new(name.clone()));
            let fold: Fold<K, V, A> = Arc::new(move |key, value, before| Some(change(key, value, before)));
            node(Aggregate::new(fold, cells, Passing::of(setting)))
        });
        add_keeper(&self.stream, store, make, |node| node).kept_in(kept_in)
    }
}

/// Adds a node that keeps a table in a store, behind a repartition topic where one is needed.
pub(super) fn add_keeper<K: Serde, V: Serde, K2: Data, A: Serde>(
    stream: &Stream<K, V>,
    store: StoreSpec,
    make: Make,
    with: impl FnOnce(Node) -> Node,
) -> Table<K2, A> {
    stream.draft().check::<K, A>(&store.name);
    Table::new(add_node(stream, store, make, with, form::<K, A>))
}

/// Adds a node that keeps a store, behind a repartition topic where one is needed; `form` says what the store holds.
pub(super) fn add_node<K: Serde, V: Serde, K2: Data, U: Data>(
    stream: &Stream<K, V>,
    store: StoreSpec,
    make: Make,
    with: impl FnOnce(Node) -> Node,
    form: impl FnOnce(&Node) -> Form,
) -> Stream<K2, U> {
    let name = store.name.clone();
    let stream = if stream.is_rekeyed() { stream.repartition(name.clone()) } else { stream.clone() };
    let node = Node::new(name.clone(), Kind::Processor, vec![stream.node().clone()], make);
    let mut draft = stream.draft().lock();
    let node = with(Node { stores: vec![name.clone()], ..node });
    draft.add_store(store.holding(form(&node)));
    draft.add(node);
    drop(draft);
    Stream::new(stream.draft().clone(), Parent::only(name), false)
}

/// What the store of a node holds.
fn form<K: Serde, A: Serde>(node: &Node) -> Form {
    let (kind, windows) = node.windows.map_or_else(|| (KEY_VALUE, String::new()), |windows| windows.form());
    Form { windows: windows.into(), ..Form::new::<K, A>(kind) }
}

pub(super) fn count<K, V>() -> Change<K, V, i64> {
    Arc::new(|_, _, before| before.unwrap_or(0) + 1)
}

pub(super) fn reduced<K, V: Data>(reduce: impl Fn(V, V) -> V + Send + Sync + 'static) -> Change<K, V, V> {
    Arc::new(move |_, value, before| match before {
        Some(before) => reduce(before, value),
        None => value,
    })
}

pub(super) fn aggregated<K, V, A>(
    init: impl Fn() -> A + Send + Sync + 'static,
    add: impl Fn(&K, V, A) -> A + Send + Sync + 'static,
) -> Change<K, V, A> {
    Arc::new(move |key, value, before| add(key, value, before.unwrap_or_else(&init)))
}
