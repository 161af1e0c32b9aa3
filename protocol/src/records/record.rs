//! One record, and the headers in it (Kafka: `DefaultRecord`):
//!
//! ```text
//! varint   length of what follows
//! i8       attributes, unused
//! varlong  timestamp, counted from the batch's base timestamp
//! varint   offset, counted from the batch's base offset
//! varint   key length, -1 for null; key
//! varint   value length, -1 for null; value
//! varint   headers, each: varint key length, key, varint value length or -1, value
//! ```

use bytes::{BufMut, Bytes};

use super::varint::{
    VARINT_BYTES_MAX, VARLONG_BYTES_MAX, VarintError, put_varint, put_varlong, take_varint, take_varlong,
    varint_size, varlong_size,
};
use crate::ids::{Offset, Timestamp};

/// Bytes of what stands before the key: length, attributes, timestamp, offset.
const NUMBERS_BYTES_MAX: usize = VARINT_BYTES_MAX + 1 + VARLONG_BYTES_MAX + VARINT_BYTES_MAX;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record, or the batch, ends inside a field.
    #[error("record ends inside a field")]
    Truncated,
    /// A varint of more bytes than its type has.
    #[error("varint is too long")]
    VarintTooLong,
    /// A length below zero.
    #[error("record length {0} is negative")]
    NegativeLength(i32),
    /// The fields end before the record does.
    #[error("{0} bytes are left behind the fields of the record")]
    Trailing(usize),
    /// The records end before the batch does.
    #[error("bytes are left behind the last record")]
    BatchTrailing,
    /// More headers than bytes, or fewer than none.
    #[error("header count {0} is impossible")]
    HeaderCount(i32),
    /// The key of a header may be empty, but not null.
    #[error("header key is null")]
    NullHeaderKey,
}

impl From<VarintError> for RecordError {
    fn from(error: VarintError) -> Self {
        match error {
            VarintError::Truncated => Self::Truncated,
            VarintError::TooLong => Self::VarintTooLong,
        }
    }
}

/// A record as it lies in a batch; its numbers count from those of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Milliseconds from the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Records from the batch's base offset.
    pub offset_delta: i32,
    /// The key, where there is one.
    pub key: Option<&'a [u8]>,
    /// The value; none for a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: HeadersRef<'a>,
}

impl<'a> RecordRef<'a> {
    /// Takes a record off the front of `bytes`; all of it was looked at then, headers too.
    ///
    /// # Errors
    /// Where a field does not end within the record, or the record not with its last field.
    pub fn split_from(bytes: &mut &'a [u8]) -> Result<Self, RecordError> {
        let length = take_varint(bytes)?;
        let length = usize::try_from(length).map_err(|_| RecordError::NegativeLength(length))?;
        let (body, rest) = bytes.split_at_checked(length).ok_or(RecordError::Truncated)?;
        *bytes = rest;
        Self::from_body(body)
    }

    fn from_body(mut body: &'a [u8]) -> Result<Self, RecordError> {
        let body = &mut body;
        body.split_off_first().ok_or(RecordError::Truncated)?;
        Ok(Self {
            timestamp_delta: take_varlong(body)?,
            offset_delta: take_varint(body)?,
            key: take_nullable(body)?,
            value: take_nullable(body)?,
            headers: HeadersRef::from_rest(body)?,
        })
    }

    /// Bytes that the record has in a batch.
    ///
    /// Where that is more than a length field can say, no batch can hold the record.
    #[must_use]
    pub fn size(&self) -> usize {
        let body = self.body_size();
        body.saturating_add(varint_size(i32::try_from(body).unwrap_or(i32::MAX)))
    }

    fn body_size(&self) -> usize {
        let numbers = 1 + varlong_size(self.timestamp_delta) + varint_size(self.offset_delta);
        let fields = nullable_size(self.key) + nullable_size(self.value);
        numbers + fields + varint_size(self.headers.count) + self.headers.bytes.len()
    }

    /// Writes the record at the end of `buffer`.
    pub(super) fn put(&self, buffer: &mut impl BufMut) {
        let mut numbers = [0; NUMBERS_BYTES_MAX];
        let unused = self.put_numbers(&mut numbers);
        buffer.put_slice(&numbers[..NUMBERS_BYTES_MAX - unused]);
        put_nullable(buffer, self.key);
        put_nullable(buffer, self.value);
        put_varint(buffer, self.headers.count);
        buffer.put_slice(self.headers.bytes);
    }

