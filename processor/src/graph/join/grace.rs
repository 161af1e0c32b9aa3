//! A stream whose records each take what a table held at their times: when they come, or, with a grace, once they have
//! waited for what the table may yet learn of them (KIP-923).
//!
//! With a grace a record waits until the watermark is behind it by that; then it looks. Those that wait go in the order of
//! their times, and of their coming where those are the same. One that is as late already has nothing to wait for, and looks at
//! once (Kafka Streams: `KStreamKTableJoinProcessor`).

use mainstem_client::Timestamp;

use super::{Pair, as_of::AsOf, is_missing, waiting::Line};
use crate::{
    Data,
    graph::{LAST, NodeError, behind, cx::Cx},
    record::Item,
    serdes::Serde,
};

/// A node that looks up the value that each record's key had at the record's time.
pub(crate) struct LookBack<K, V, T, O> {
    as_of: AsOf<K, V, T, O>,
    grace: Option<Grace>,
}

/// How long records wait, and where.
pub(crate) struct Grace {
    pub(crate) ms: i64,
    pub(crate) line: Line,
}

impl<K: Serde, V: Serde, T: Serde, O: Data> LookBack<K, V, T, O> {
    pub(crate) const fn new(as_of: AsOf<K, V, T, O>, grace: Option<Grace>) -> Self {
        Self { as_of, grace }
    }

    fn take(
        &mut self,
        item: Item<K, V>,
        out: &mut Vec<Item<K, O>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let watermark = behind(item.watermark, cx.delay_ms);
        self.release(watermark, item.order, out, cx)?;
        let Some(Grace { ms, line }) = &mut self.grace else { return self.as_of.take(item, out, cx) };
        let is_settled = item.time <= behind(watermark, *ms);
        let bytes = cx.key(&item.key)?.filter(|_| !is_settled && !is_missing(&item.value));
        match bytes {
            Some(bytes) => line.put(&bytes, &item, cx),
            // What has no key finds nothing, however long it waits (KIP-962).
            None => self.as_of.take(item, out, cx),
        }
    }

    /// Has the records look that have waited long enough.
    fn release(
        &mut self,
        watermark: Timestamp,
        order: u64,
        out: &mut Vec<Item<K, O>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let Some(Grace { ms, line }) = &mut self.grace else { return Ok(()) };
        for item in line.take(behind(watermark, *ms), cx)? {
            // Those behind this node see it when it was due, and not when that was noticed.
            let due = item.time.0.saturating_add(*ms).saturating_add(cx.delay_ms);
            let item = Item { watermark: Timestamp(due).min(LAST), order, ..item };
            self.as_of.take(item, out, cx)?;
        }
        Ok(())
    }
}

impl<K: Serde, V: Serde, T: Serde, O: Data> Pair for LookBack<K, V, T, O> {
    type Left = Item<K, ()>;
    type Right = Item<K, V>;
    type Out = Vec<Item<K, O>>;

    fn run(
        &mut self,
        versions: &mut Vec<Item<K, ()>>,
        records: &mut Vec<Item<K, V>>,
        out: &mut Vec<Item<K, O>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        versions.clear();
        records.drain(..).try_for_each(|item| self.take(item, out, cx))
    }

    fn watermark(&mut self, out: &mut Vec<Item<K, O>>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.release(cx.watermark, *cx.order, out, cx)
    }

    fn commit(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        if let Some(grace) = &self.grace {
            grace.line.commit(cx);
        }
        Ok(())
    }
}
