//! Tables that are put together by a key which the values of one of them name.

use std::sync::Arc;

use mainstem_client::Text;

use super::look_into;
use crate::{
    StoreSpec, Stream, Table,
    graph::{
        aggregate::Passing,
        cells::Cells,
        join::{
            self, Joiner,
            foreign::{Answer, ForeignKey, Subscription, answer::Answers, ask::Ask, result::Results},
        },
        operator,
        repartition::Route,
    },
    serdes::Serde,
    state::{Form, KEY_VALUE},
    topology::{Kind, Make, Node, Parent},
};

impl<K: Serde, V: Serde> Table<K, V> {
    /// As [`Self::join`], where it is the value that names the key of the other table: an order names its customer. Each
    /// key of this table has at most one result; it follows both its own value and the other one, however many name the
    /// same. A value for which `foreign_key` gives none, or one that is written as null, has no result.
    ///
    /// The two tables need not have as many partitions as each other: values ask, and are answered, through the topics
    /// `NAME-STORE-subscription-repartition` and `NAME-STORE-response-repartition`. Until the answer is there, the result
    /// is that of the value before. Results are kept in the store `store`, which is the name of the last node too, and who
    /// has asked for what in `STORE-subscriptions`.
    ///
    /// Results bear the later of the times of the two values. `foreign_key` and `join` must make the same of their
    /// arguments whenever they are asked, and a value of this table must be written as the same bytes each time: by these
    /// an answer is known to be one to the present value, and not to an earlier one (a `HashMap` as JSON is not such a
    /// value, a `BTreeMap` is).
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// // The value of an order is the name of its customer.
    /// let builder = StreamBuilder::new("orders-with-towns");
    /// let orders = builder.table::<i64, Text>("orders");
    /// let towns = builder.table::<Text, Text>("towns");
    /// orders
    ///     .join_foreign(&towns, "shipping", |_, name| Some(name.clone()), |order, name, town| {
    ///         format!("{order} to {name} in {town}")
    ///     })
    ///     .to("shipping");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("towns", "anna", "Graz", 0)?;
    /// driver.pipe("orders", 1_i64, "anna", 1)?;
    /// driver.pipe("orders", 2_i64, "anna", 2)?;
    /// driver.pipe("towns", "anna", "Wien", 3)?;
    /// let shipping = driver.read_table::<i64, String>("shipping")?;
    /// assert_eq!(shipping[&1], "1 to anna in Wien");
    /// assert_eq!(shipping[&2], "2 to anna in Wien");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn join_foreign<F: Serde, T: Serde, O: Serde>(
        &self,
        other: &Table<F, T>,
        store: impl Into<StoreSpec>,
        foreign_key: impl Fn(&K, &V) -> Option<F> + Send + Sync + 'static,
        join: impl Fn(&K, &V, &T) -> O + Send + Sync + 'static,
    ) -> Table<K, O> {
        self.put_together_by(other, store.into(), Arc::new(foreign_key), join::inner(join))
    }

    /// As [`Self::join_foreign`], with a result for each key of this table, also where its value names no key, or one that
    /// the other table does not have.
    #[must_use]
    pub fn left_join_foreign<F: Serde, T: Serde, O: Serde>(
        &self,
        other: &Table<F, T>,
        store: impl Into<StoreSpec>,
        foreign_key: impl Fn(&K, &V) -> Option<F> + Send + Sync + 'static,
        join: impl Fn(&K, &V, Option<&T>) -> O + Send + Sync + 'static,
    ) -> Table<K, O> {
        self.put_together_by(other, store.into(), Arc::new(foreign_key), join::left(join))
    }

    fn put_together_by<F: Serde, T: Serde, O: Serde>(
        &self,
        other: &Table<F, T>,
        store: StoreSpec,
        foreign_key: ForeignKey<K, V, F>,
        join: Joiner<K, V, T, O>,
    ) -> Table<K, O> {
        let name = &store.name;
        let asking = self.ask::<F, T>(name, foreign_key);
        let asked: Stream<F, Subscription<K>> = Stream::new(
            self.draft().clone(),
            Parent::only(asking.clone()),
            true,
        )
        .repartition_by(format!("{name}-subscription").into(), Route::ByKey, None);
        let answered = other.answer(&store, &asked).repartition_by(
            format!("{name}-response").into(),
            Route::ByValue(|answer| answer.task),
            None,
        );
        let at_once = Parent { name: asking, port: Some(1) };
        self.take_answers(store, [answered.node().clone(), at_once], join)
    }

    /// Adds the node that subscribes.
    fn ask<F: Serde, T: Serde>(&self, store: &Text, foreign_key: ForeignKey<K, V, F>) -> Text {
        let name = Text::from(format!("{store}-foreign-key"));
        let make: Make = Arc::new(move |setting| {
            operator::node(Ask::<K, V, F, T>::new(Arc::clone(&foreign_key), setting.task))
        });
        let node = Node::new(name.clone(), Kind::Processor, vec![self.node().clone()], make);
        self.draft().lock().add(Node { wants_old: true, ..node });
        name
    }

    /// Adds the node that answers to those that have asked for values of this table.
    fn answer<L: Serde>(
        &self,
        store: &StoreSpec,
        asked: &Stream<K, Subscription<L>>,
    ) -> Stream<L, Answer<V>> {
        let spec = store.beside("subscriptions");
        let name = spec.name.clone();
        let table = look_into(self, &name);
        let stores = [name.clone()].into_iter().chain(table.stores.iter().cloned()).collect();
        let parents = vec![table.parent.clone(), asked.node().clone()];
        let own = name.clone();
        let make: Make = Arc::new(move |_| join::node(Answers::<L, K, V>::new(own.clone(), table.lookup())));
        let keys = format!("{} and {}", K::format(), L::format()).into();
        let mut draft = self.draft().lock();
        draft.add_store(spec.holding(Form { kind: "subscriptions".into(), keys, ..Form::default() }));
        let node = Node::new(name.clone(), Kind::Processor, parents, make);
        draft.add(Node { stores, looks_up: true, ..node });
        drop(draft);
        Stream::new(self.draft().clone(), Parent::only(name), true)
    }

    /// Adds the node that makes results of answers, and keeps them.
    fn take_answers<T: Serde, O: Serde>(
        &self,
        spec: StoreSpec,
        parents: [Parent; 2],
        join: Joiner<K, V, T, O>,
    ) -> Table<K, O> {
        let store = spec.name.clone();
        let left = look_into(self, &store);
        let stores = [store.clone()].into_iter().chain(left.stores.iter().cloned()).collect();
        let name = store.clone();
        let make: Make = Arc::new(move |setting| {
            let (join, left) = (Arc::clone(&join), Arc::clone(&left.view));
            operator::node(Results::new(join, left, Cells::new(name.clone()), Passing::of(setting)))
        });
        let mut draft = self.draft().lock();
        draft.add_store(spec.holding(Form::new::<K, O>(KEY_VALUE)));
        draft.add(Node { stores, ..Node::new(store.clone(), Kind::Processor, parents.into(), make) });
        drop(draft);
        Table::new(Stream::new(self.draft().clone(), Parent::only(store.clone()), false)).kept_in(store)
    }
}
