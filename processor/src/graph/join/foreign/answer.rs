//! Beside the right table: subscriptions are kept and answered.
//!
//! In the store a subscription stands as the length of the right key (4 bytes), the right key, the left key; its value is
//! the fingerprint (16 bytes) and the number of the task that asks (4 bytes).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mainstem_client::{PartitionId, Text};

use super::{Answer, Fingerprint, Subscription};
use crate::{
    graph::{
        NodeError,
        aggregate::Updated,
        cx::Cx,
        join::{Pair, Side, in_order, lookup::Lookup},
    },
    record::Item,
    serdes::{Serde, SerdeError},
};

/// A node that keeps who has asked for what, and answers. The table is its first parent.
pub(crate) struct Answers<K, F, T> {
    store: Text,
    table: Lookup<F, T>,
    entry: BytesMut,
    types: std::marker::PhantomData<fn(K)>,
}

type Out<K, T> = Vec<Item<K, Answer<T>>>;

impl<K: Serde, F: Serde, T: Serde> Answers<K, F, T> {
    pub(crate) fn new(store: Text, table: Lookup<F, T>) -> Self {
        Self { store, table, entry: BytesMut::new(), types: std::marker::PhantomData }
    }

    fn on_subscription(
        &mut self,
        item: Item<F, Subscription<K>>,
        out: &mut Out<K, T>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let left = cx.key(&item.value.key)?;
        let (Some(right), Some(left)) = (cx.key(&item.key)?, left) else {
            cx.counts.errors += 1;
            return Ok(());
        };
        self.prefix(&right);
        self.entry.put_slice(&left);
        let store = cx.store(&self.store);
        let Some(asks) = item.value.asks else {
            if store.get(&self.entry).is_some() {
                store.delete(&self.entry);
            }
            return Ok(());
        };
        store.put(&self.entry, kept(asks, item.value.task));
        let found = self.table.get(&item.key, &right, cx)?.clone();
        let time = found.as_ref().map_or(item.time, |(_, time)| item.time.max(*time));
        let answer = Answer { to: Some(asks), value: found.map(|(value, _)| value), task: item.value.task };
        out.push(Item { time, ..item.with(|_, asked| (asked.key, answer)) });
        Ok(())
    }

    /// All who have asked for the key are told its new value, in the order of their keys' bytes.
    fn on_update(
        &mut self,
        item: Updated<F, T>,
        out: &mut Out<K, T>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let Some(right) = cx.key(&item.key)? else { return Ok(()) };
        self.table.forget(&right);
        self.prefix(&right);
        let Item { value, time, watermark, order, .. } = item;
        let stored = |cause| NodeError::Stored { store: self.store.clone(), cause };
        let entries = cx.store(&self.store).entries_from(&self.entry);
        for (entry, kept) in entries.take_while(|(entry, _)| entry.starts_with(&self.entry)) {
            let left = entry.slice(self.entry.len()..);
            let (key, to, task) = asked::<K>(&left, kept).map_err(stored)?;
            let answer = Answer { to: Some(to), value: value.new.clone(), task };
            out.push(Item { key, value: answer, time, headers: Default::default(), watermark, order });
        }
        Ok(())
    }

    /// What the subscriptions to a key begin with.
    fn prefix(&mut self, right: &[u8]) {
        self.entry.clear();
        self.entry.put_u32(u32::try_from(right.len()).unwrap_or(u32::MAX));
        self.entry.put_slice(right);
    }
}

fn kept(asks: Fingerprint, task: PartitionId) -> Bytes {
    [&asks.bytes()[..], &task.0.to_be_bytes()].concat().into()
}

fn asked<K: Serde>(key: &Bytes, mut kept: Bytes) -> Result<(K, Fingerprint, PartitionId), SerdeError> {
    const WANTED: usize = Fingerprint::BYTES + 4;
    if kept.len() != WANTED {
        let (expected, found) = ("a subscription of a foreign-key join", kept.len());
        return Err(SerdeError::Length { expected, wanted: WANTED, found });
    }
    let mut fingerprint = [0; Fingerprint::BYTES];
    kept.copy_to_slice(&mut fingerprint);
    Ok((K::decode(Some(key))?, Fingerprint::read(fingerprint), PartitionId(kept.get_i32())))
}

impl<K: Serde, F: Serde, T: Serde> Pair for Answers<K, F, T> {
    type Left = Updated<F, T>;
    type Right = Item<F, Subscription<K>>;
    type Out = Out<K, T>;

    fn run(
        &mut self,
        updates: &mut Vec<Self::Left>,
        subscriptions: &mut Vec<Self::Right>,
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        in_order(updates, subscriptions).try_for_each(|side| match side {
            Side::Left(update) => self.on_update(update, out, cx),
            Side::Right(subscription) => self.on_subscription(subscription, out, cx),
        })
    }
}
