//! Nodes that keep the last records of each key, or what was made of them, and give a result with each so many of them.
//! Their times do not matter; a result bears the largest of those in it.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mainstem_client::Timestamp;

use super::{
    NodeError,
    aggregate::{Change, result},
    cells::{Cells, Seen},
    cx::Cx,
    operator::Logic,
};
use crate::{
    record::Item,
    serdes::{Serde, SerdeError, written},
    watermark::BEGINNING,
};

/// A node of windows that follow one another: it keeps what was made of the records of the last one.
pub(crate) struct Filling<K, V, A> {
    size: u32,
    change: Change<K, V, A>,
    cells: Cells<Filled<A>>,
}

/// A window that is not full.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filled<A> {
    records: u32,
    /// The largest time of them.
    time: Timestamp,
    value: Option<A>,
}

/// A node of windows that slide: it keeps their records.
pub(crate) struct Keeping<K, V, A> {
    size: usize,
    slide: u32,
    change: Change<K, V, A>,
    cells: Cells<Kept<V>>,
}

/// The last records of a key, and how many of them have come since the last result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept<V> {
    since: u32,
    records: VecDeque<(Timestamp, V)>,
}

impl<K: Serde, V: Serde, A: Serde> Filling<K, V, A> {
    pub(crate) const fn new(size: u32, change: Change<K, V, A>, cells: Cells<Filled<A>>) -> Self {
        Self { size, change, cells }
    }

    fn take(
        &mut self,
        item: Item<K, V>,
        out: &mut Vec<Item<K, A>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let Some(bytes) = cx.needed_key(&item.key)? else { return Ok(()) };
        let seen = Seen::of(&item);
        let Item { key, value, .. } = item;
        let (change, size, mut full) = (&self.change, self.size, None);
        let add = |before: Option<Filled<A>>| {
            let Filled { records, time, value: before } = before.unwrap_or_default();
            let (records, time) = (records + 1, time.max(seen.time));
            let value = Some(change(&key, value, before));
            if records < size {
                return Some(Filled { records, time, value });
            }
            full = value.map(|value| (value, time));
            None
        };
        self.cells.update(&bytes, seen, cx, add, |_| ())?;
        out.extend(full.map(|(value, time)| result(key, value, Seen { time, ..seen })));
        if self.cells.is_full() { self.commit(out, cx) } else { Ok(()) }
    }
}

impl<K: Serde, V: Serde, A: Serde> Keeping<K, V, A> {
    pub(crate) const fn new(
        (size, slide): (u32, u32),
        change: Change<K, V, A>,
        cells: Cells<Kept<V>>,
    ) -> Self {
        Self { size: size as usize, slide, change, cells }
    }

    fn take(
        &mut self,
        item: Item<K, V>,
        out: &mut Vec<Item<K, A>>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let Some(bytes) = cx.needed_key(&item.key)? else { return Ok(()) };
        let seen = Seen::of(&item);
        let Item { key, value, .. } = item;
        let (change, size, slide, mut full) = (&self.change, self.size, self.slide, None);
        let add = |before: Option<Kept<V>>| {
            let Kept { since, mut records } = before.unwrap_or_default();
            if records.len() >= size {
                records.pop_front();
            }
            records.push_back((seen.time, value));
            if since + 1 < slide {
                return Some(Kept { since: since + 1, records });
            }
            let values = records.iter().map(|(_, value)| value.clone());
            let folded = values.fold(None, |before, value| Some(change(&key, value, before)));
            let time = records.iter().map(|(time, _)| *time).max();
            full = folded.zip(time);
            Some(Kept { since: 0, records })
        };
        self.cells.update(&bytes, seen, cx, add, |_| ())?;
        out.extend(full.map(|(value, time)| result(key, value, Seen { time, ..seen })));
        if self.cells.is_full() { self.commit(out, cx) } else { Ok(()) }
    }
}

impl<A> Default for Filled<A> {
    fn default() -> Self {
        Self { records: 0, time: BEGINNING, value: None }
    }
}

impl<V> Default for Kept<V> {
    fn default() -> Self {
        Self { since: 0, records: VecDeque::new() }
    }
}

/// The number of records (4), the time (8), and the value, if it is not null.
impl<A: Serde> Serde for Filled<A> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let mut bytes = head(bytes, "a window that is not full", 13)?;
        let (records, time) = (bytes.get_u32(), Timestamp(bytes.get_i64()));
        let value = if bytes.get_u8() == 0 { None } else { Some(A::decode(Some(&bytes))?) };
        Ok(Self { records, time, value })
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        let value = self.value.as_ref().map(|value| value.encode(buffer)).transpose()?.flatten();
        buffer.put_u32(self.records);
        buffer.put_i64(self.time.0);
        buffer.put_u8(u8::from(value.is_some()));
        buffer.put_slice(&value.unwrap_or_default());
        Ok(written(buffer))
    }
}

/// How many have come since the last result (4), and for each record its time (8), the length of its value (4, -1 for
/// null), and that.
impl<V: Serde> Serde for Kept<V> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let mut bytes = head(bytes, "the last records of a key", 4)?;
        let (since, mut records) = (bytes.get_u32(), VecDeque::new());
        while !bytes.is_empty() {
            let mut record = head(Some(&bytes), "the last records of a key", 12)?;
            let (time, length) = (Timestamp(record.get_i64()), record.get_i32());
            let length = usize::try_from(length).ok();
            let whole = head(Some(&record), "the last records of a key", length.unwrap_or(0))?;
            let value = length.map(|length| whole.slice(..length));
            records.push_back((time, V::decode(value.as_ref())?));
            bytes = whole.slice(length.unwrap_or(0)..);
        }
        Ok(Self { since, records })
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        let mut whole = BytesMut::new();
        whole.put_u32(self.since);
        for (time, value) in &self.records {
            whole.put_i64(time.0);
            match value.encode(buffer)? {
                Some(value) => {
                    whole.put_i32(value.len() as i32);
                    whole.put_slice(&value);
                }
                None => whole.put_i32(-1),
            }
        }
        Ok(Some(whole.freeze()))
    }
}

/// The bytes, if there are at least so many.
fn head(bytes: Option<&Bytes>, expected: &'static str, wanted: usize) -> Result<Bytes, SerdeError> {
    let bytes = bytes.ok_or(SerdeError::Null { expected })?;
    let short = SerdeError::Length { expected, wanted, found: bytes.len() };
    if bytes.len() < wanted { Err(short) } else { Ok(bytes.clone()) }
}

macro_rules! logic {
    ($($node:ident),*) => {$(
        impl<K: Serde, V: Serde, A: Serde> Logic for $node<K, V, A> {
            type In = Item<K, V>;
            type Out = Vec<Item<K, A>>;

            fn run(
                &mut self,
                input: &mut Vec<Item<K, V>>,
                out: &mut Vec<Item<K, A>>,
                cx: &mut Cx<'_>,
            ) -> Result<(), NodeError> {
                input.drain(..).try_for_each(|item| self.take(item, out, cx))
            }

            fn commit(&mut self, _: &mut Vec<Item<K, A>>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
                self.cells.write_back(cx, false, |_, _| Ok(()))
            }
        }
    )*};
}

logic!(Filling, Keeping);
