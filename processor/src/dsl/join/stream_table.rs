//! Streams that look into tables.

use std::sync::Arc;

use super::{add, look_into, placed};
use crate::{
    Data, Stream, Table,
    graph::join::{self, Joiner, stream_table::StreamTable},
    serdes::Serde,
    topology::Make,
};

impl<K: Serde, V: Serde> Stream<K, V> {
    /// Puts each record together with what the table holds for its key when it comes; one for which it holds nothing
    /// has no result. What happens to the table later leads to nothing: it is the records of the stream that ask.
    ///
    /// Which of two records of different topics comes first is decided by their coming, not by their times.
    ///
    /// Results bear the time and headers of the stream's record. Records without a key or value have none, and are
    /// counted.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("orders-by-town");
    /// let towns = builder.table::<Text, Text>("towns");
    /// let orders = builder.stream::<Text, i64>("orders");
    /// orders.join_table(&towns, |name, cents, town| format!("{name}, {town}: {cents}")).to("orders-with-town");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("orders", "anna", 300_i64, 0)?;
    /// driver.pipe("towns", "anna", "Graz", 1)?;
    /// driver.pipe("orders", "anna", 500_i64, 2)?;
    /// let orders = driver.read::<String, String>("orders-with-town")?;
    /// assert_eq!((orders.len(), &*orders[0].value), (1, "anna, Graz: 500"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn join_table<T: Data, O: Data>(
        &self,
        table: &Table<K, T>,
        join: impl Fn(&K, &V, &T) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.look_up("join", table, join::inner(join))
    }

    /// As [`Self::join_table`], with a result also where the table holds nothing, and for a record without a key.
    #[must_use]
    pub fn left_join_table<T: Data, O: Data>(
        &self,
        table: &Table<K, T>,
        join: impl Fn(&K, &V, Option<&T>) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.look_up("left_join", table, join::left(join))
    }

    fn look_up<T: Data, O: Data>(
        &self,
        what: &str,
        table: &Table<K, T>,
        join: Joiner<K, V, T, O>,
    ) -> Stream<K, O> {
        let name = self.draft().free(&format!("{}.{what}", self.node().name));
        let (stream, table) = (placed(self, &name), look_into(table, &name));
        let (parents, stores) = ([table.parent.clone(), stream.node().clone()], table.stores.clone());
        let make: Make = Arc::new(move |_| join::node(StreamTable::new(Arc::clone(&join), table.lookup())));
        Stream::new(self.draft().clone(), add(self.draft(), name, parents, stores, make, false), false)
    }
}
