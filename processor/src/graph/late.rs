//! What becomes of records that come after their windows have closed.

use bytes::Bytes;
use mainstem_client::{Headers, Text, Timestamp};

use super::{NodeError, cx::Cx};
use crate::{OutputRecord, record::Emitted, serdes::Serde};

/// Where a node puts records that none of its windows takes any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late {
    /// None where they are dropped.
    pub(crate) topic: Option<Text>,
}

impl Late {
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
        let unwritable = |cause| NodeError::Unwritable { part: "value", cause };
        let value = value.encode(cx.buffer()).map_err(unwritable)?;
        let record = OutputRecord { key: Some(key), value, timestamp, headers };
        cx.emit(Emitted { topic: topic.clone(), partition: None, record });
        Ok(())
    }
}
