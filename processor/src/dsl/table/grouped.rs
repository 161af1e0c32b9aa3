//! The values of a table by other keys.

use std::{fmt, sync::Arc};

use super::Table;
use crate::{
    Data, StoreSpec, Stream,
    dsl::grouped::add_keeper,
    graph::{
        aggregate::{Aggregate, Fold, Passing},
        cells::Cells,
        operator::node,
        table::{
            group::{Regroup, regroup},
            moved::Moved,
            update::Update,
        },
    },
    serdes::Serde,
    topology::Make,
};

/// The values of a table, brought together by other keys than its own. What is made of them follows the table: when a
/// value changes, the old one is taken back and the new one added, and when it goes, it is taken back.
///
/// What takes a value back must undo exactly what adding it has done. Sums of floating-point numbers do not:
/// `a + b - b` may be another number than `a`; add up integers. The least and the greatest value are not to be had
/// from what there was before either, when that very value goes: keep all that there are, with their counts.
///
/// Values go through the repartition topic of the store. When a group is named that there is no value of, taking back
/// from it is nonetheless done: a count may be below zero until what it lacks comes.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{StreamBuilder, TestDriver};
///
/// // Where everybody lives: how many live in each town?
/// let builder = StreamBuilder::new("towns");
/// builder.table::<Text, Text>("homes").group_by(|_, town| (town, ())).count("inhabitants").to("inhabitants");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// for (name, town) in [("anna", "Graz"), ("ben", "Graz"), ("anna", "Wien")] {
///     driver.pipe("homes", name, town, 0)?;
/// }
/// let inhabitants = driver.read_table::<String, i64>("inhabitants")?;
/// assert_eq!((inhabitants["Graz"], inhabitants["Wien"]), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GroupedTable<K, V> {
    moved: Stream<K, Moved<V>>,
}

impl<K, V> fmt::Debug for GroupedTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupedTable").field("moved", &self.moved).finish()
    }
}

impl<K: Data, V: Data> Table<K, V> {
    /// Brings its values together by another key; `key` makes key and value of them. It must make the same of a value
    /// whenever it is asked. A value whose new key is null is left out and counted.
    #[must_use]
    pub fn group_by<K2: Serde + PartialEq, V2: Serde>(
        &self,
        key: impl Fn(&K, V) -> (K2, V2) + Send + Sync + 'static,
    ) -> GroupedTable<K2, V2> {
        let key: Regroup<K, V, K2, V2> = Arc::new(key);
        let moved = self.updates.step("group_by", true, move |updates, out| {
            updates.drain(..).for_each(|item| regroup(item, &key, out));
        });
        moved.draft().lock().want_old(&moved.node().name);
        GroupedTable { moved }
    }
}

impl<K: Serde, V: Serde> GroupedTable<K, V> {
    /// Counts the values of each key. A key that has had values and has none any more counts zero.
    pub fn count(&self, store: impl Into<StoreSpec>) -> Table<K, i64> {
        self.fold(store.into(), counted())
    }

