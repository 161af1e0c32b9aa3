//! A key and its window.

use bytes::{BufMut, Bytes, BytesMut};
use mainstem_client::Timestamp;

use super::{Serde, SerdeError};
use crate::Window;

/// Bytes of a window behind its key.
const WINDOW_BYTES: usize = 16;

/// A key and the window that a result belongs to.
///
/// As bytes: those of the key, then the start of the window and then its end, in milliseconds since 1970 as two
/// big-endian integers of eight bytes. The end stands there so that a key says everything by itself; Kafka Streams'
/// `TimeWindowedSerializer` leaves it out. The whole of it chooses the partition, so that the windows of one key may lie in
/// several; Kafka Streams looks at the key alone. Who wants them together maps to the key before `to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Windowed<K> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
}

impl<K: Serde> Serde for Windowed<K> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "a key with its window" })?;
        let (key, [start, end]) = split(bytes).ok_or(SerdeError::Length {
            expected: "a key with its window",
            wanted: WINDOW_BYTES,
            found: bytes.len(),
        })?;
        let window = Window { start: Timestamp(start), end: Timestamp(end) };
        Ok(Self { key: K::decode(Some(&key))?, window })
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        let key = self.key.encode(buffer)?.unwrap_or_default();
        buffer.reserve(key.len() + WINDOW_BYTES);
        buffer.put_slice(&key);
        buffer.put_i64(self.window.start.0);
        buffer.put_i64(self.window.end.0);
        Ok(super::written(buffer))
    }

    fn format() -> String {
        format!("windowed {}", K::format())
    }

    fn fault() -> Option<SerdeError> {
        K::fault()
    }
}

/// The key, and start and end.
fn split(bytes: &Bytes) -> Option<(Bytes, [i64; 2])> {
    let (key, window) = bytes.split_last_chunk::<WINDOW_BYTES>()?;
    let (start, end) = window.split_first_chunk::<8>()?;
    let end = end.first_chunk::<8>()?;
    Some((bytes.slice(..key.len()), [i64::from_be_bytes(*start), i64::from_be_bytes(*end)]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn windowed_keys_come_back(key: String, start: i64, end: i64) {
            let window = Window { start: Timestamp(start), end: Timestamp(end) };
            let key = Windowed { key, window };
            let bytes = key.encode(&mut BytesMut::new()).unwrap();
            prop_assert_eq!(Windowed::decode(bytes.as_ref()), Ok(key));
        }
    }

    #[test]
    fn bytes_are_key_start_and_end() {
        let window = Window { start: Timestamp(1), end: Timestamp(2) };
        let bytes = Windowed { key: "k".to_owned(), window }.encode(&mut BytesMut::new()).unwrap().unwrap();
        assert_eq!(bytes, b"k\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02"[..]);
        assert!(Windowed::<String>::decode(Some(&Bytes::from_static(b"short"))).is_err());
    }
}
