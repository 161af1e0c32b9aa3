//! Kafka's formats that travel inside other things: in the opaque bytes of group requests, and as the keys and
//! values of `__consumer_offsets` and `__transaction_state`. Each begins with its version in two bytes.

#![allow(missing_docs, reason = "fields carry the names and the meaning of Kafka's schemas")]

pub mod consumer;
pub mod consumer_groups;
pub mod offsets;
pub mod transactions;

use bytes::Bytes;

use crate::{
    messages::Message,
    wire::{Chunk, DecodeError, EncodeError, Reader, Wire, Writer},
};

/// Takes the version from the front.
fn split_version(bytes: Bytes) -> Result<(i16, Bytes), DecodeError> {
    let mut reader = Reader::new(bytes, 0, i16::MAX);
    let version = i16::read(&mut reader)?;
    Ok((version, reader.into_rest()))
}

/// The version, and behind it the value.
fn with_version(value: &impl Message, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new(0, i16::MAX);
    version.write(&mut writer)?;
    value.encode_into(&mut writer, version)?;
    Ok(gather(&writer.into_chunks()))
}

/// The chunks as one piece. There are no ranges of files among them, since no format here holds records.
fn gather(chunks: &[Chunk]) -> Bytes {
    let mut pieces = chunks.iter().filter_map(|chunk| match chunk {
        Chunk::Bytes(bytes) => Some(bytes),
        Chunk::Range(_) => None,
    });
    match (pieces.next(), chunks.len()) {
        (Some(only), 1) => only.clone(),
        (first, _) => first.into_iter().chain(pieces).flatten().copied().collect(),
    }
}

/// Gives values of internal topics their way to bytes and back, each with the version that is written.
macro_rules! value {
    ($($name:ident = $written:literal,)*) => {$(
        impl $name {
            /// The version that Kafka writes.
            pub const WRITTEN_VERSION: i16 = $written;

            /// Reads the value of a record.
            ///
            /// # Errors
            /// Where the bytes are no such value of a known version.
            pub fn from_bytes(bytes: Bytes) -> Result<Self, DecodeError> {
                let (version, rest) = super::split_version(bytes)?;
                Self::decode(rest, version)
            }

            /// Writes the value of a record.
            ///
            /// # Errors
            /// Where a string is too long, or the version is unknown.
            pub fn to_bytes(&self, version: i16) -> Result<Bytes, EncodeError> {
                super::with_version(self, version)
            }
        }
    )*};
}
use value;
