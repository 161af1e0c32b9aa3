//! What open transactions have written into a keyed partition: it counts when they are committed, and never when they are
//! aborted (Kafka: `OffsetMetadataManager.pendingTransactionalOffsets`, and `openTransactionsByGroup`, its index).
//!
//! The journal's thread folds every batch, so a step must not become slower as transactions become larger. A transaction
//! has a map of its own, in which a key's last value replaces the one before. What outdates values of other transactions
//! is written once, beside the key, and not into each of them.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    ops::Bound,
};

use bytes::Bytes;
use mainstem_protocol::{Offset, ProducerId};

/// By the transaction's producer, and by key. How many keys a transaction may have is decided before it writes.
#[derive(Clone, Debug)]
pub(crate) struct Pending<K = Bytes> {
    transactions: BTreeMap<ProducerId, BTreeMap<K, Written>>,
    keys: BTreeMap<K, OpenKey>,
}

/// A value as it stands in the log.
#[derive(Clone, Debug)]
struct Written {
    /// The offset of its batch.
    offset: Offset,
    /// None for a tombstone.
    value: Option<Bytes>,
}

/// A key that at least one open transaction has written.
#[derive(Clone, Debug)]
struct OpenKey {
    producers: BTreeSet<ProducerId>,
    /// The last offset whose value counts: of two values, the one that stands later in the log does, whichever is decided
    /// first. Negative where none has since the key was opened.
    counts: Offset,
}

/// A value of an open transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingValue<K = Bytes> {
    /// The offset of its batch.
    pub(crate) offset: Offset,
    pub(crate) key: K,
    /// None for a tombstone.
    pub(crate) value: Option<Bytes>,
    /// A later value counts already.
    pub(crate) is_superseded: bool,
}

impl<K> Default for Pending<K> {
    fn default() -> Self {
        Self { transactions: BTreeMap::new(), keys: BTreeMap::new() }
    }
}

/// Equal is what will come to the same.
impl<K: Ord + Clone> PartialEq for Pending<K> {
    fn eq(&self, other: &Self) -> bool {
        let values = |of: &Self| of.producers().map(|id| (id, of.values(id).collect())).collect();
        let (ours, theirs): (Vec<(_, Vec<_>)>, Vec<_>) = (values(self), values(other));
        ours == theirs
    }
}

impl<K: Ord + Clone> Eq for Pending<K> {}

impl<K: Ord + Clone> Pending<K> {
    /// A transaction writes a value, which stands behind all that it has written before.
    pub(crate) fn push(&mut self, producer: ProducerId, value: PendingValue<K>) {
        let PendingValue { offset, key, value, is_superseded } = value;
        let new = || OpenKey { producers: BTreeSet::new(), counts: Offset::NONE };
        let open = self.keys.entry(key.clone()).or_insert_with(new);
        open.producers.insert(producer);
        if is_superseded {
            open.counts = open.counts.max(offset);
        }
        self.transactions.entry(producer).or_default().insert(key, Written { offset, value });
    }

    /// A value counts that stands at `offset`: what stands before it does not any more.
    pub(crate) fn supersede<Q: Ord + ?Sized>(&mut self, key: &Q, offset: Offset)
    where
        K: Borrow<Q>,
    {
        if let Some(open) = self.keys.get_mut(key) {
            open.counts = open.counts.max(offset);
        }
    }

    /// A key is removed outside of transactions: what they have written of it is gone with it, and not open any more
    /// (Kafka: `OffsetMetadataManager.replay` of a tombstone).
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        let open = self.keys.remove(key);
        for producer in open.into_iter().flat_map(|open| open.producers) {
            let Entry::Occupied(mut written) = self.transactions.entry(producer) else { continue };
            written.get_mut().remove(key);
            if written.get().is_empty() {
                written.remove();
            }
        }
    }

    /// A transaction ends, and so do its values, or they count.
    pub(crate) fn end(&mut self, producer: ProducerId, committed: bool, values: &mut BTreeMap<K, Bytes>) {
        for (key, Written { offset, value }) in self.transactions.remove(&producer).unwrap_or_default() {
            let is_superseded = self.close(&key, producer, committed.then_some(offset));
            if !committed || is_superseded {
                continue;
            }
            match value {
                Some(value) => drop(values.insert(key, value)),
                None => drop(values.remove(&key)),
            }
        }
    }

    /// A transaction that has written the key is over; its value is at `counting` if it was committed. Returns whether a
    /// later one counts already.
    fn close(&mut self, key: &K, producer: ProducerId, counting: Option<Offset>) -> bool {
        let Some(open) = self.keys.get_mut(key) else { return false };
        let is_superseded = counting.is_some_and(|offset| offset <= open.counts);
        open.counts = counting.map_or(open.counts, |offset| offset.max(open.counts));
        open.producers.remove(&producer);
        if open.producers.is_empty() {
            self.keys.remove(key);
        }
        is_superseded
    }

    /// Those who have a transaction open.
    pub(crate) fn producers(&self) -> impl ExactSizeIterator<Item = ProducerId> {
        self.transactions.keys().copied()
    }

    /// How many keys an open transaction has written.
    pub(crate) fn count(&self, producer: ProducerId) -> usize {
        self.transactions.get(&producer).map_or(0, BTreeMap::len)
    }

    /// The last value that a transaction has written of each key, as long as nothing has removed it.
    pub(crate) fn values(&self, producer: ProducerId) -> impl Iterator<Item = PendingValue<K>> {
        let written = self.transactions.get(&producer).into_iter().flatten();
        written.map(|(key, Written { offset, value })| PendingValue {
            offset: *offset,
            key: key.clone(),
            value: value.clone(),
            is_superseded: self.keys.get(key).is_some_and(|open| *offset <= open.counts),
        })
    }
}

impl Pending {
    /// The keys that begin with `prefix` and that an open transaction has written.
    pub(crate) fn keys(&self, prefix: &[u8]) -> impl Iterator<Item = &Bytes> {
        let found = self.keys.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        found.map(|(key, _)| key).take_while(move |key| key.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests;