    /// Puts the values of each key together, two by two; the first one stands as it is. `remove` takes the second one
    /// out of the first, and nothing remains where it says so: the key leaves the table then. What is to be taken out
    /// of nothing is left alone.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("turnover");
    /// builder
    ///     .table::<Text, i64>("orders")
    ///     .group_by(|order, cents| (order.split('-').next().map(str::to_owned).unwrap_or_default(), cents))
    ///     .reduce("turnover", |sum, cents| sum + cents, |sum, cents| Some(sum - cents))
    ///     .to("turnover");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for (order, cents) in [("anna-1", 100_i64), ("anna-2", 250), ("anna-1", 110)] {
    ///     driver.pipe("orders", order, cents, 0)?;
    /// }
    /// assert_eq!(driver.read_table::<String, i64>("turnover")?["anna"], 360);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce(
        &self,
        store: impl Into<StoreSpec>,
        add: impl Fn(V, V) -> V + Send + Sync + 'static,
        remove: impl Fn(V, V) -> Option<V> + Send + Sync + 'static,
    ) -> Table<K, V> {
        self.fold(store.into(), reduced(add, remove))
    }

    /// Adds the values of each key to something that begins as `init` says, and takes them back. Where `remove` leaves
    /// nothing, the key leaves the table.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver, serdes::Json};
    ///
    /// // The dearest offer of each article: all prices are kept, so that it may go again.
    /// type Prices = Json<BTreeMap<i64, u32>>;
    /// let builder = StreamBuilder::new("dearest");
    /// let offers = builder.table::<Text, Json<(String, i64)>>("offers");
    /// let add = |_: &String, price, mut prices: Prices| {
    ///     *prices.entry(price).or_default() += 1;
    ///     prices
    /// };
    /// let remove = |_: &String, price, mut prices: Prices| {
    ///     prices.retain(|known, count| *known != price || { *count -= 1; *count > 0 });
    ///     (!prices.is_empty()).then_some(prices)
    /// };
    /// offers
    ///     .group_by(|_, Json((article, price))| (article, price))
    ///     .aggregate("prices", Prices::default, add, remove)
    ///     .transform(|_, prices| prices.last_key_value().map(|(price, _)| *price))
    ///     .to("dearest");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for (offer, value) in [("1", r#"["tea", 4]"#), ("2", r#"["tea", 9]"#), ("2", r#"["tea", 3]"#)] {
    ///     driver.pipe("offers", offer, value, 0)?;
    /// }
    /// assert_eq!(driver.read_table::<String, i64>("dearest")?["tea"], 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A: Serde>(
        &self,
        store: impl Into<StoreSpec>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, V, A) -> A + Send + Sync + 'static,
        remove: impl Fn(&K, V, A) -> Option<A> + Send + Sync + 'static,
    ) -> Table<K, A> {
        self.fold(store.into(), aggregated(init, add, remove))
    }

    fn fold<A: Serde>(&self, store: StoreSpec, fold: impl Follow<K, V, A>) -> Table<K, A> {
        let fold: Fold<K, Moved<V>, A> =
            Arc::new(move |key, Moved(update), before| fold(key, update, before));
        let (kept_in, name) = (store.name.clone(), store.name.clone());
        let make: Make = Arc::new(move |setting| {
            let (fold, cells) = (Arc::clone(&fold), Cells::new(name.clone()));
            node(Aggregate::new(fold, cells, Passing::of(setting)))
        });
        add_keeper(&self.moved, store, make, |node| node).kept_in(kept_in)
    }
}

/// What an update makes of the value of its group.
trait Follow<K, V, A>: Fn(&K, Update<V>, Option<A>) -> Option<A> + Send + Sync + 'static {}

impl<K, V, A, F: Fn(&K, Update<V>, Option<A>) -> Option<A> + Send + Sync + 'static> Follow<K, V, A> for F {}

pub(in crate::dsl) fn counted<K, V>() -> impl Fn(&K, Update<V>, Option<i64>) -> Option<i64> + Send + Sync {
    aggregated(|| 0, |_, _, count| count + 1, |_, _, count| Some(count - 1))
}

/// The old value is taken out first, as in Kafka Streams (`KTableAggregate`).
fn aggregated<K, V, A>(
    init: impl Fn() -> A + Send + Sync,
    add: impl Fn(&K, V, A) -> A + Send + Sync,
    remove: impl Fn(&K, V, A) -> Option<A> + Send + Sync,
) -> impl Fn(&K, Update<V>, Option<A>) -> Option<A> + Send + Sync {
    move |key, Update { old, new }, before| {
        let left = match old {
            Some(old) => remove(key, old, before.unwrap_or_else(&init)),
            None => before,
        };
        match new {
            Some(new) => Some(add(key, new, left.unwrap_or_else(&init))),
            None => left,
        }
    }
}

fn reduced<K, V>(
    add: impl Fn(V, V) -> V + Send + Sync,
    remove: impl Fn(V, V) -> Option<V> + Send + Sync,
) -> impl Fn(&K, Update<V>, Option<V>) -> Option<V> + Send + Sync {
    move |_, Update { old, new }, before| {
        let left = match (before, old) {
            (Some(before), Some(old)) => remove(before, old),
            (before, _) => before,
        };
        match (left, new) {
            (Some(left), Some(new)) => Some(add(left, new)),
            (left, new) => new.or(left),
        }
    }
}
