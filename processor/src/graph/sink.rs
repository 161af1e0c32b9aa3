//! The nodes where records go out: keys and values become bytes.

use std::marker::PhantomData;

use mainstem_client::Text;

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

/// A sink node.
pub(crate) struct Sink<T> {
    topic: Text,
    records: PhantomData<fn(T)>,
}

impl<T> Sink<T> {
    pub(crate) const fn new(topic: Text) -> Self {
        Self { topic, records: PhantomData }
    }
}

impl<T: Write> Logic for Sink<T> {
    type In = T;
    type Out = ();

    fn run(&mut self, input: &mut Vec<T>, (): &mut (), cx: &mut Cx<'_>) -> Result<(), NodeError> {
        for item in input.drain(..) {
            let record = item.write(cx)?;
            cx.emit(Emitted { topic: self.topic.clone(), partition: None, record });
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