    /// Writes the numbers together, before they go to the buffer; returns how many bytes they leave.
    fn put_numbers(&self, mut numbers: &mut [u8]) -> usize {
        put_varint(&mut numbers, self.body_size() as i32);
        numbers.put_u8(0);
        put_varlong(&mut numbers, self.timestamp_delta);
        put_varint(&mut numbers, self.offset_delta);
        numbers.len()
    }
}

/// The headers of a record, known to be well-formed. A key may come more than once, and a value may be null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadersRef<'a> {
    count: i32,
    bytes: &'a [u8],
}

impl<'a> HeadersRef<'a> {
    /// No headers.
    pub const EMPTY: Self = Self { count: 0, bytes: &[] };

    /// Headers are the last field: they must end where the record ends.
    fn from_rest(rest: &mut &'a [u8]) -> Result<Self, RecordError> {
        let count = take_varint(rest)?;
        if usize::try_from(count).is_ok_and(|count| count <= rest.len()) {
            let headers = Self { count, bytes: rest };
            headers.check()?;
            return Ok(headers);
        }
        Err(RecordError::HeaderCount(count))
    }

    fn check(self) -> Result<(), RecordError> {
        let mut rest = self.bytes;
        for _ in 0..self.count {
            take_header(&mut rest)?;
        }
        if rest.is_empty() { Ok(()) } else { Err(RecordError::Trailing(rest.len())) }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Keys and values, in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let mut rest = self.bytes;
        // Everything was checked when the record was read: the error that would end this early does not come.
        (0..self.count).map_while(move |_| take_header(&mut rest).ok())
    }
}

/// The headers of a record. Shares the memory of the batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    count: i32,
    bytes: Bytes,
}

impl Headers {
    /// Writes headers down as records have them; `None` where they are more than a record can hold.
    pub fn new<'a>(headers: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut count: i32 = 0;
        for (key, value) in headers {
            put_nullable(&mut bytes, Some(key));
            put_nullable(&mut bytes, value);
            count = count.checked_add(1)?;
        }
        (bytes.len() <= i32::MAX as usize).then(|| Self { count, bytes: bytes.into() })
    }

    /// The same, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> HeadersRef<'_> {
        HeadersRef { count: self.count, bytes: &self.bytes }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Keys and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Bytes, Option<Bytes>)> {
        let share = |part: &[u8]| self.bytes.slice_ref(part);
        self.as_ref().iter().map(move |(key, value)| (share(key), value.map(share)))
    }

    /// The value of the last header with that key, which is the one that counts where a key comes more than once
    /// (Kafka: `Headers.lastHeader`); the inner option is `None` where its value is null.
    #[must_use]
    pub fn last(&self, key: &[u8]) -> Option<Option<Bytes>> {
        self.iter().filter(|(name, _)| name == key).last().map(|(_, value)| value)
    }
}

/// A record with its place in the log. Key, value and headers share the memory of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the partition.
    pub offset: Offset,
    /// The producer's time, or the broker's, as the topic has it.
    pub timestamp: Timestamp,
    /// The key, where there is one.
    pub key: Option<Bytes>,
    /// The value; none for a tombstone.
    pub value: Option<Bytes>,
    /// The headers, in order.
    pub headers: Headers,
}

impl Record {
    /// `record` must lie within `memory`.
    pub(super) fn share(memory: &Bytes, record: RecordRef<'_>, offset: Offset, timestamp: Timestamp) -> Self {
        let share = |part: &[u8]| memory.slice_ref(part);
        let headers = match record.headers {
            HeadersRef { count: 0, .. } => Headers::default(),
            HeadersRef { count, bytes } => Headers { count, bytes: share(bytes) },
        };
        Self { offset, timestamp, key: record.key.map(share), value: record.value.map(share), headers }
    }
}

fn take_header<'a>(bytes: &mut &'a [u8]) -> Result<(&'a [u8], Option<&'a [u8]>), RecordError> {
    let key = take_nullable(bytes)?.ok_or(RecordError::NullHeaderKey)?;
    Ok((key, take_nullable(bytes)?))
}

/// Any negative length means null, not only -1 (Kafka: `Utils.readBytes`).
fn take_nullable<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordError> {
    let Ok(length) = usize::try_from(take_varint(bytes)?) else {
        return Ok(None);
    };
    bytes.split_off(..length).map(Some).ok_or(RecordError::Truncated)
}

fn put_nullable(buffer: &mut impl BufMut, value: Option<&[u8]>) {
    put_varint(buffer, value.map_or(-1, |value| value.len() as i32));
    buffer.put_slice(value.unwrap_or_default());
}

fn nullable_size(value: Option<&[u8]>) -> usize {
    let length = value.map_or(0, <[u8]>::len);
    varint_size(i32::try_from(length).unwrap_or(i32::MAX)) + length
}
