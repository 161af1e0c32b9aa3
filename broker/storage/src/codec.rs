//! How our own structures stand on disk: little-endian numbers, counted lists (`docs/formats.md`).

use bytes::Bytes;
use mainstem_protocol::TopicId;

/// Writes a structure.
#[derive(Debug, Default)]
pub(crate) struct Encoder(pub(crate) Vec<u8>);

/// Reads a structure; what it yields shares the memory it reads from.
#[derive(Clone, Debug)]
pub(crate) struct Decoder(pub(crate) Bytes);

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be read")]
pub(crate) struct DecodeError(pub(crate) &'static str);

impl Encoder {
    pub(crate) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    pub(crate) fn i16(&mut self, number: i16) {
        self.0.extend(number.to_le_bytes());
    }

    pub(crate) fn i32(&mut self, number: i32) {
        self.0.extend(number.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, number: i64) {
        self.0.extend(number.to_le_bytes());
    }

    pub(crate) fn topic_id(&mut self, id: TopicId) {
        self.0.extend(id.0);
    }

    /// A count or a length; what we write has fewer than four thousand million of anything.
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend(bytes);
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.count(items.len());
        items.for_each(|item| each(self, item));
    }
}

impl Decoder {
    pub(crate) fn take(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        if count > self.0.len() {
            return Err(DecodeError("a field behind the end"));
        }
        Ok(self.0.split_to(count))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.take(N)?;
        bytes.first_chunk().copied().ok_or(DecodeError("a number"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_le_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn topic_id(&mut self) -> Result<TopicId, DecodeError> {
        self.array().map(TopicId)
    }

    pub(crate) fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    pub(crate) fn string(&mut self) -> Result<String, DecodeError> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError("a string"))
    }

    /// Nothing is allocated from the count alone: each element takes at least a byte.
    pub(crate) fn list<T, C: Default + Extend<T>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<C, DecodeError> {
        let count = self.u32()?;
        let mut list = C::default();
        for _ in 0..count {
            list.extend([each(self)?]);
        }
        Ok(list)
    }

    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError("what follows the end")) }
    }
}
