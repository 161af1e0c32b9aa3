//! Updates on their way through a repartition topic.
//!
//! As bytes: the length of the old value and that of the new one, as two big-endian integers of four bytes, then the two
//! values. The length of one that is not there is -1, and that of one that is written as null -2.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::update::Update;
use crate::serdes::{Serde, SerdeError, written};

/// An update that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moved<V>(pub(crate) Update<V>);

const EXPECTED: &str = "an update of a table";

/// Bytes of the two lengths.
const LENGTHS_BYTES: usize = 8;

const ABSENT: i32 = -1;
const NULL: i32 = -2;

impl<V: Serde> Serde for Moved<V> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let whole = bytes.ok_or(SerdeError::Null { expected: EXPECTED })?;
        let mut rest = whole.clone();
        let lengths = (rest.try_get_i32(), rest.try_get_i32());
        let (Ok(old), Ok(new)) = lengths else { return Err(wrong(LENGTHS_BYTES, whole)) };
        let wanted = LENGTHS_BYTES + length(old) + length(new);
        if whole.len() != wanted {
            return Err(wrong(wanted, whole));
        }
        Ok(Self(Update { old: take(&mut rest, old)?, new: take(&mut rest, new)? }))
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        let (old, new) = (encoded(self.0.old.as_ref(), buffer)?, encoded(self.0.new.as_ref(), buffer)?);
        buffer.reserve(LENGTHS_BYTES + old.1.len() + new.1.len());
        [old.0, new.0].into_iter().for_each(|length| buffer.put_i32(length));
        [old.1, new.1].into_iter().for_each(|value| buffer.put_slice(&value));
        Ok(written(buffer))
    }

    fn fault() -> Option<SerdeError> {
        V::fault()
    }

    const SHARES_MEMORY: bool = V::SHARES_MEMORY;
}

fn length(length: i32) -> usize {
    usize::try_from(length).unwrap_or(0)
}

/// The length of a value, and its bytes.
fn encoded<V: Serde>(value: Option<&V>, buffer: &mut BytesMut) -> Result<(i32, Bytes), SerdeError> {
    let Some(value) = value else { return Ok((ABSENT, Bytes::new())) };
    let Some(bytes) = value.encode(buffer)? else { return Ok((NULL, Bytes::new())) };
    let length = i32::try_from(bytes.len()).map_err(|_| SerdeError::other("a value of 2 GiB or more"))?;
    Ok((length, bytes))
}

fn take<V: Serde>(rest: &mut Bytes, of: i32) -> Result<Option<V>, SerdeError> {
    match of {
        NULL => V::decode(None).map(Some),
        0.. => V::decode(Some(&rest.split_to(length(of)))).map(Some),
        _ => Ok(None),
    }
}

const fn wrong(wanted: usize, whole: &Bytes) -> SerdeError {
    SerdeError::Length { expected: EXPECTED, wanted, found: whole.len() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn updates_come_back(old: Option<String>, new: Option<String>) {
            let moved = Moved(Update { old, new });
            let bytes = moved.encode(&mut BytesMut::new()).unwrap();
            prop_assert_eq!(Moved::decode(bytes.as_ref()), Ok(moved));
        }

        #[test]
        fn nothing_is_told_from_no_update(old: Option<()>, new: Option<()>) {
            let moved = Moved(Update { old, new });
            let bytes = moved.encode(&mut BytesMut::new()).unwrap();
            prop_assert_eq!(Moved::decode(bytes.as_ref()), Ok(moved));
        }

        #[test]
        fn other_bytes_are_refused_and_never_a_panic(bytes: Vec<u8>) {
            let _ = Moved::<String>::decode(Some(&bytes.into()));
        }
    }

    #[test]
    fn bytes_are_two_lengths_and_two_values() {
        let moved = Moved(Update { old: Some("a".to_owned()), new: None });
        let bytes = moved.encode(&mut BytesMut::new()).unwrap().unwrap();
        assert_eq!(bytes, b"\0\0\0\x01\xff\xff\xff\xffa"[..]);
        let short = Moved::<String>::decode(Some(&bytes.slice(..8))).unwrap_err();
        assert_eq!(short.to_string(), "8 bytes are not an update of a table, which has 9");
    }
}
