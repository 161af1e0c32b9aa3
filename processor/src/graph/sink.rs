//! The nodes where records go out: keys and values become bytes.

use std::sync::Arc;

use mainstem_client::{PartitionId, Text};

use super::{NodeError, cx::Cx, operator::Logic};
use crate::{
    InputRecord, OutputRecord,
    record::{Emitted, Item, Ordered},
    serdes::Serde,
};

/// What can be written to a topic.
pub(crate) trait Write: Ordered + Send + 'static {
    fn write(self, cx: &mut Cx<'_>) -> Result<OutputRecord, NodeError>;
}

/// Where a record goes.
pub(crate) struct Place {
    pub(crate) topic: Text,
    /// None to have it chosen by the key.
    pub(crate) partition: Option<PartitionId>,
}

/// Chooses where each record goes.
pub(crate) type Choose<T> = Arc<dyn Fn(&T) -> Place + Send + Sync>;

/// A sink node.
pub(crate) enum Sink<T> {
    /// All records go to one topic.
    Topic(Text),
    /// Each goes where it is told.
    Choosing(Choose<T>),
}

impl<T> Sink<T> {
    pub(crate) const fn new(topic: Text) -> Self {
        Self::Topic(topic)
    }

    pub(crate) const fn choosing(choose: Choose<T>) -> Self {
        Self::Choosing(choose)
    }

    fn place(&self, record: &T) -> Place {
        match self {
            Self::Topic(topic) => Place { topic: topic.clone(), partition: None },
            Self::Choosing(choose) => choose(record),
        }
    }
}

impl<T: Write> Logic for Sink<T> {
    type In = T;
    type Out = ();

    fn run(&mut self, input: &mut Vec<T>, (): &mut (), cx: &mut Cx<'_>) -> Result<(), NodeError> {
        for item in input.drain(..) {
            let Place { topic, partition } = self.place(&item);
            let record = item.write(cx)?;
            cx.emit(Emitted { topic, partition, record });
        }
        Ok(())
    }
}

impl<K: Serde, V: Serde> Write for Item<K, V> {
    fn write(self, cx: &mut Cx<'_>) -> Result<OutputRecord, NodeError> {
        let (key, value) = (cx.key(&self.key)?, cx.value(&self.value)?);
        Ok(OutputRecord { key, value, timestamp: self.time, headers: self.headers })
    }
}

impl Write for InputRecord {
    fn write(self, _: &mut Cx<'_>) -> Result<OutputRecord, NodeError> {
        let Self { record, event_time, .. } = self;
        Ok(OutputRecord {
            key: record.key,
            value: record.value,
            timestamp: event_time,
            headers: record.headers,
        })
    }
}
