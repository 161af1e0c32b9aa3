//! The nodes where records go out: keys and values become bytes.

use std::any::Any;

use mainstem_client::Text;

use super::{
    NodeError,
    operator::{Cx, Operator, arrange},
};
use crate::{
    InputRecord, OutputRecord,
    record::{Emitted, Item, Ordered},
    serdes::Serde,
};

/// What can be written to a topic.
pub(crate) trait Write: Ordered + Send + 'static {
    fn write(self, cx: &mut Cx<'_>) -> Result<OutputRecord, NodeError>;
}

/// A sink node.
pub(crate) struct Sink<T> {
    topic: Text,
    input: Vec<T>,
}

impl<T> Sink<T> {
    pub(crate) const fn new(topic: Text) -> Self {
        Self { topic, input: Vec::new() }
    }
}

impl<T: Write> Operator for Sink<T> {
    fn pending(&self) -> usize {
        self.input.len()
    }

    fn input(&mut self) -> &mut dyn Any {
        &mut self.input
    }

    fn arrange(&mut self) {
        arrange(&mut self.input);
    }

    fn run(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        for item in self.input.drain(..) {
            let record = item.write(cx)?;
            cx.emit(Emitted { topic: self.topic.clone(), partition: None, record });
        }
        Ok(())
    }

    fn produced(&self, _: usize) -> usize {
        0
    }

    fn give(&mut self, _: usize, _: &mut dyn Any, _: bool) {}

    fn clear(&mut self) {}
}

impl<K: Serde, V: Serde> Write for Item<K, V> {
    fn write(self, cx: &mut Cx<'_>) -> Result<OutputRecord, NodeError> {
        let unwritable = |part| move |cause| NodeError::Unwritable { part, cause };
        let key = self.key.encode(cx.buffer()).map_err(unwritable("key"))?;
        let value = self.value.encode(cx.buffer()).map_err(unwritable("value"))?;
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
