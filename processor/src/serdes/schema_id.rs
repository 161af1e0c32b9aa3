//! Ids of schemas in front of records, as programs with a schema registry write them.
//!
//! Such a record begins with a byte that is zero and the id as a big-endian integer of four bytes
//! (`io.confluent.kafka.serializers.AbstractKafkaSchemaSerDe`); its content follows.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::SerdeError;

/// The number of a schema in a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId(pub u32);

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What stands in front of the id.
const MAGIC: u8 = 0;

/// The id, and what follows it.
pub(super) fn split(bytes: &[u8]) -> Result<(SchemaId, &[u8]), SerdeError> {
    let without = || SerdeError::NoSchemaId { found: begin(bytes) };
    let (magic, rest) = bytes.split_first().ok_or_else(without)?;
    let (id, rest) = rest.split_first_chunk::<4>().ok_or_else(without)?;
    if *magic == MAGIC { Ok((SchemaId(u32::from_be_bytes(*id)), rest)) } else { Err(without()) }
}

/// Begins a record.
pub(super) fn put(buffer: &mut BytesMut, SchemaId(id): SchemaId) {
    buffer.put_u8(MAGIC);
    buffer.put_u32(id);
}

/// The first bytes, for people.
fn begin(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_big_endian_behind_a_zero() {
        let mut buffer = BytesMut::new();
        put(&mut buffer, SchemaId(258));
        assert_eq!(buffer, [0, 0, 0, 1, 2][..]);
        assert_eq!(split(b"\0\0\0\x01\x02rest"), Ok((SchemaId(258), &b"rest"[..])));
    }

    #[test]
    fn record_without_an_id_is_refused_with_its_first_bytes() {
        for (bytes, found) in
            [(&b""[..], "nothing"), (b"\0\0\0\x01", "00 00 00 01"), (b"{\"a\":1}", "7b 22 61 22 3a")]
        {
            assert_eq!(split(bytes), Err(SerdeError::NoSchemaId { found: found.to_owned() }));
        }
    }
}
