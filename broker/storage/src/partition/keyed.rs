//! The last value of each key of a partition, for those who start from it.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use mainstem_protocol::records::{Batch, Decompressor, OpenBatch, header::HEADER_BYTES};

use crate::{checkpoint::KeyedValues, journal::PlacedBatch};

/// Bytes that one batch of a keyed topic may have when decompressed; they are the broker's own and never compressed.
const OPENED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Folded from committed batches; a tombstone removes its key.
#[derive(Debug, Default)]
pub(crate) struct Keyed(Mutex<KeyedValues>);

impl Keyed {
    pub(crate) fn new(values: KeyedValues) -> Self {
        Self(Mutex::new(values))
    }

    /// The values as they are now.
    pub(crate) fn values(&self) -> BTreeMap<Bytes, Bytes> {
        self.lock().clone()
    }

    /// One value.
    pub(crate) fn value(&self, key: &[u8]) -> Option<Bytes> {
        self.lock().get(key).cloned()
    }

    pub(crate) fn into_values(self) -> KeyedValues {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The values whose keys begin with `prefix`.
    pub(crate) fn values_of(&self, prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
        let values = self.lock();
        let found = values.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        found
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Folds a batch. One that cannot be opened says so and is passed over: its bytes stay in the log.
    pub(crate) fn fold(&self, batch: &PlacedBatch) {
        if batch.header.attributes.is_control() {
            return;
        }
        match open(batch) {
            Ok(open) => fold(&mut self.lock(), &open),
            Err(error) => tracing::error!(topic = %batch.topic, partition = %batch.partition,
                offset = %batch.header.base_offset, error, "a batch of a keyed topic cannot be opened"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, KeyedValues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(batch: &PlacedBatch) -> Result<OpenBatch, String> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + batch.records.len());
    bytes.extend(batch.encoded);
    bytes.extend(&batch.records);
    let batch = Batch::split_from(&mut bytes.into()).map_err(|error| error.to_string())?;
    batch.open(&mut Decompressor::new(), OPENED_BYTES_MAX).map_err(|error| error.to_string())
}

fn fold(values: &mut KeyedValues, batch: &OpenBatch) {
    for record in batch.refs().map_while(Result::ok) {
        // Copied, so that a value does not keep its whole request in memory.
        let Some(key) = record.key else { continue };
        match record.value {
            Some(value) => drop(values.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value))),
            None => drop(values.remove(key)),
        }
    }
}
