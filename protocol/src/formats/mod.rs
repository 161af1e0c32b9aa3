//! Kafka's formats that travel inside other things: in the opaque bytes of group requests, and as the keys and
//! values of `__consumer_offsets`. Each begins with its version in two bytes.

#![allow(missing_docs, reason = "fields carry the names and the meaning of Kafka's schemas")]

pub mod consumer;
pub mod offsets;

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
