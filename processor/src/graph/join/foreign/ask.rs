//! Beside the left table: values subscribe to the keys that they name.

use bytes::Bytes;
use mainstem_client::PartitionId;

use super::{Answer, Fingerprint, ForeignKey, Subscription};
use crate::{
    graph::{NodeError, aggregate::Updated, cx::Cx, operator::Logic, table::update::Update},
    record::Item,
    serdes::Serde,
};

/// A node that sends the subscriptions of a table's values. Its first port leads to the other side; the second one to the
/// results, for values that need no answer from there: those that are gone, and those that name no key.
pub(crate) struct Ask<K, V, F, T> {
    foreign_key: ForeignKey<K, V, F>,
    task: PartitionId,
    types: std::marker::PhantomData<fn(T)>,
}

/// Where subscriptions go, and where answers that are known here do.
type Out<K, F, T> = (Vec<Item<F, Subscription<K>>>, Vec<Item<K, Answer<T>>>);

/// A foreign key and its bytes.
type Named<F> = Option<(F, Bytes)>;

impl<K: Serde, V: Serde, F: Serde, T: Serde> Ask<K, V, F, T> {
    pub(crate) const fn new(foreign_key: ForeignKey<K, V, F>, task: i32) -> Self {
        Self { foreign_key, task: PartitionId(task), types: std::marker::PhantomData }
    }

    fn take(&self, item: Updated<K, V>, out: &mut Out<K, F, T>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Update { old, new } = &item.value;
        let before = self.named(&item.key, old.as_ref(), cx)?;
        let now = self.named(&item.key, new.as_ref(), cx)?;
        let asks = new.as_ref().map(|new| Fingerprint::of(new, cx)).transpose()?;
        let bytes = |named: &Named<F>| named.as_ref().map(|(_, bytes)| bytes.clone());
        if bytes(&before) != bytes(&now) {
            out.0.extend(before.map(|(from, _)| self.subscription(&item, from, None)));
        }
        match now {
            Some((to, _)) => out.0.push(self.subscription(&item, to, asks)),
            None => {
                let answer = Answer { to: asks, value: None, task: self.task };
                out.1.push(item.with(|key, _| (key, answer)));
            }
        }
        Ok(())
    }

    /// The key that a value names. One that is written as null is none.
    fn named(&self, of: &K, value: Option<&V>, cx: &mut Cx<'_>) -> Result<Named<F>, NodeError> {
        let Some(named) = value.and_then(|value| (self.foreign_key)(of, value)) else { return Ok(None) };
        Ok(cx.key(&named)?.map(|bytes| (named, bytes)))
    }

    fn subscription(
        &self,
        item: &Updated<K, V>,
        to: F,
        asks: Option<Fingerprint>,
    ) -> Item<F, Subscription<K>> {
        let Item { key, time, watermark, order, .. } = item;
        let value = Subscription { key: key.clone(), task: self.task, asks };
        Item {
            key: to,
            value,
            time: *time,
            headers: Default::default(),
            watermark: *watermark,
            order: *order,
        }
    }
}

impl<K: Serde, V: Serde, F: Serde, T: Serde> Logic for Ask<K, V, F, T> {
    type In = Updated<K, V>;
    type Out = Out<K, F, T>;

    fn run(
        &mut self,
        input: &mut Vec<Updated<K, V>>,
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        input.drain(..).try_for_each(|item| self.take(item, out, cx))
    }
}
