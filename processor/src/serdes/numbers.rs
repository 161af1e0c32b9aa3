//! Numbers, as Kafka's serializers write them: big-endian, in as many bytes as the type has (`ShortSerializer`,
//! `IntegerSerializer`, `LongSerializer`, `FloatSerializer`, `DoubleSerializer`).

use bytes::{BufMut, Bytes, BytesMut};

use super::{Serde, SerdeError};

macro_rules! numbers {
    ($($type:ty, $what:literal;)*) => {$(
        impl Serde for $type {
            fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
                let bytes = bytes.ok_or(SerdeError::Null { expected: $what })?;
                let length = |_| SerdeError::Length {
                    expected: $what,
                    wanted: size_of::<Self>(),
                    found: bytes.len(),
                };
                bytes.as_ref().try_into().map(Self::from_be_bytes).map_err(length)
            }

            fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
                buffer.put_slice(&self.to_be_bytes());
                Ok(super::written(buffer))
            }

            fn format() -> String {
                stringify!($type).to_owned()
            }

            const SHARES_MEMORY: bool = false;
        }
    )*};
}

numbers! {
    i16, "an integer of 16 bits";
    i32, "an integer of 32 bits";
    i64, "an integer of 64 bits";
    f32, "a number of 32 bits";
    f64, "a number of 64 bits";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_those_of_the_java_serializers() {
        let mut buffer = BytesMut::new();
        assert_eq!(1_i16.encode(&mut buffer).unwrap().unwrap(), [0, 1][..]);
        assert_eq!((-2_i32).encode(&mut buffer).unwrap().unwrap(), [255, 255, 255, 254][..]);
        assert_eq!(258_i64.encode(&mut buffer).unwrap().unwrap(), [0, 0, 0, 0, 0, 0, 1, 2][..]);
        assert_eq!(1.0_f32.encode(&mut buffer).unwrap().unwrap(), [0x3f, 0x80, 0, 0][..]);
    }

    #[test]
    fn number_of_another_width_is_refused() {
        let error = i64::decode(Some(&Bytes::from_static(&[0; 4]))).unwrap_err();
        assert_eq!(error.to_string(), "4 bytes are not an integer of 64 bits, which has 8");
    }

    proptest! {
        #[test]
        fn numbers_come_back(number: i64, float: f64) {
            let mut buffer = BytesMut::new();
            let bytes = number.encode(&mut buffer).unwrap();
            prop_assert_eq!(i64::decode(bytes.as_ref()), Ok(number));
            let bytes = float.encode(&mut buffer).unwrap();
            prop_assert_eq!(f64::decode(bytes.as_ref()).unwrap().to_bits(), float.to_bits());
        }
    }
}
