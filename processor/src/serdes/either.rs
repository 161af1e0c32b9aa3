//! One of two types.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Serde, SerdeError};

/// A value of one of two types.
///
/// As bytes: one that says which (0 or 1), and those of the value; 2 and 3 stand for one of them that is written as null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Either<L, R> {
    /// Of the first type.
    Left(L),
    /// Of the second type.
    Right(R),
}

impl<L: Serde, R: Serde> Serde for Either<L, R> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let mut rest = bytes.ok_or(SerdeError::Null { expected: "one of two values" })?.clone();
        let which =
            rest.try_get_u8().map_err(|_| SerdeError::other("nothing says which of two values it is"))?;
        match which {
            0 => L::decode(Some(&rest)).map(Self::Left),
            1 => R::decode(Some(&rest)).map(Self::Right),
            2 => L::decode(None).map(Self::Left),
            3 => R::decode(None).map(Self::Right),
            _ => Err(SerdeError::Other(format!("{which} is none of two values"))),
        }
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        let (which, value) = match self {
            Self::Left(value) => (0, value.encode(buffer)?),
            Self::Right(value) => (1, value.encode(buffer)?),
        };
        buffer.put_u8(if value.is_some() { which } else { which + 2 });
        buffer.put_slice(&value.unwrap_or_default());
        Ok(super::written(buffer))
    }

    fn format() -> String {
        format!("either {} or {}", L::format(), R::format())
    }

    fn fault() -> Option<SerdeError> {
        L::fault().or_else(R::fault)
    }

    const SHARES_MEMORY: bool = L::SHARES_MEMORY || R::SHARES_MEMORY;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Value = Either<Option<String>, Option<i64>>;

    proptest! {
        #[test]
        fn both_come_back(left: Option<String>, right: Option<i64>) {
            for value in [Value::Left(left), Value::Right(right)] {
                let bytes = value.encode(&mut BytesMut::new()).unwrap();
                prop_assert_eq!(Value::decode(bytes.as_ref()), Ok(value));
            }
        }

        #[test]
        fn other_bytes_are_refused_and_never_a_panic(bytes: Vec<u8>) {
            let _ = Value::decode(Some(&bytes.into()));
        }
    }

    #[test]
    fn bytes_are_which_and_the_value() {
        let bytes = Value::Right(Some(1)).encode(&mut BytesMut::new()).unwrap().unwrap();
        assert_eq!(bytes, b"\x01\0\0\0\0\0\0\0\x01"[..]);
        let null = Value::Left(None).encode(&mut BytesMut::new()).unwrap().unwrap();
        assert_eq!(null, b"\x02"[..]);
        assert!(Value::decode(Some(&Bytes::from_static(b"\x04"))).is_err());
    }
}
