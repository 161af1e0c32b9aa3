//! Tables that are made of one other table, value by value. They keep nothing: what they were follows from what that
//! table was.

use std::sync::Arc;

use super::{Table, Viewed};
use crate::{
    Data,
    graph::table::{update::Update, view},
    record::Item,
};

impl<K: Data, V: Data> Table<K, V> {
    /// Keeps the keys with whose values `keep` says yes. A key leaves the table when it no longer does so.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.step("filter", move |key, value| keep(key, &value).then_some(value))
    }

    /// Keeps the keys with whose values `drop` says no.
    #[must_use]
    pub fn filter_not(&self, drop: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.step("filter_not", move |key, value| (!drop(key, &value)).then_some(value))
    }

    /// Makes another value of each. It must make the same of a value whenever it is asked: what a value was made into is
    /// not kept.
    #[must_use]
    pub fn map_values<V2: Data>(&self, map: impl Fn(V) -> V2 + Send + Sync + 'static) -> Table<K, V2> {
        self.step("map_values", move |_, value| Some(map(value)))
    }

    /// Makes another value of each with its key, or none, which leaves the key out of the table. It must make the same
    /// of a value whenever it is asked.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("numbers");
    /// builder.table::<Text, Text>("words").transform(|_, word| word.parse::<i64>().ok()).to("numbers");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for word in ["7", "seven"] {
    ///     driver.pipe("words", "k", word, 0)?;
    /// }
    /// let numbers = driver.read::<String, Option<i64>>("numbers")?;
    /// assert_eq!([numbers[0].value, numbers[1].value], [Some(7), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn transform<V2: Data>(
        &self,
        transform: impl Fn(&K, V) -> Option<V2> + Send + Sync + 'static,
    ) -> Table<K, V2> {
        self.step("transform", transform)
    }

    fn step<V2: Data>(
        &self,
        what: &str,
        map: impl Fn(&K, V) -> Option<V2> + Send + Sync + 'static,
    ) -> Table<K, V2> {
        let map = Arc::new(map);
        let maps = Arc::clone(&map);
        let updates = self.updates.step(what, false, move |updates, out| {
            out.extend(updates.drain(..).filter_map(|item| mapped(item, &*maps)));
        });
        updates.draft().lock().want_old(&updates.node().name);
        let view = self.view.as_ref().map(|Viewed { view, stores }| {
            let view = view::mapped(Arc::clone(view), move |key: &K, value| map(key, value));
            Viewed { view, stores: stores.clone() }
        });
        Table { updates, view }
    }
}

fn mapped<K, V, V2>(
    item: Item<K, Update<V>>,
    map: impl Fn(&K, V) -> Option<V2>,
) -> Option<Item<K, Update<V2>>> {
    let Item { key, value, time, headers, watermark, order } = item;
    let value = value.map(|value| map(&key, value))?;
    Some(Item { key, value, time, headers, watermark, order })
}
