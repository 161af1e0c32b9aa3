//! A stream whose records each take what a global table holds when they come.

use std::sync::Arc;

use super::{Joiner, is_missing};
use crate::{
    Data,
    graph::{NodeError, cx::Cx, operator::Logic, table::view::View},
    record::Item,
    serdes::Serde,
};

/// The key that a record asks for; none where it asks for none.
pub(crate) type AsksFor<K, V, G> = Arc<dyn Fn(&K, &V) -> Option<G> + Send + Sync>;

/// A node that looks up what each record asks for.
pub(crate) struct StreamGlobal<K, V, G, T, O> {
    pub(crate) asks_for: AsksFor<K, V, G>,
    pub(crate) table: View<G, T>,
    pub(crate) join: Joiner<K, V, T, O>,
    /// Whether a record without a key has a result though it asks for nothing (KIP-962).
    pub(crate) is_left: bool,
}

impl<K: Serde, V: Serde, G: Serde, T: Data, O: Data> StreamGlobal<K, V, G, T, O> {
    /// As in Kafka Streams (`KStreamKTableJoinProcessor`) a record that asks for nothing is left out of left joins too,
    /// unless it has no key itself.
    fn take(&self, item: Item<K, V>, out: &mut Vec<Item<K, O>>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let Item { key, value, time, headers, watermark, order } = item;
        if is_missing(&value) {
            cx.counts.leave_out_valueless();
            return Ok(());
        }
        let wanted = (self.asks_for)(&key, &value);
        let bytes = wanted.as_ref().map(|wanted| cx.key(wanted)).transpose()?.flatten();
        let is_let_through = bytes.is_some() || (self.is_left && cx.key(&key)?.is_none());
        if !is_let_through {
            cx.counts.errors += 1;
            return Ok(());
        }
        let found = match (&wanted, &bytes) {
            (Some(wanted), Some(bytes)) => (self.table)(wanted, bytes, cx)?.map(|(value, _)| value),
            _ => None,
        };
        let value = (self.join)(&key, Some(&value), found.as_ref());
        out.extend(value.map(|value| Item { key, value, time, headers, watermark, order }));
        Ok(())
    }
}

impl<K: Serde, V: Serde, G: Serde, T: Data, O: Data> Logic for StreamGlobal<K, V, G, T, O> {
    type In = Item<K, V>;
    type Out = Vec<Item<K, O>>;

    fn run(
        &mut self,
        input: &mut Vec<Item<K, V>>,
        out: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        input.drain(..).try_for_each(|item| self.take(item, out, cx))
    }
}
