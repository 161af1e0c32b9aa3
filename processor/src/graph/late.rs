//! What becomes of records that come after their windows have closed.

use bytes::Bytes;
use mainstem_client::{Headers, Text, Timestamp};

use super::{NodeError, cx::Cx};
use crate::{
    OutputRecord,
    record::{Emitted, Item},
    serdes::Serde,
};

/// Where a node puts records that none of its windows takes any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late {
    /// None where they are dropped.
    pub(crate) topic: Option<Text>,
}

impl Late {
    /// Counts a record that nothing takes, and puts it aside.
    pub(crate) fn take<K, V: Serde>(
        &self,
        key: Bytes,
        item: Item<K, V>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        cx.counts.late += 1;
        let Item { value, time, headers, .. } = item;
        self.put_aside(key, &value, time, headers, cx)
    }

    /// Sends such a record to the topic for them, if there is one, as it came.
    pub(crate) fn put_aside<V: Serde>(
        &self,
        key: Bytes,
        value: &V,
        timestamp: Timestamp,
        headers: Headers,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let Some(topic) = &self.topic else { return Ok(()) };
        let value = cx.value(value)?;
        let record = OutputRecord { key: Some(key), value, timestamp, headers };
        cx.emit(Emitted { topic: topic.clone(), partition: None, record });
        Ok(())
    }
}
