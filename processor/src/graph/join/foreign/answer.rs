//! Beside the right table: subscriptions are kept and answered.
//!
//! One update may be of interest to any number. It is told to them piece by piece ([`caps::ANSWERS_MAX`]), and what comes
//! behind it waits until all know it; a task that dies meanwhile tells it anew from the beginning, since the update is not
//! committed before all have been told.
//!
//! In the store a subscription stands as the length of the right key (4 bytes), the right key, the left key; its value is
//! the fingerprint (16 bytes) and the number of the task that asks (4 bytes).

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mainstem_client::{PartitionId, Text};

use super::{Answer, Fingerprint, Subscription};
use crate::{
    caps,
    graph::{
        NodeError,
        aggregate::Updated,
        cx::Cx,
        join::{Pair, Side, in_order, lookup::Lookup},
    },
    record::Item,
    serdes::{Serde, SerdeError},
};

/// Bytes that an answer takes at least, besides its value.
const ANSWER_BYTES_MIN: usize = 64;

/// A node that keeps who has asked for what, and answers. The table is its first parent.
pub(crate) struct Answers<K, F, T> {
    store: Text,
    table: Lookup<F, T>,
    entry: BytesMut,
    /// What has come in and not had its turn.
    waiting: VecDeque<In<K, F, T>>,
    telling: Option<Telling<F, T>>,
}

/// An update that is being told.
struct Telling<F, T> {
    update: Updated<F, T>,
    /// What the subscriptions to its key begin with.
    prefix: Bytes,
    /// The first one that does not know of it.
    next: Bytes,
    /// How many are told at once.
    piece: usize,
}

type In<K, F, T> = Side<Updated<F, T>, Item<F, Subscription<K>>>;
type Out<K, T> = Vec<Item<K, Answer<T>>>;

impl<K: Serde, F: Serde, T: Serde> Answers<K, F, T> {
    pub(crate) fn new(store: Text, table: Lookup<F, T>) -> Self {
        Self { store, table, entry: BytesMut::new(), waiting: VecDeque::new(), telling: None }
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

    /// All who have asked for the key are to be told its new value.
    fn begin(&mut self, update: Updated<F, T>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Some(right) = cx.key(&update.key)? else { return Ok(()) };
        self.table.forget(&right);
        self.prefix(&right);
        let value = update.value.new.as_ref().map(|value| cx.value(value)).transpose()?.flatten();
        let bytes = ANSWER_BYTES_MIN + value.map_or(0, |value| value.len());
        let piece = (caps::ANSWERS_BYTES_MAX / bytes).clamp(1, caps::ANSWERS_MAX);
        let prefix = self.entry.split().freeze();
        self.telling = Some(Telling { update, next: prefix.clone(), prefix, piece });
        Ok(())
    }

    /// Tells the next piece of them, in the order of their keys' bytes; says whether all know it then.
    fn tell(
        &self,
        telling: &mut Telling<F, T>,
        out: &mut Out<K, T>,
        cx: &mut Cx<'_>,
    ) -> Result<bool, NodeError> {
        let Telling { update: Item { value, time, watermark, order, .. }, prefix, next, piece } = telling;
        let stored = |cause| NodeError::Stored { store: self.store.clone(), cause };
        let entries = cx.store(&self.store).entries_from(next);
        let mut entries = entries.take_while(|(entry, _)| entry.starts_with(prefix));
        for (entry, kept) in entries.by_ref().take(*piece) {
            let (key, to, task) = asked::<K>(&entry.slice(prefix.len()..), kept).map_err(stored)?;
            let answer = Answer { to: Some(to), value: value.new.clone(), task };
            let (time, watermark, order) = (*time, *watermark, *order);
            out.push(Item { key, value: answer, time, headers: Default::default(), watermark, order });
        }
        let behind = entries.next().map(|(entry, _)| entry);
        let knows_all = behind.is_none();
        *next = behind.unwrap_or_default();
        Ok(knows_all)
    }

    /// Goes on with what has come in, until it is worked through or enough is said for once.
    fn go_on(&mut self, out: &mut Out<K, T>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        while out.len() < caps::ANSWERS_MAX {
            if let Some(mut telling) = self.telling.take() {
                if !self.tell(&mut telling, out, cx)? {
                    self.telling = Some(telling);
                    break;
                }
                continue;
            }
            match self.waiting.pop_front() {
                Some(Side::Left(update)) => self.begin(update, cx)?,
                Some(Side::Right(subscription)) => self.on_subscription(subscription, out, cx)?,
                None => break,
            }
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
        self.waiting.extend(in_order(updates, subscriptions));
        self.go_on(out, cx)
    }

    fn goes_on(&self) -> bool {
        self.telling.is_some() || !self.waiting.is_empty()
    }
}
