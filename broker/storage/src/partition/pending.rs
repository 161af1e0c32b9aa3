//! What open transactions have written into a keyed partition: it counts when they are committed, and never when they are
//! aborted (Kafka: `OffsetMetadataManager.pendingTransactionalOffsets`).

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstem_protocol::{Offset, ProducerId};

use crate::checkpoint::KeyedValues;

/// By the transaction's producer, in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending(pub(crate) BTreeMap<ProducerId, Vec<PendingValue>>);

/// A value of an open transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingValue {
    /// The offset of its batch.
    pub(crate) offset: Offset,
    pub(crate) key: Bytes,
    /// None for a tombstone.
    pub(crate) value: Option<Bytes>,
    /// A later value counts already: of two, the one that stands later in the log does, whichever is decided first.
    pub(crate) is_superseded: bool,
}

impl Pending {
    /// A transaction writes a value.
    pub(crate) fn push(&mut self, producer: ProducerId, value: PendingValue) {
        self.0.entry(producer).or_default().push(value);
    }

    /// A value counts that stands at `offset`: what stands before it does not any more.
    pub(crate) fn supersede(&mut self, key: &[u8], offset: Offset) {
        let before = |value: &&mut PendingValue| value.offset <= offset && value.key == key;
        self.0.values_mut().flatten().filter(before).for_each(|value| value.is_superseded = true);
    }

    /// A transaction ends, and so do its values, or they count.
    pub(crate) fn end(&mut self, producer: ProducerId, committed: bool, values: &mut KeyedValues) {
        let ended = self.0.remove(&producer).unwrap_or_default();
        for PendingValue { offset, key, value, is_superseded } in ended {
            if !committed || is_superseded {
                continue;
            }
            self.supersede(&key, offset);
            match value {
                Some(value) => drop(values.insert(key, value)),
                None => drop(values.remove(&key)),
            }
        }
    }

    /// The keys that begin with `prefix` and that an open transaction has written.
    pub(crate) fn keys(&self, prefix: &[u8]) -> impl Iterator<Item = &Bytes> {
        self.0.values().flatten().map(|value| &value.key).filter(move |key| key.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ProducerId = ProducerId(1);
    const B: ProducerId = ProducerId(2);

    fn value(offset: i64, key: &'static str, value: Option<&'static str>) -> PendingValue {
        PendingValue {
            offset: Offset(offset),
            key: Bytes::from_static(key.as_bytes()),
            value: value.map(|value| Bytes::from_static(value.as_bytes())),
            is_superseded: false,
        }
    }

    fn values(of: &[(&'static str, &'static str)]) -> KeyedValues {
        of.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    #[test]
    fn committed_values_count_and_aborted_ones_do_not() {
        let (mut pending, mut found) = (Pending::default(), values(&[("b", "old"), ("c", "old")]));
        pending.push(A, value(1, "a", Some("new")));
        pending.push(A, value(1, "b", None));
        pending.push(B, value(2, "c", Some("new")));
        pending.end(B, false, &mut found);
        assert_eq!(found, values(&[("b", "old"), ("c", "old")]));
        pending.end(A, true, &mut found);
        assert_eq!(found, values(&[("a", "new"), ("c", "old")]));
        assert_eq!(pending, Pending::default());
    }

    #[test]
    fn last_value_in_the_log_counts_whichever_is_decided_first() {
        for first in [A, B] {
            let (mut pending, mut found) = (Pending::default(), KeyedValues::new());
            pending.push(A, value(1, "k", Some("from a")));
            pending.push(B, value(2, "k", Some("from b")));
            pending.end(first, true, &mut found);
            pending.end(if first == A { B } else { A }, true, &mut found);
            assert_eq!(found, values(&[("k", "from b")]), "{first} first");
        }
    }

    #[test]
    fn value_outside_of_transactions_counts_over_those_before_it() {
        let (mut pending, mut found) = (Pending::default(), values(&[("k", "plain")]));
        pending.push(A, value(1, "k", Some("from a")));
        pending.supersede(b"k", Offset(2));
        assert_eq!(pending.keys(b"").count(), 1, "it is open all the same");
        pending.end(A, true, &mut found);
        assert_eq!(found, values(&[("k", "plain")]));
    }
}
