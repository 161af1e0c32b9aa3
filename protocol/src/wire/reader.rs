//! Takes a message apart without trusting a single count in it.

use std::ops::Range;

use bytes::Bytes;

use crate::caps;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("message ends inside a field: {wanted} bytes wanted, {left} left")]
    Truncated {
        /// Bytes that the field needs.
        wanted: usize,
        /// Bytes that there are.
        left: usize,
    },
    /// A length or count below -1.
    #[error("negative length")]
    NegativeLength,
    /// A field that must not be null is.
    #[error("null where a value is required")]
    UnexpectedNull,
    /// A varint of more bytes than its type has.
    #[error("varint is too long")]
    VarintTooLong,
    /// A string that is not UTF-8.
    #[error("string is not UTF-8")]
    NotUtf8,
    /// A string that no length of two bytes could say: compact lengths reach further, Kafka does not.
    #[error("string is too long")]
    TooLong,
    /// The message would need more memory than [`caps::DECODED_BYTES_MAX`].
    #[error("message has too many elements")]
    TooManyElements,
    /// Tags must rise.
    #[error("tagged fields are out of order")]
    TagOrder,
    /// Bytes are left after the last field.
    #[error("{0} bytes are left behind the message")]
    Trailing(usize),
    /// There is no such version of the message.
    #[error("version {0} is not known")]
    UnknownVersion(i16),
    /// There is no such API.
    #[error("API key {0} is not known")]
    UnknownApi(i16),
}

/// Reads the fields of one message; strings and bytes share the frame's memory.
#[derive(Debug)]
pub struct Reader {
    bytes: Bytes,
    /// What is left of the bytes; numbers are read without touching the count of their owners.
    left: Range<usize>,
    version: i16,
    flexible: bool,
    budget: usize,
}

impl Reader {
    /// A reader of a message of `version` whose first flexible version is `flexible_since`.
    #[must_use]
    pub const fn new(bytes: Bytes, version: i16, flexible_since: i16) -> Self {
        let left = 0..bytes.len();
        Self { bytes, left, version, flexible: version >= flexible_since, budget: caps::DECODED_BYTES_MAX }
    }

    /// The version that is being read.
    #[must_use]
    pub const fn version(&self) -> i16 {
        self.version
    }

    /// Whether lengths are compact and structures end in tagged fields.
    #[must_use]
    pub const fn flexible(&self) -> bool {
        self.flexible
    }

