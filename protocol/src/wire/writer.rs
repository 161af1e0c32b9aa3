//! Puts a message together as a list of chunks: small fields gather in one buffer, records stay where they are.

use std::sync::Arc;

use bytes::Bytes;

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
    /// All fields that were copied, back to back.
    copied: Vec<u8>,
    /// What was not copied, each with how many copied bytes stand in front of it.
    shared: Vec<(usize, Chunk)>,
    version: i16,
    flexible: bool,
}

impl Writer {
    /// A writer of a message of `version` whose first flexible version is `flexible_since`.
    #[must_use]
    pub fn new(version: i16, flexible_since: i16) -> Self {
        Self {
            copied: Vec::with_capacity(256),
            shared: Vec::new(),
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
        self.copied.len() + self.shared.iter().map(|(_, chunk)| chunk.len()).sum::<usize>()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies bytes as they are.
    pub fn put(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    /// Passes bytes on as they are, without a copy where they are many.
    pub fn share(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARE_BYTES_MIN {
            return self.put(bytes);
        }
        self.shared.push((self.copied.len(), Chunk::Bytes(bytes.clone())));
    }

    /// Passes a range of a file on.
    pub fn range(&mut self, range: &Arc<dyn RecordsRange>) {
        self.shared.push((self.copied.len(), Chunk::Range(Arc::clone(range))));
    }

    /// An unsigned varint of at most 32 bits.
    pub fn unsigned_varint(&mut self, number: u32) {
        let (bytes, length) = unsigned_varint(number);
        self.put(bytes.get(..length).unwrap_or(&bytes));
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
            (false, true) => self.put(&length.map_or(-1, |length| length as i16).to_be_bytes()),
            (false, false) => self.put(&length.map_or(-1, |length| length as i32).to_be_bytes()),
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
        self.unsigned_varint(tag);
        let (place, shared, before) = (self.copied.len(), self.shared.len(), self.len());
        field.write(self)?;
        let (size, length) = unsigned_varint((self.len() - before) as u32);
        self.insert(place, size.get(..length).unwrap_or(&size), shared);
        Ok(())
    }

    /// Puts bytes in front of what was written since there were so many copied bytes and so many shared chunks.
    fn insert(&mut self, copied: usize, bytes: &[u8], shared: usize) {
        self.copied.splice(copied..copied, bytes.iter().copied());
        for (place, _) in self.shared.iter_mut().skip(shared) {
            *place += bytes.len();
        }
    }

    /// What was written, piece by piece.
    #[must_use]
    pub fn into_chunks(self) -> Vec<Chunk> {
        let Self { copied, shared, .. } = self;
        let copied = Bytes::from(copied);
        let mut chunks = Vec::with_capacity(2 * shared.len() + 1);
        let mut start = 0;
        for (place, chunk) in shared {
            chunks.push(Chunk::Bytes(copied.slice(start..place)));
            chunks.push(chunk);
            start = place;
        }
        chunks.push(Chunk::Bytes(copied.slice(start..)));
        chunks.retain(|chunk| !chunk.is_empty());
        chunks
    }

    /// What was written as a frame: its size in front.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] where the size does not fit.
    pub fn into_frame(mut self) -> Result<Vec<Chunk>, EncodeError> {
        let size = i32::try_from(self.len()).map_err(|_| EncodeError::TooLong)?;
        self.insert(0, &size.to_be_bytes(), 0);
        Ok(self.into_chunks())
    }
}

/// The bytes of an unsigned varint, and how many of them count.
const fn unsigned_varint(mut number: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    let mut length = 0;
    while number >= 0x80 {
        bytes[length] = number as u8 | 0x80;
        number >>= 7;
        length += 1;
    }
    bytes[length] = number as u8;
    (bytes, length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Reader, Wire, tests::joined};

    /// Long enough to be shared, with one field on either side.
    struct Long(Bytes);

    impl Wire for Long {
        fn read(reader: &mut Reader) -> Result<Self, crate::wire::DecodeError> {
            i8::read(reader)?;
            let long = Bytes::read(reader)?;
            i8::read(reader)?;
            Ok(Self(long))
        }

        fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
            1_i8.write(writer)?;
            self.0.write(writer)?;
            2_i8.write(writer)
        }
    }

    #[test]
    fn shared_bytes_stand_between_the_copied_ones() {
        let long = Bytes::from(vec![7; SHARE_BYTES_MIN]);
        let mut writer = Writer::new(0, 0);
        writer.share(&long);
        writer.tags(1);
        writer.tagged_field(5, &Long(long.clone())).unwrap();
        writer.put(b"end");
        let size = [0x84, 0x08]; // 1 + 2 + 1024 + 1
        let expected = [&long[..], &[1, 5], &size, &[1, 0x81, 0x08], &long, &[2], b"end"].concat();
        assert_eq!(writer.len(), expected.len());
        assert_eq!(joined(writer), expected);
    }

    #[test]
    fn shared_bytes_are_not_copied() {
        let long = Bytes::from(vec![7; SHARE_BYTES_MIN]);
        let mut writer = Writer::new(0, 0);
        Long(long.clone()).write(&mut writer).unwrap();
        let frame = writer.into_frame().unwrap();
        let [Chunk::Bytes(before), Chunk::Bytes(shared), Chunk::Bytes(behind)] = &frame[..] else {
            panic!("{frame:?}")
        };
        assert_eq!((before.len(), shared.as_ptr(), &behind[..]), (7, long.as_ptr(), &[2][..]));
    }

    #[test]
    fn frame_begins_with_the_size_of_what_follows() {
        let mut writer = Writer::new(0, 0);
        writer.put(b"abc");
        let frame = writer.into_frame().unwrap();
        assert!(matches!(&frame[..], [Chunk::Bytes(bytes)] if bytes[..] == *b"\0\0\0\x03abc"));
    }

    #[test]
    fn what_no_length_can_say_is_refused() {
        let mut writer = Writer::new(0, 0);
        assert_eq!(writer.length(Some(32767), true), Ok(()));
        assert_eq!(writer.length(Some(32768), true), Err(EncodeError::TooLong));
        assert_eq!(writer.length(Some(i32::MAX as usize), false), Err(EncodeError::TooLong));
    }
}
