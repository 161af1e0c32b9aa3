//! Puts a message together as a list of chunks: small fields gather in one buffer, records stay where they are.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::records::RecordsRange;

/// Byte strings from this size on are passed on as they are instead of being copied.
const SHARE_BYTES_MIN: usize = 1024;

/// Why a message has no encoding in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A field that this version cannot leave out is null.
    #[error("null where version {0} requires a value")]
    UnexpectedNull(i16),
    /// A string, array or byte string is longer than its length field can say.
    #[error("value is too long for the wire")]
    TooLong,
    /// There is no such version of the message.
    #[error("version {0} is not known")]
    UnknownVersion(i16),
}

/// A piece of an encoded message.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Record batches that are still in a file.
    Range(Arc<dyn RecordsRange>),
}

impl Chunk {
    /// Bytes that the chunk puts on the wire.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Range(range) => range.len(),
        }
    }

    /// Whether the chunk puts nothing on the wire.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Writes the fields of one message.
#[derive(Debug)]
pub struct Writer {
    chunks: Vec<Chunk>,
    tail: BytesMut,
    version: i16,
    flexible: bool,
}

impl Writer {
    /// A writer of a message of `version` whose first flexible version is `flexible_since`.
    #[must_use]
    pub fn new(version: i16, flexible_since: i16) -> Self {
        Self {
            chunks: Vec::new(),
            tail: BytesMut::with_capacity(256),
            version,
            flexible: version >= flexible_since,
        }
    }

    /// The version that is being written.
    #[must_use]
    pub const fn version(&self) -> i16 {
        self.version
    }

    /// Whether lengths are compact and structures end in tagged fields.
    #[must_use]
    pub const fn flexible(&self) -> bool {
        self.flexible
    }

    /// Goes on in another kind of message: the header and the body of a frame may differ.
    pub const fn switch(&mut self, version: i16, flexible_since: i16) {
        self.version = version;
        self.flexible = version >= flexible_since;
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tail.len() + self.chunks.iter().map(Chunk::len).sum::<usize>()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies bytes as they are.
    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.put_slice(bytes);
    }

    /// Passes bytes on as they are, without a copy where they are many.
    pub fn share(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARE_BYTES_MIN {
            return self.put(bytes);
        }
        self.cut();
        self.chunks.push(Chunk::Bytes(bytes.clone()));
    }

    /// Passes a range of a file on.
    pub fn range(&mut self, range: &Arc<dyn RecordsRange>) {
        self.cut();
        self.chunks.push(Chunk::Range(Arc::clone(range)));
    }

    fn cut(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push(Chunk::Bytes(self.tail.split().freeze()));
        }
    }

    /// An unsigned varint of at most 32 bits.
    pub fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.tail.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.tail.put_u8(value as u8);
    }

    /// A length as the kind of message has it, `None` for null; the counterpart of [`super::Reader::length`].
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] where the length field cannot say it.
    pub fn length(&mut self, length: Option<usize>, narrow: bool) -> Result<(), EncodeError> {
        let limit = if narrow { i16::MAX as usize } else { i32::MAX as usize - 1 };
        if length.is_some_and(|length| length > limit) {
            return Err(EncodeError::TooLong);
        }
        match (self.flexible, narrow) {
            (true, _) => self.unsigned_varint(length.map_or(0, |length| length as u32 + 1)),
            (false, true) => self.tail.put_i16(length.map_or(-1, |length| length as i16)),
            (false, false) => self.tail.put_i32(length.map_or(-1, |length| length as i32)),
        }
        Ok(())
    }

    /// Begins the tagged fields that end a structure; versions that are not flexible have none.
    pub fn tags(&mut self, count: u32) {
        if self.flexible {
            self.unsigned_varint(count);
        }
    }

    /// One of the tagged fields that [`Self::tags`] announced; their tags must rise.
    ///
    /// # Errors
    /// Where the field's own encoding fails.
    pub fn tagged_field(&mut self, tag: u32, field: &impl super::Wire) -> Result<(), EncodeError> {
        let mut inner = Self {
            chunks: Vec::new(),
            tail: BytesMut::new(),
            version: self.version,
            flexible: self.flexible,
        };
        field.write(&mut inner)?;
        self.unsigned_varint(tag);
        self.unsigned_varint(inner.len() as u32);
        for chunk in &inner.into_chunks() {
            match chunk {
                Chunk::Bytes(bytes) => self.share(bytes),
                Chunk::Range(range) => self.range(range),
            }
        }
        Ok(())
    }

    /// What was written, piece by piece.
    #[must_use]
    pub fn into_chunks(mut self) -> Vec<Chunk> {
        self.cut();
        self.chunks
    }

    /// What was written as a frame: its size in front.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] where the size does not fit.
    pub fn into_frame(self) -> Result<Vec<Chunk>, EncodeError> {
        let size = i32::try_from(self.len()).map_err(|_| EncodeError::TooLong)?;
        let mut chunks = self.into_chunks();
        chunks.insert(0, Chunk::Bytes(Bytes::copy_from_slice(&size.to_be_bytes())));
        Ok(chunks)
    }
}
