//! Where a message is within the file of its schema.

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::{caps, serdes::SerdeError};

/// Where a message is within the file of its schema: the number of the outermost message, then that of the one within it,
/// and so on, all counted from 0 in the order of the file.
///
/// On the wire: how many numbers there are, and the numbers, as zigzag integers of seven bits a byte; a single zero stands
/// for the first message of the file (`io.confluent.kafka.schemaregistry.protobuf.MessageIndexes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageIndexes(&'static [i32]);

impl MessageIndexes {
    /// The first message of the file, which mostly is the only one.
    pub const FIRST: Self = Self(&[0]);

    /// The message that those numbers lead to.
    ///
    /// # Panics
    /// Where there are none, or more than [`caps::PROTOBUF_INDEXES_MAX`]: nobody could read what is written so. A constant
    /// of that kind does not compile.
    #[must_use]
    pub const fn new(indexes: &'static [i32]) -> Self {
        assert!(!indexes.is_empty(), "at least one number leads to a message");
        assert!(indexes.len() <= caps::PROTOBUF_INDEXES_MAX, "too many numbers lead to a message");
        Self(indexes)
    }

    pub(super) fn put(self, buffer: &mut BytesMut) {
        if self == Self::FIRST {
            return buffer.put_u8(0);
        }
        put_varint(buffer, self.0.len() as i64);
        self.0.iter().for_each(|index| put_varint(buffer, i64::from(*index)));
    }

    /// What follows the numbers, which must be these.
    pub(super) fn expect(self, bytes: &[u8]) -> Result<&[u8], SerdeError> {
        let mut rest = bytes;
        let found = take(&mut rest)?;
        if found == self.0 { Ok(rest) } else { Err(SerdeError::Protobuf(self.instead(&found))) }
    }

    fn instead(self, found: &[i32]) -> String {
        format!("it is message {} of its schema, and {self} is expected", Self::shown(found))
    }

    fn shown(indexes: &[i32]) -> String {
        let indexes: Vec<String> = indexes.iter().map(ToString::to_string).collect();
        indexes.join(".")
    }
}

impl fmt::Display for MessageIndexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::shown(self.0))
    }
}

fn take(bytes: &mut &[u8]) -> Result<Vec<i32>, SerdeError> {
    let count = take_varint(bytes)?;
    if count == 0 {
        return Ok(vec![0]);
    }
    let count = usize::try_from(count).ok().filter(|count| *count <= caps::PROTOBUF_INDEXES_MAX);
    let limit = caps::PROTOBUF_INDEXES_MAX;
    let count = count.ok_or_else(|| wrong(&format!("is not led to by 1 to {limit} numbers")))?;
    (0..count).map(|_| take_varint(bytes)).collect()
}

fn put_varint(buffer: &mut BytesMut, number: i64) {
    let mut bits = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while bits >= 0x80 {
        buffer.put_u8(bits as u8 | 0x80);
        bits >>= 7;
    }
    buffer.put_u8(bits as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Result<i32, SerdeError> {
    let mut bits = 0_u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or_else(|| wrong("ends too early"))?;
        *bytes = rest;
        bits |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let number = (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed();
            return i32::try_from(number).map_err(|_| wrong("has a number of more than 32 bits"));
        }
    }
    Err(wrong("has a number of more than 32 bits"))
}

fn wrong(what: &str) -> SerdeError {
    SerdeError::Protobuf(format!("the place of the message in its schema {what}"))
}
