//! A value for each key.

mod grouped;
mod source;
mod steps;

use std::{fmt, sync::Arc};

use mainstem_client::Text;

pub use grouped::GroupedTable;
#[cfg(test)]
pub(super) use grouped::counted;

use super::{Data, Draft, Stream};
use crate::{
    graph::{
        operator::node,
        sink::Sink,
        table::{
            update::Update,
            view::{self, View},
        },
    },
    record::Item,
    serdes::Serde,
    topology::{Kind, Make, Parent},
};

/// A value for each key, as a store keeps it; and the stream of its updates, of which the last one of each key is the
/// table. To topics only the last update of a key between two commits is written, so that their number says nothing
/// there; what keeps something of the updates gets each.
///
/// A key that is not in the table has no value, and null takes a key out.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{StreamBuilder, TestDriver};
///
/// let builder = StreamBuilder::new("adults");
/// builder.table::<Text, i64>("ages").filter(|_, age| *age >= 18).to("adults");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// for (name, age) in [("anna", 17), ("ben", 40), ("anna", 18), ("ben", 41)] {
///     driver.pipe("ages", name, age as i64, 0)?;
/// }
/// driver.pipe("ages", "ben", (), 0)?;
/// let adults = driver.read_table::<String, Option<i64>>("adults")?;
/// assert_eq!((adults["anna"], adults["ben"]), (Some(18), None));
/// assert_eq!(driver.store::<String, i64>("ages-table")?, [("anna".to_owned(), 18)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Table<K, V> {
    updates: Stream<K, Update<V>>,
    view: Option<Viewed<K, V>>,
}

/// How others look into a table, and the stores that this takes.
struct Viewed<K, V> {
    view: View<K, V>,
    stores: Vec<Text>,
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self { updates: self.updates.clone(), view: self.view.clone() }
    }
}

impl<K, V> Clone for Viewed<K, V> {
    fn clone(&self) -> Self {
        Self { view: Arc::clone(&self.view), stores: self.stores.clone() }
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("updates", &self.updates).finish_non_exhaustive()
    }
}

impl<K: Data, V: Data> Table<K, V> {
    /// A table that nobody looks into.
    pub(super) const fn new(updates: Stream<K, Update<V>>) -> Self {
        Self { updates, view: None }
    }

    pub(super) const fn draft(&self) -> &Draft {
        self.updates.draft()
    }

    pub(super) const fn node(&self) -> &Parent {
        self.updates.node()
    }

    /// How others look into it, if they can, and the stores that this takes.
    pub(super) fn view(&self) -> Option<(View<K, V>, Vec<Text>)> {
        let Viewed { view, stores } = self.view.as_ref()?;
        Some((Arc::clone(view), stores.clone()))
    }

    /// The same table, into which others may look.
    pub(super) fn viewed(self, view: View<K, V>, stores: Vec<Text>) -> Self {
        Self { view: Some(Viewed { view, stores }), ..self }
    }

    pub(super) const fn stream(&self) -> &Stream<K, Update<V>> {
        &self.updates
    }

    /// The stream of its updates: the new value of a key, and none where a key leaves the table.
    #[must_use]
    pub fn to_stream(&self) -> Stream<K, Option<V>> {
        self.updates.step("to_stream", false, |updates, out| {
            out.extend(updates.drain(..).map(|item| item.with(|key, update| (key, update.new))));
        })
    }

    /// The stream of its new values. That a key leaves the table is not to be seen there: it is for tables that keys
    /// never leave, as those of [`crate::Grouped`].
    #[must_use]
    pub fn updates(&self) -> Stream<K, V> {
        self.updates.step("updates", false, |updates, out| {
            let updates = updates.drain(..);
            out.extend(updates.filter_map(Item::new_value));
        })
    }

    /// Gives the last step another name than the one that follows from its place. Not for those that keep a store,
    /// which are named like it.
    #[must_use]
    pub fn named(self, name: impl Into<Text>) -> Self {
        Self { updates: self.updates.named(name), ..self }
    }
}

impl<K: Data, V: Serde> Table<K, V> {
    /// The same table, into which others may look: it is kept in that store.
    pub(super) fn kept_in(self, store: Text) -> Self {
        self.viewed(view::of_store(store.clone()), vec![store])
    }
}

impl<K: Serde, V: Serde> Table<K, V> {
    /// Writes its updates to a topic, with null as the value where a key leaves the table.
    pub fn to(&self, topic: impl Into<Text>) {
        let (topic, draft) = (topic.into(), self.updates.draft());
        let name = draft.free(&format!("{topic}.sink"));
        draft.check::<K, V>(&name);
        let to = topic.clone();
        let make: Make = Arc::new(move |_| node(Sink::<Item<K, Update<V>>>::new(to.clone())));
        self.updates.sink(name, Kind::Sink { topic, is_repartition: false }, make);
    }
}
