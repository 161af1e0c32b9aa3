//! One batch in memory, and the way through several of them.

use bytes::Bytes;

use super::{
    crc::crc32c,
    header::{BatchHeader, HEADER_BYTES, HeaderError},
};

/// Where the bytes begin that the checksum covers.
const CRC_START: usize = 21;

/// A whole batch. Shares the memory it was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    header: BatchHeader,
    bytes: Bytes,
}

impl Batch {
    /// Takes the first batch off the front of `bytes`. The checksum is not looked at.
    ///
    /// # Errors
    /// Where there is no header, or the batch does not end within `bytes`; `bytes` are left alone then.
    pub fn split_from(bytes: &mut Bytes) -> Result<Self, HeaderError> {
        let header = BatchHeader::parse(bytes)?;
        if header.size() > bytes.len() {
            return Err(HeaderError::Truncated { wanted: header.size(), left: bytes.len() });
        }
        Ok(Self { header, bytes: bytes.split_to(header.size()) })
    }

    /// What the batch says about itself.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Header and records as they stand on the wire.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Header and records as they stand on the wire.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The records as they stand on the wire, compressed or not.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(HEADER_BYTES..)
    }

    /// Whether the checksum is that of the bytes.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        crc32c(&self.bytes[CRC_START..]) == self.header.crc
    }
}

/// What becomes of a batch at the end that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It is passed over: brokers cut a fetch response where its limit falls.
    Skip,
    /// It is an error.
    Report,
}

/// The whole batches in `bytes`, in order; ends after the first error.
///
/// The checksums are not looked at. A batch without records (compaction keeps some for their header) is a batch.
#[must_use]
pub const fn batches(bytes: Bytes, tail: Tail) -> Batches {
    Batches { bytes, tail }
}

/// See [`batches`].
#[derive(Clone, Debug)]
pub struct Batches {
    bytes: Bytes,
    tail: Tail,
}

impl Batches {
    /// What was not gone through yet: after the last batch, the truncated tail.
    #[must_use]
    pub const fn rest(&self) -> &Bytes {
        &self.bytes
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, HeaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        match (Batch::split_from(&mut self.bytes), self.tail) {
            (Ok(batch), _) => Some(Ok(batch)),
            (Err(HeaderError::Truncated { .. }), Tail::Skip) => None,
            (Err(error), _) => {
                self.bytes.clear();
                Some(Err(error))
            }
        }
    }
}
