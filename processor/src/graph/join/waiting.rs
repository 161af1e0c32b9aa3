//! Records of a stream that wait in line until their time has come, in a store:
//!
//! | key | value |
//! |---|---|
//! | `r`, its time, its number (8) | the length of its key (4), its key, its headers, its value |
//! | `n` | the number of the next record (8) |
//!
//! Times are eight bytes that sort like the number. Headers stand behind their count, and the bytes of each name and
//! value behind their length, four bytes each; a value that is null has the length -1. A record's value stands behind a
//! byte that says whether it is null.

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};
use mainstem_client::{Headers, Text, Timestamp};

use super::kept;
use crate::{
    graph::{NodeError, cx::Cx},
    record::Item,
    serdes::{Serde, SerdeError},
    state::{ordered, unordered},
    watermark::{BEGINNING, END},
};

const RECORD: u8 = b'r';
const NEXT: &[u8] = b"n";

/// Bytes of a number.
const NUMBER_BYTES: usize = 8;

/// The line, in the order of the records' times, and of their coming where those are the same.
pub(crate) struct Line {
    store: Text,
    /// The number of the next record; none before the store was asked.
    next: Option<u64>,
    /// None that waits is earlier.
    first: Timestamp,
}

impl Line {
    pub(crate) const fn new(store: Text) -> Self {
        // What the store holds is not known yet: the first look at it says so.
        Self { store, next: None, first: BEGINNING }
    }

    /// Puts a record, whose key has these bytes, into the line.
    pub(crate) fn put<K, V: Serde>(
        &mut self,
        key: &[u8],
        item: &Item<K, V>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let mut whole = BytesMut::new();
        put_bytes(&mut whole, key);
        put_headers(&mut whole, &item.headers);
        whole.put_slice(&kept::written(&item.value, cx)?);
        let number = self.next(cx);
        let entry = [&begin(item.time)[..], &number.to_be_bytes()].concat();
        cx.store(&self.store).put(&entry, whole);
        self.next = Some(number + 1);
        self.first = self.first.min(item.time);
        Ok(())
    }

    fn next(&self, cx: &mut Cx<'_>) -> u64 {
        let stored = |bytes: Bytes| bytes.as_ref().try_into().ok().map(u64::from_be_bytes);
        self.next.or_else(|| cx.store(&self.store).get(NEXT).and_then(stored)).unwrap_or(0)
    }

    /// Takes out the records up to a time, that one included.
    pub(crate) fn take<K: Serde, V: Serde>(
        &mut self,
        to: Timestamp,
        cx: &mut Cx<'_>,
    ) -> Result<Vec<Item<K, V>>, NodeError> {
        if to < self.first {
            return Ok(Vec::new());
        }
        // Behind the last number that a record of that time may have.
        let end = [&begin(to)[..], &[u8::MAX; NUMBER_BYTES + 1]].concat();
        let store = cx.store(&self.store);
        let taken = store.range(&[RECORD], &end);
        taken.iter().for_each(|(entry, _)| store.delete(entry));
        let first = store.entries(&[RECORD], &[RECORD + 1]).next();
        self.first = first.map_or(Ok(END), |(entry, _)| time(&entry)).map_err(|cause| self.stored(cause))?;
        taken.into_iter().map(|entry| read(entry).map_err(|cause| self.stored(cause))).collect()
    }

    fn stored(&self, cause: SerdeError) -> NodeError {
        NodeError::Stored { store: self.store.clone(), cause }
    }

    /// Writes down what the line holds besides its records.
    pub(crate) fn commit(&self, cx: &mut Cx<'_>) {
        if let Some(next) = self.next {
            cx.store(&self.store).put(NEXT, next.to_be_bytes().to_vec());
        }
    }
}

/// What the entries of a time begin with.
fn begin(time: Timestamp) -> [u8; 9] {
    let mut begin = [RECORD; 9];
    begin[1..].copy_from_slice(&ordered(time.0));
    begin
}

fn time(entry: &[u8]) -> Result<Timestamp, SerdeError> {
    let short = SerdeError::Length { expected: "a time", wanted: begin(BEGINNING).len(), found: entry.len() };
    let time = entry.get(1..).and_then(<[u8]>::first_chunk).ok_or(short)?;
    Ok(Timestamp(unordered(*time)))
}

/// A record, as if it had been seen before all others.
fn read<K: Serde, V: Serde>((entry, mut value): (Bytes, Bytes)) -> Result<Item<K, V>, SerdeError> {
    let cut_off = |_| SerdeError::other("a record that waits, and is cut off");
    let key = take_bytes(&mut value).map_err(cut_off)?.unwrap_or_default();
    let headers = take_headers(&mut value).map_err(cut_off)?;
    let (key, time) = (K::decode(Some(&key))?, time(&entry)?);
    Ok(Item { key, value: kept::value(&value)?, time, headers, watermark: BEGINNING, order: 0 })
}

const NULL: i32 = -1;

fn put_bytes(into: &mut BytesMut, bytes: &[u8]) {
    into.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    into.put_slice(bytes);
}

fn take_bytes(from: &mut Bytes) -> Result<Option<Bytes>, TryGetError> {
    let length = from.try_get_i32()?;
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    if from.len() < length {
        return Err(TryGetError { requested: length, available: from.len() });
    }
    Ok(Some(from.split_to(length)))
}

fn put_headers(into: &mut BytesMut, headers: &Headers) {
    into.put_u32(headers.len() as u32);
    for (name, value) in headers.as_ref().iter() {
        put_bytes(into, name);
        match value {
            Some(value) => put_bytes(into, value),
            None => into.put_i32(NULL),
        }
    }
}

fn take_headers(from: &mut Bytes) -> Result<Headers, TryGetError> {
    let count = from.try_get_u32()?;
    let one = |_| Ok((take_bytes(from)?.unwrap_or_default(), take_bytes(from)?));
    let headers: Vec<(Bytes, Option<Bytes>)> = (0..count).map(one).collect::<Result<_, _>>()?;
    let headers = headers.iter().map(|(name, value)| (&name[..], value.as_deref()));
    // They were those of one record.
    Ok(Headers::new(headers).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn headers_come_back_as_they_were(
            headers in prop::collection::vec((".{0,5}", prop::option::of(".{0,5}")), 0..4),
        ) {
            let parts = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_ref().map(String::as_bytes)));
            let headers = Headers::new(parts).unwrap();
            let mut written = BytesMut::new();
            put_headers(&mut written, &headers);
            prop_assert_eq!(take_headers(&mut written.freeze()), Ok(headers));
        }

    }

    #[test]
    fn what_is_cut_off_in_front_of_its_value_is_refused() {
        let entry = Bytes::copy_from_slice(&begin(Timestamp(5)));
        let headers = Headers::new([(&b"name"[..], Some(&b"value"[..])), (&b"none"[..], None)]).unwrap();
        let mut whole = BytesMut::new();
        put_bytes(&mut whole, b"key");
        put_headers(&mut whole, &headers);
        let whole = whole.freeze();
        let read = |to: usize| read::<Bytes, Option<Bytes>>((entry.clone(), whole.slice(..to)));
        assert!((0..whole.len()).all(|to| read(to).is_err()));
        let item = read(whole.len()).unwrap();
        assert_eq!((&item.key[..], item.time, item.headers), (&b"key"[..], Timestamp(5), headers));
    }
}
