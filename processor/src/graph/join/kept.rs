//! The records of two streams that are kept for their partners, in one store.
//!
//! | entry | key | value |
//! |---|---|---|
//! | a record | `0`, the bucket of its time, its side, its key, its time, a number | its value |
//! | a record that has no partner yet | `1`, when it is given up, its time, its side, its key, the same number | its value |
//!
//! A key stands behind its length in four bytes, times and buckets are eight bytes that sort like the number, and a
//! value stands behind a byte that says whether it is null. Records of one key lie together within a bucket, which is
//! half as long as records are kept, so that a search reads few of them, and what is over goes bucket by bucket (Kafka
//! Streams: segments).

use bytes::{BufMut, Bytes, BytesMut};
use mainstem_client::{Text, Timestamp};

use crate::{
    graph::{NodeError, cx::Cx},
    serdes::{Serde, SerdeError},
    state::{ordered, unordered},
};

const RECORD: u8 = 0;
const WAITING: u8 = 1;

/// Bytes of a time and a number behind a key.
const TAIL_BYTES: usize = 12;

/// Bytes in front of a waiting record's key: what it is, two times, a side, and the key's length.
const WAITING_HEAD_BYTES: usize = 22;

/// Which of the two streams a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Left = 0,
    Right = 1,
}

impl Of {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// A record that is kept: its time, and its number among those of its side, key and time.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) time: Timestamp,
    pub(crate) number: u32,
    pub(crate) value: Bytes,
}

/// A record that nobody has matched.
pub(crate) struct GivenUp {
    pub(crate) of: Of,
    pub(crate) key: Bytes,
    pub(crate) time: Timestamp,
    pub(crate) value: Bytes,
}

/// The records that are kept.
pub(crate) struct Keeping {
    store: Text,
    bucket_ms: i64,
    /// Buckets before this one are gone.
    first_bucket: i64,
    entry: BytesMut,
}

impl Keeping {
    /// Keeps records for so long behind the watermark.
    pub(crate) fn new(store: Text, for_ms: i64) -> Self {
        Self { store, bucket_ms: (for_ms / 2).max(1), first_bucket: i64::MIN, entry: BytesMut::new() }
    }

    const fn bucket(&self, time: i64) -> i64 {
        time.div_euclid(self.bucket_ms)
    }

    /// What the keys of a bucket's records of one side and key begin with.
    fn head(&mut self, bucket: i64, of: Of, key: &[u8]) -> &mut BytesMut {
        self.entry.clear();
        self.entry.put_u8(RECORD);
        self.entry.put_slice(&ordered(bucket));
        self.entry.put_u8(of as u8);
        put_key(&mut self.entry, key);
        &mut self.entry
    }

    /// Keeps a record, and returns its number.
    pub(crate) fn keep(
        &mut self,
        of: Of,
        key: &[u8],
        time: Timestamp,
        value: &Bytes,
        cx: &mut Cx<'_>,
    ) -> u32 {
        let before = self.partners(of, key, (time, time), cx);
        let number = before.last().map_or(0, |last| last.number.saturating_add(1));
        let bucket = self.bucket(time.0);
        let entry = self.head(bucket, of, key);
        entry.put_slice(&ordered(time.0));
        entry.put_u32(number);
        cx.store(&self.store).put(&self.entry, value.clone());
        number
    }

    /// The records of one side and key whose times are in a range, bounds included, by their times.
    pub(crate) fn partners(
        &mut self,
        of: Of,
        key: &[u8],
        (from, to): (Timestamp, Timestamp),
        cx: &mut Cx<'_>,
    ) -> Vec<Kept> {
        let (first, last) = (self.bucket(from.0), self.bucket(to.0));
        let mut found = Vec::new();
        for bucket in first.max(self.first_bucket)..=last {
            self.head(bucket, of, key).put_slice(&ordered(from.0));
            let begin = self.entry.clone();
            self.head(bucket, of, key).put_slice(&ordered(to.0));
            // Behind the last number that a record of the last time may have.
            self.entry.put_slice(&[u8::MAX; 5]);
            found.extend(cx.store(&self.store).entries(&begin, &self.entry).filter_map(|entry| kept(&entry)));
        }
        found
    }

    /// Notes that a record has no partner yet, and until when it may find one.
    pub(crate) fn wait(&mut self, due: Timestamp, of: Of, key: &[u8], kept: &Kept, cx: &mut Cx<'_>) {
        self.waiting(due, of, key, kept);
        cx.store(&self.store).put(&self.entry, kept.value.clone());
    }

