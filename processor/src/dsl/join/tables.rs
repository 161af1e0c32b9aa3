//! Tables that are put together key by key.

use std::sync::Arc;

use super::{add, look_into};
use crate::{
    Data, Stream, Table,
    graph::join::{self, Joiner, tables},
    serdes::Serde,
    topology::Make,
};

impl<K: Serde, V: Data> Table<K, V> {
    /// The keys that are in both tables, with what becomes of their two values. It follows both: a new value on either
    /// side is a new result, and a key that leaves either table leaves this one.
    ///
    /// Results bear the later of the times of the two values. `join` must make the same of two values whenever it is
    /// asked: nothing is kept but the two tables.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("stock-value");
    /// let prices = builder.table::<Text, i64>("prices");
    /// let stock = builder.table::<Text, i64>("stock");
    /// prices.join(&stock, |_, price, pieces| price * pieces).to("stock-value");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("prices", "tea", 4_i64, 0)?;
    /// driver.pipe("stock", "tea", 10_i64, 1)?;
    /// driver.pipe("prices", "tea", 5_i64, 2)?;
    /// driver.pipe("stock", "tea", (), 3)?;
    /// let values = driver.read::<String, Option<i64>>("stock-value")?;
    /// assert_eq!([values[0].value, values[1].value, values[2].value], [Some(40), Some(50), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn join<T: Data, O: Data>(
        &self,
        other: &Table<K, T>,
        join: impl Fn(&K, &V, &T) -> O + Send + Sync + 'static,
    ) -> Table<K, O> {
        self.put_together("join", other, join::inner(join))
    }

    /// As [`Self::join`], of all keys that are in this table.
    #[must_use]
    pub fn left_join<T: Data, O: Data>(
        &self,
        other: &Table<K, T>,
        join: impl Fn(&K, &V, Option<&T>) -> O + Send + Sync + 'static,
    ) -> Table<K, O> {
        self.put_together("left_join", other, join::left(join))
    }

    /// As [`Self::join`], of all keys that are in either table.
    #[must_use]
    pub fn outer_join<T: Data, O: Data>(
        &self,
        other: &Table<K, T>,
        join: impl Fn(&K, Option<&V>, Option<&T>) -> O + Send + Sync + 'static,
    ) -> Table<K, O> {
        self.put_together("outer_join", other, join::outer(join))
    }

    fn put_together<T: Data, O: Data>(
        &self,
        what: &str,
        other: &Table<K, T>,
        join: Joiner<K, V, T, O>,
    ) -> Table<K, O> {
        let name = self.draft().free(&format!("{}.{what}", self.node().name));
        let (left, right) = (look_into(self, &name), look_into(other, &name));
        let parents = [left.parent.clone(), right.parent.clone()];
        let more = right.stores.iter().filter(|store| !left.stores.contains(store));
        let stores: Vec<_> = left.stores.iter().chain(more).cloned().collect();
        let view = tables::view(Arc::clone(&join), Arc::clone(&left.view), Arc::clone(&right.view));
        let make: Make = Arc::new(move |_| {
            join::node(tables::Tables::new(Arc::clone(&join), left.lookup(), right.lookup()))
        });
        let node = add(self.draft(), name, parents, stores.clone(), make, true);
        Table::new(Stream::new(self.draft().clone(), node, false)).viewed(view, stores)
    }
}
