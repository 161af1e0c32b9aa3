//! Takes a message apart without trusting a single count in it.

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
    version: i16,
    flexible: bool,
    budget: usize,
}

impl Reader {
    /// A reader of a message of `version` whose first flexible version is `flexible_since`.
    #[must_use]
    pub const fn new(bytes: Bytes, version: i16, flexible_since: i16) -> Self {
        Self { bytes, version, flexible: version >= flexible_since, budget: caps::DECODED_BYTES_MAX }
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
        self.bytes.len()
    }

    /// What is left, unread.
    #[must_use]
    pub fn into_rest(self) -> Bytes {
        self.bytes
    }

    /// Fails unless everything was read.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] where bytes are left.
    pub const fn finish(&self) -> Result<(), DecodeError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }

    /// The next `count` bytes, shared.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] where there are fewer.
    pub fn take(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        if count > self.bytes.len() {
            return Err(DecodeError::Truncated { wanted: count, left: self.bytes.len() });
        }
        Ok(self.bytes.split_to(count))
    }

    /// The next `N` bytes, copied.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] where there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some(array) = self.bytes.first_chunk::<N>().copied() else {
            return Err(DecodeError::Truncated { wanted: N, left: self.bytes.len() });
        };
        bytes::Buf::advance(&mut self.bytes, N);
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
            -1 => Ok(None),
            ..-1 => Err(DecodeError::NegativeLength),
            wanted if wanted > self.bytes.len() as i64 => {
                Err(DecodeError::Truncated { wanted: wanted as usize, left: self.bytes.len() })
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
            let bytes = self.take(size)?;
            let mut inner = Self { bytes, version: self.version, flexible: true, budget: self.budget };
            field(tag, &mut inner)?;
            self.budget = inner.budget;
        }
        Ok(())
    }
}
