//! Nodes that bring the values of a table together by other keys.

use std::sync::Arc;

use super::{moved::Moved, update::Update};
use crate::{record::Item, serdes::Serde};

/// The key and value under which a key's value is brought together with others.
pub(crate) type Regroup<K, V, K2, V2> = Arc<dyn Fn(&K, V) -> (K2, V2) + Send + Sync>;

/// What an update takes out of its old group, and what it puts into its new one. Where that is the same, it is one
/// update, so that nobody sees the group without the value (KIP-904); otherwise the old one goes first.
pub(crate) fn regroup<K: Clone, V, K2: Serde + PartialEq, V2: Clone>(
    item: Item<K, Update<V>>,
    regroup: &Regroup<K, V, K2, V2>,
    out: &mut Vec<Item<K2, Moved<V2>>>,
) {
    let Item { key, value: Update { old, new }, time, headers, watermark, order } = item;
    let of = |value: Option<V>| value.map(|value| regroup(&key, value));
    let mut put = |key, old, new| {
        let (value, headers) = (Moved(Update { old, new }), headers.clone());
        out.push(Item { key, value, time, headers, watermark, order });
    };
    match (of(old), of(new)) {
        (Some((from, old)), Some((to, new))) if from == to => put(to, Some(old), Some(new)),
        (from, to) => {
            from.into_iter().for_each(|(key, old)| put(key, Some(old), None));
            to.into_iter().for_each(|(key, new)| put(key, None, Some(new)));
        }
    }
}