    /// Notes that a record has found one.
    pub(crate) fn matched(&mut self, due: Timestamp, of: Of, key: &[u8], kept: &Kept, cx: &mut Cx<'_>) {
        self.waiting(due, of, key, kept);
        let store = cx.store(&self.store);
        // Most have found one before: nothing needs to be written then.
        if store.get(&self.entry).is_some() {
            store.delete(&self.entry);
        }
    }

    fn waiting(&mut self, due: Timestamp, of: Of, key: &[u8], kept: &Kept) {
        self.entry.clear();
        self.entry.put_u8(WAITING);
        self.entry.put_slice(&ordered(due.0));
        self.entry.put_slice(&ordered(kept.time.0));
        self.entry.put_u8(of as u8);
        put_key(&mut self.entry, key);
        self.entry.put_u32(kept.number);
    }

    /// When the first record that waits is given up.
    pub(crate) fn first_due(&self, cx: &mut Cx<'_>) -> Option<Timestamp> {
        let (entry, _) = cx.store(&self.store).entries_from(&[WAITING]).next()?;
        time_at(&entry, 1)
    }

    /// Takes out the records that are given up by a time, in the order in which they are.
    pub(crate) fn give_up(&self, by: Timestamp, cx: &mut Cx<'_>) -> Vec<GivenUp> {
        let end = [&[WAITING][..], &ordered(by.0.saturating_add(1))].concat();
        let due = cx.store(&self.store).range(&[WAITING], &end);
        due.iter().for_each(|(entry, _)| cx.store(&self.store).delete(entry));
        due.into_iter().filter_map(given_up).collect()
    }

    /// Drops the records before a time, as far as they fill buckets.
    pub(crate) fn drop_before(&mut self, time: Timestamp, cx: &mut Cx<'_>) {
        let bucket = self.bucket(time.0);
        if bucket <= self.first_bucket {
            return;
        }
        self.first_bucket = bucket;
        let end = [&[RECORD][..], &ordered(bucket)].concat();
        for (entry, _) in cx.store(&self.store).range(&[RECORD], &end) {
            cx.store(&self.store).delete(&entry);
        }
    }

    /// Notes that all are given up that would have been by a time which never came.
    pub(crate) fn close_to(&self, time: Timestamp, cx: &mut Cx<'_>) {
        cx.store(&self.store).close_to(time);
    }

    /// The time of which that was noted last.
    pub(crate) fn closed_to(&self, cx: &mut Cx<'_>) -> Timestamp {
        cx.store(&self.store).closed_to()
    }

    /// Reads a key or value.
    pub(crate) fn read<T>(&self, read: Result<T, SerdeError>) -> Result<T, NodeError> {
        read.map_err(|cause| NodeError::Stored { store: self.store.clone(), cause })
    }
}

fn put_key(entry: &mut BytesMut, key: &[u8]) {
    entry.put_u32(u32::try_from(key.len()).unwrap_or(u32::MAX));
    entry.put_slice(key);
}

fn time_at(entry: &Bytes, at: usize) -> Option<Timestamp> {
    Some(Timestamp(unordered(*entry.get(at..)?.first_chunk()?)))
}

fn kept((entry, value): &(Bytes, Bytes)) -> Option<Kept> {
    let tail = entry.len().checked_sub(TAIL_BYTES)?;
    let number = u32::from_be_bytes(*entry.get(tail + 8..)?.first_chunk()?);
    Some(Kept { time: time_at(entry, tail)?, number, value: value.clone() })
}

fn given_up((entry, value): (Bytes, Bytes)) -> Option<GivenUp> {
    let of = if *entry.get(WAITING_HEAD_BYTES - 5)? == Of::Left as u8 { Of::Left } else { Of::Right };
    let key = WAITING_HEAD_BYTES..entry.len().checked_sub(4)?;
    let key = (key.start <= key.end).then(|| entry.slice(key))?;
    Some(GivenUp { of, key, time: time_at(&entry, 9)?, value })
}

/// A value as it is kept, in memory of its own.
pub(crate) fn written<V: Serde>(value: &V, cx: &mut Cx<'_>) -> Result<Bytes, NodeError> {
    let bytes = cx.value(value)?;
    let mut whole = BytesMut::with_capacity(1 + bytes.as_ref().map_or(0, Bytes::len));
    whole.put_u8(u8::from(bytes.is_some()));
    whole.put_slice(&bytes.unwrap_or_default());
    Ok(whole.freeze())
}

/// A value that was kept.
pub(crate) fn value<V: Serde>(bytes: &Bytes) -> Result<V, SerdeError> {
    match bytes.first() {
        Some(1) => V::decode(Some(&bytes.slice(1..))),
        _ => V::decode(None),
    }
}
