//! What the fuzz targets share.

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{ApiKey, wire::Chunk};

/// The first two bytes choose an API and one of its versions; the rest is for them.
#[must_use]
pub fn api(data: &[u8]) -> Option<(ApiKey, i16, &[u8])> {
    let [key, version, rest @ ..] = data else { return None };
    let key = ApiKey::ALL[usize::from(*key) % ApiKey::ALL.len()];
    let (first, last) = key.versions().into_inner();
    Some((key, first + i16::from(*version) % (last - first + 1), rest))
}

/// A message in one piece.
#[must_use]
pub fn joined(chunks: Vec<Chunk>) -> Bytes {
    let mut bytes = BytesMut::new();
    for chunk in chunks {
        match chunk {
            Chunk::Bytes(part) => bytes.extend_from_slice(&part),
            Chunk::Range(range) => {
                bytes.extend_from_slice(&range.bytes().expect("ranges come from files alone"))
            }
        }
    }
    bytes.freeze()
}