    /// Bytes that are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.left.end - self.left.start
    }

    /// What is left, unread.
    #[must_use]
    pub fn into_rest(self) -> Bytes {
        self.bytes.slice(self.left)
    }

    /// Fails unless everything was read.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] where bytes are left.
    pub const fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }

    /// The next `count` bytes, shared.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] where there are fewer.
    pub fn take(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        let start = self.left.start;
        self.skip(count)?;
        Ok(self.bytes.slice(start..self.left.start))
    }

    const fn skip(&mut self, count: usize) -> Result<(), DecodeError> {
        if count > self.remaining() {
            return Err(DecodeError::Truncated { wanted: count, left: self.remaining() });
        }
        self.left.start += count;
        Ok(())
    }

    /// The next `N` bytes, copied.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] where there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let left = self.bytes.get(self.left.clone()).and_then(<[u8]>::first_chunk::<N>);
        let Some(array) = left.copied() else {
            return Err(DecodeError::Truncated { wanted: N, left: self.remaining() });
        };
        self.left.start += N;
        Ok(array)
    }

    /// An unsigned varint of at most 32 bits.
    ///
    /// # Errors
    /// Where the bytes end, or the varint is longer than five bytes.
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array::<1>()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return if shift == 28 && byte > 0x0f { Err(DecodeError::VarintTooLong) } else { Ok(value) };
            }
        }
        Err(DecodeError::VarintTooLong)
    }

    /// A length as the kind of message has it; `None` for null. `narrow` lengths have two bytes (strings), others four.
    ///
    /// # Errors
    /// Where the bytes end, the length is below -1, or beyond what remains: nothing is as long as that.
    pub fn length(&mut self, narrow: bool) -> Result<Option<usize>, DecodeError> {
        let length = match (self.flexible, narrow) {
            (true, _) => i64::from(self.unsigned_varint()?) - 1,
            (false, true) => i64::from(i16::from_be_bytes(self.array()?)),
            (false, false) => i64::from(i32::from_be_bytes(self.array()?)),
        };
        match length {
            too_long if narrow && too_long > i64::from(i16::MAX) => Err(DecodeError::TooLong),
            -1 => Ok(None),
            ..-1 => Err(DecodeError::NegativeLength),
            wanted if wanted > self.remaining() as i64 => {
                Err(DecodeError::Truncated { wanted: wanted as usize, left: self.remaining() })
            }
            length => Ok(Some(length as usize)),
        }
    }

    /// Notes that an element of `size` bytes of memory was decoded.
    ///
    /// # Errors
    /// [`DecodeError::TooManyElements`] where the message has used up its share of memory.
    pub fn charge(&mut self, size: usize) -> Result<(), DecodeError> {
        self.budget = self.budget.checked_sub(size).ok_or(DecodeError::TooManyElements)?;
        Ok(())
    }

    /// Reads the tagged fields that end a structure of a flexible version; `field` gets each tag and a reader of
    /// its bytes, and may leave them unread.
    ///
    /// # Errors
    /// Where the section is malformed, or `field` fails.
    pub fn tagged_fields(
        &mut self,
        mut field: impl FnMut(u32, &mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if !self.flexible {
            return Ok(());
        }
        let count = self.unsigned_varint()?;
        let mut last = None;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            if last.is_some_and(|last| last >= tag) {
                return Err(DecodeError::TagOrder);
            }
            last = Some(tag);
            let size = self.unsigned_varint()? as usize;
            self.within(size, |reader| field(tag, reader))?;
        }
        Ok(())
    }

    /// Reads inside the next `size` bytes, and goes on behind them whether all of them were read or not.
    fn within<T>(
        &mut self,
        size: usize,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let (start, end) = (self.left.start, self.left.end);
        self.skip(size)?;
        let behind = self.left.start;
        self.left = start..behind;
        let result = read(self)?;
        self.left = behind..end;
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Text,
        wire::{Wire, Writer},
    };

    fn flexible(bytes: &'static [u8]) -> Reader {
        Reader::new(Bytes::from_static(bytes), 0, 0)
    }

    fn plain(bytes: &'static [u8]) -> Reader {
        Reader::new(Bytes::from_static(bytes), 0, i16::MAX)
    }

    #[test]
    fn varint_has_at_most_five_bytes_and_32_bits() {
        assert_eq!(flexible(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unsigned_varint(), Ok(u32::MAX));
        assert_eq!(flexible(&[0x80, 0]).unsigned_varint(), Ok(0));
        let too_long = Err(DecodeError::VarintTooLong);
        assert_eq!(flexible(&[0xff, 0xff, 0xff, 0xff, 0x10]).unsigned_varint(), too_long);
        assert_eq!(flexible(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]).unsigned_varint(), too_long);
        assert_eq!(flexible(&[0x80]).unsigned_varint(), Err(DecodeError::Truncated { wanted: 1, left: 0 }));
    }

    #[test]
    fn length_is_refused_below_minus_one_and_beyond_the_bytes() {
        assert_eq!(plain(&[0xff, 0xff]).length(true), Ok(None));
        assert_eq!(plain(&[0xff, 0xfe]).length(true), Err(DecodeError::NegativeLength));
        assert_eq!(plain(&[0x80, 0, 0, 0]).length(false), Err(DecodeError::NegativeLength));
        let left = |wanted| Err(DecodeError::Truncated { wanted, left: 1 });
        assert_eq!(plain(&[0, 2, 0]).length(true), left(2));
        assert_eq!(plain(&[0x7f, 0xff, 0xff, 0xff, 0]).length(false), left(0x7fff_ffff));
        assert_eq!(flexible(&[0]).length(false), Ok(None));
        assert_eq!(flexible(&[2, 0]).length(false), Ok(Some(1)));
        assert_eq!(flexible(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0]).length(false), left(0xffff_fffe));
    }

    #[test]
    fn string_has_at_most_32767_bytes_of_utf8() {
        let read = |length: usize| {
            let mut writer = Writer::new(0, 0);
            writer.unsigned_varint(length as u32 + 1);
            writer.put(&vec![b'a'; length]);
            Text::read(&mut Reader::new(crate::wire::tests::joined(writer), 0, 0)).map(|text| text.len())
        };
        assert_eq!(read(32767), Ok(32767));
        assert_eq!(read(32768), Err(DecodeError::TooLong));
        assert_eq!(Text::read(&mut flexible(&[2, 0xff])), Err(DecodeError::NotUtf8));
        assert_eq!(Text::read(&mut flexible(&[0])), Err(DecodeError::UnexpectedNull));
    }

    fn tags(bytes: &'static [u8]) -> Result<Vec<u32>, DecodeError> {
        let mut tags = Vec::new();
        flexible(bytes).tagged_fields(|tag, _| {
            tags.push(tag);
            Ok(())
        })?;
        Ok(tags)
    }

    #[test]
    fn tagged_fields_rise_and_stay_within_the_message() {
        assert_eq!(tags(&[2, 1, 0, 3, 1, 0xaa]), Ok(vec![1, 3]));
        assert_eq!(tags(&[2, 3, 0, 1, 0]), Err(DecodeError::TagOrder));
        assert_eq!(tags(&[2, 1, 0, 1, 0]), Err(DecodeError::TagOrder));
        assert_eq!(tags(&[1, 0, 5, 0]), Err(DecodeError::Truncated { wanted: 5, left: 1 }));
        assert_eq!(tags(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Err(DecodeError::Truncated { wanted: 1, left: 0 }));
    }

    #[test]
    fn memory_used_in_a_tagged_field_counts() {
        let mut reader = flexible(&[1, 0, 0]);
        let all = caps::DECODED_BYTES_MAX;
        assert_eq!(reader.tagged_fields(|_, inner| inner.charge(all)), Ok(()));
        assert_eq!(reader.charge(1), Err(DecodeError::TooManyElements));
    }

    proptest! {
        #[test]
        fn varint_reads_back_as_written(number in any::<u32>(), shift in 0..32_u32) {
            let number = number >> shift;
            let mut writer = Writer::new(0, 0);
            writer.unsigned_varint(number);
            let mut reader = Reader::new(crate::wire::tests::joined(writer), 0, 0);
            prop_assert_eq!(reader.unsigned_varint(), Ok(number));
            prop_assert_eq!(reader.finish(), Ok(()));
        }
    }
}
