//! Keys and values: their bytes, and the numbers that programs write there.

use std::borrow::Cow;

use bytes::Bytes;
use clap::ValueEnum;

/// What keys or values are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Text, or whatever bytes there are
    #[default]
    Text,
    /// A signed integer of 1, 2, 4 or 8 bytes, the highest first, as Java's serializers and counts in processors have it
    Integer,
}

/// Bytes that are no integer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has {0} bytes, and an integer has 1, 2, 4 or 8")]
pub(super) struct NoInteger(usize);

/// A key or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    bytes: Bytes,
    integer: Option<i64>,
}

impl Kind {
    pub(super) fn read(self, bytes: Bytes) -> Result<Part, NoInteger> {
        let integer = match self {
            Self::Text => None,
            Self::Integer => Some(integer(&bytes).ok_or(NoInteger(bytes.len()))?),
        };
        Ok(Part { bytes, integer })
    }
}

impl Part {
    /// As it is on the wire.
    pub(super) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) const fn integer(&self) -> Option<i64> {
        self.integer
    }

    /// As it is printed.
    pub(super) fn printed(&self) -> Cow<'_, [u8]> {
        match self.integer {
            Some(integer) => Cow::Owned(integer.to_string().into_bytes()),
            None => Cow::Borrowed(&self.bytes),
        }
    }
}

fn integer(bytes: &[u8]) -> Option<i64> {
    match *bytes {
        [byte] => Some(i8::from_be_bytes([byte]).into()),
        [a, b] => Some(i16::from_be_bytes([a, b]).into()),
        [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
        _ => bytes.try_into().ok().map(i64::from_be_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_the_width_that_they_have() {
        let check = |bytes: &'static [u8], expected: &str| {
            let part = Kind::Integer.read(Bytes::from_static(bytes)).unwrap();
            assert_eq!((&*part.printed(), &**part.bytes()), (expected.as_bytes(), bytes));
        };
        check(&[0xff], "-1");
        check(&[1, 0], "256");
        check(&[0, 0, 0, 7], "7");
        check(&[0x80, 0, 0, 0, 0, 0, 0, 0], "-9223372036854775808");
    }

    #[test]
    fn what_is_no_integer_is_told() {
        let read = |bytes: &'static [u8]| Kind::Integer.read(Bytes::from_static(bytes));
        assert_eq!(read(b"one").unwrap_err().to_string(), "has 3 bytes, and an integer has 1, 2, 4 or 8");
        assert_eq!(read(b"").unwrap_err(), NoInteger(0));
    }
}
