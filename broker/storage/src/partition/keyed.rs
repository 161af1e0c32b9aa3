//! The last value of each key of a partition, for those who start from it. What a transaction writes is kept apart until
//! its marker says whether it counts.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use mainstem_protocol::{
    ProducerId,
    records::{Batch, Decompressor, OpenBatch, header::HEADER_BYTES},
};

use super::{
    Partition,
    pending::{Pending, PendingValue},
};
use crate::{checkpoint::KeyedValues, journal::PlacedBatch};

/// Bytes that one batch of a keyed topic may have when decompressed; they are the broker's own and never compressed.
const OPENED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Values that are looked at without letting go of the lock.
const PAGE_VALUES: usize = 256;

/// Folded from committed batches; a tombstone removes its key.
#[derive(Debug, Default)]
pub(crate) struct Keyed(Mutex<KeyedState>);

/// The last values by key, and those of open transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyedState {
    pub(crate) values: KeyedValues,
    pub(crate) pending: Pending,
}

impl Keyed {
    pub(crate) fn new(state: KeyedState) -> Self {
        Self(Mutex::new(state))
    }

    /// Everything, as it is now.
    pub(crate) fn state(&self) -> KeyedState {
        self.lock().clone()
    }

    /// The values as they are now.
    pub(crate) fn values(&self) -> BTreeMap<Bytes, Bytes> {
        self.lock().values.clone()
    }

    /// The keys that begin with `prefix` and that an open transaction has written.
    pub(crate) fn pending(&self, prefix: &[u8]) -> Vec<Bytes> {
        self.lock().pending.keys(prefix).cloned().collect()
    }

    /// How many keys the open transaction of a producer has written.
    pub(crate) fn pending_count(&self, producer: ProducerId) -> usize {
        self.lock().pending.count(producer)
    }

    /// The keys that the open transaction of a producer has written.
    pub(crate) fn pending_of(&self, producer: ProducerId) -> BTreeSet<Bytes> {
        self.lock().pending.values(producer).map(|value| value.key).collect()
    }

    /// One value.
    pub(crate) fn value(&self, key: &[u8]) -> Option<Bytes> {
        self.lock().values.get(key).cloned()
    }

    pub(crate) fn into_state(self) -> KeyedState {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first values behind `start` whose keys begin with `prefix`, as many as one page has.
    fn page(&self, start: Bound<&[u8]>, prefix: &[u8]) -> VecDeque<(Bytes, Bytes)> {
        let state = self.lock();
        let found = state.values.range::<[u8], _>((start, Bound::Unbounded));
        found
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(PAGE_VALUES)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Folds a batch. One that cannot be opened says so and is passed over: its bytes stay in the log.
    pub(crate) fn fold(&self, batch: &PlacedBatch) {
        if let Some(marker) = batch.marker() {
            let KeyedState { values, pending } = &mut *self.lock();
            return pending.end(batch.header.producer_id, marker.committed, values);
        }
        if batch.header.attributes.is_control() {
            return;
        }
        match open(batch) {
            Ok(open) => fold(&mut self.lock(), batch, &open),
            Err(error) => tracing::error!(topic = %batch.topic, partition = %batch.partition,
                offset = %batch.header.base_offset, error, "a batch of a keyed topic cannot be opened"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, KeyedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Values of a keyed partition in the order of keys, a page at a time: each as it is when its page is read.
#[derive(Debug)]
pub(crate) struct Pages {
    partition: Option<Arc<Partition>>,
    prefix: Bytes,
    page: VecDeque<(Bytes, Bytes)>,
    is_last: bool,
}

impl Pages {
    /// The values whose keys begin with `prefix`; none where the partition is not keyed.
    pub(crate) fn new(partition: Option<Arc<Partition>>, prefix: &[u8]) -> Self {
        let mut pages =
            Self { partition, prefix: Bytes::copy_from_slice(prefix), page: VecDeque::new(), is_last: false };
        pages.turn(None);
        pages
    }

    fn turn(&mut self, last: Option<&Bytes>) {
        let start = last.map_or(Bound::Included(&*self.prefix), |last| Bound::Excluded(&**last));
        let keyed = self.partition.as_ref().and_then(|partition| partition.keyed.as_ref());
        self.page = keyed.map(|keyed| keyed.page(start, &self.prefix)).unwrap_or_default();
        self.is_last = self.page.len() < PAGE_VALUES;
    }
}

impl Iterator for Pages {
    type Item = (Bytes, Bytes);

    fn next(&mut self) -> Option<(Bytes, Bytes)> {
        let value = self.page.pop_front()?;
        if self.page.is_empty() && !self.is_last {
            self.turn(Some(&value.0));
        }
        Some(value)
    }
}

fn open(batch: &PlacedBatch) -> Result<OpenBatch, String> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + batch.records.len());
    bytes.extend(batch.encoded);
    bytes.extend(&batch.records);
    let batch = Batch::split_from(&mut bytes.into()).map_err(|error| error.to_string())?;
    batch.open(&mut Decompressor::new(), OPENED_BYTES_MAX).map_err(|error| error.to_string())
}

fn fold(state: &mut KeyedState, batch: &PlacedBatch, open: &OpenBatch) {
    let (offset, producer) = (batch.header.base_offset, batch.header.producer_id);
    for record in open.refs().map_while(Result::ok) {
        // Copied, so that a value does not keep its whole request in memory.
        let (Some(key), value) = (record.key, record.value.map(Bytes::copy_from_slice)) else { continue };
        if batch.header.attributes.is_transactional() {
            let key = Bytes::copy_from_slice(key);
            state.pending.push(producer, PendingValue { offset, key, value, is_superseded: false });
            continue;
        }
        match value {
            Some(value) => {
                state.pending.supersede(key, offset);
                state.values.insert(Bytes::copy_from_slice(key), value);
            }
            None => {
                state.pending.remove(key);
                state.values.remove(key);
            }
        }
    }
}
