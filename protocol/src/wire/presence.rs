//! A structure in a tagged field that may be null.

use super::{DecodeError, Detach, EncodeError, Reader, Wire, Writer};
use crate::ErrorCode;

/// A structure in a tagged field that may be null. Kafka's generator writes whether it is there as an unsigned varint,
/// 1 or 0, where an untagged nullable structure has a signed byte, 1 or -1 (Kafka: `MessageDataGenerator`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence<T>(pub Option<T>);

impl<T: Wire> Wire for Presence<T> {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.unsigned_varint()? {
            0 => Ok(Self(None)),
            _ => T::read(reader).map(|value| Self(Some(value))),
        }
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put(&[u8::from(self.0.is_some())]);
        self.0.as_ref().map_or(Ok(()), |value| value.write(writer))
    }

    fn each_error(&self, tell: &mut impl FnMut(ErrorCode)) {
        self.0.iter().for_each(|value| value.each_error(tell));
    }
}

impl<T: Detach> Detach for Presence<T> {
    fn detach(&mut self) {
        self.0.iter_mut().for_each(Detach::detach);
    }
}
