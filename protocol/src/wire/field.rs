//! How each type of field looks on the wire.

use bytes::Bytes;

use super::{DecodeError, EncodeError, Reader, Writer};
use crate::{
    BrokerId, CorrelationId, ErrorCode, LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId,
    Sequence, Text, Timestamp, TopicId, records::Records,
};

/// A value with an encoding of its own.
pub trait Wire {
    /// Reads the value.
    ///
    /// # Errors
    /// Where the bytes are no such value.
    fn read(reader: &mut Reader) -> Result<Self, DecodeError>
    where
        Self: Sized;

    /// Writes the value.
    ///
    /// # Errors
    /// Where the version has no encoding for it.
    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError>;

    /// Tells of each error code in the value, those of success left out.
    fn each_error(&self, _tell: &mut impl FnMut(ErrorCode)) {}
}

/// A value whose place on the wire may hold null instead.
pub trait Nullable: Wire + Sized {
    /// Reads the value or null.
    ///
    /// # Errors
    /// Where the bytes are neither.
    fn read_nullable(reader: &mut Reader) -> Result<Option<Self>, DecodeError>;

    /// Writes the value or null.
    ///
    /// # Errors
    /// Where the version has no encoding for it.
    fn write_nullable(value: Option<&Self>, writer: &mut Writer) -> Result<(), EncodeError>;
}

impl<T: Nullable> Wire for Option<T> {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        T::read_nullable(reader)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        T::write_nullable(self.as_ref(), writer)
    }

    fn each_error(&self, tell: &mut impl FnMut(ErrorCode)) {
        self.iter().for_each(|value| value.each_error(tell));
    }
}

macro_rules! number {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
                reader.array().map(Self::from_be_bytes)
            }

            fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                writer.put(&self.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

number!(i8, i16, u16, i32, u32, i64, f64);

macro_rules! newtype {
    ($($name:ident),*) => {$(
        impl Wire for $name {
            fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
                Wire::read(reader).map(Self)
            }

            fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                self.0.write(writer)
            }
        }
    )*};
}

newtype!(
    BrokerId,
    CorrelationId,
    LeaderEpoch,
    Offset,
    PartitionId,
    ProducerEpoch,
    ProducerId,
    Sequence,
    Timestamp
);

impl Wire for ErrorCode {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Wire::read(reader).map(Self)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        self.0.write(writer)
    }

    fn each_error(&self, tell: &mut impl FnMut(Self)) {
        if !self.is_none() {
            tell(*self);
        }
    }
}

impl Wire for bool {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.array::<1>().map(|[byte]| byte != 0)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put(&[u8::from(*self)]);
        Ok(())
    }
}

impl Wire for TopicId {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.array().map(Self)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.put(&self.0);
        Ok(())
    }
}

/// Gives a nullable type its plain encoding: null is refused when read and never written.
macro_rules! required {
    ($name:ty) => {
        impl Wire for $name {
            fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
                Self::read_nullable(reader)?.ok_or(DecodeError::UnexpectedNull)
            }

            fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                Self::write_nullable(Some(self), writer)
            }
        }
    };
}

required!(Text);
required!(Bytes);
required!(Records);

impl<T: Wire> Wire for Vec<T> {
    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Self::read_nullable(reader)?.ok_or(DecodeError::UnexpectedNull)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), writer)
    }

    fn each_error(&self, tell: &mut impl FnMut(ErrorCode)) {
        self.iter().for_each(|element| element.each_error(tell));
    }
}

impl Nullable for Text {
    fn read_nullable(reader: &mut Reader) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.length(true)? else { return Ok(None) };
        let bytes = reader.take(length)?;
        Self::try_from(bytes).map(Some).map_err(|_| DecodeError::NotUtf8)
    }

    fn write_nullable(value: Option<&Self>, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.length(value.map(|text| text.len()), true)?;
        writer.put(value.map_or(&[], |text| text.as_bytes()));
        Ok(())
    }
}

impl Nullable for Bytes {
    fn read_nullable(reader: &mut Reader) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.length(false)? else { return Ok(None) };
        reader.take(length).map(Some)
    }

    fn write_nullable(value: Option<&Self>, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.length(value.map(Self::len), false)?;
        if let Some(bytes) = value {
            writer.share(bytes);
        }
        Ok(())
    }
}

impl Nullable for Records {
    fn read_nullable(reader: &mut Reader) -> Result<Option<Self>, DecodeError> {
        Bytes::read_nullable(reader).map(|bytes| bytes.map(Self::Bytes))
    }

    fn write_nullable(value: Option<&Self>, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.length(value.map(Self::len), false)?;
        match value {
            Some(Self::Bytes(bytes)) => writer.share(bytes),
            Some(Self::Range(range)) => writer.range(range),
            None => {}
        }
        Ok(())
    }
}

impl<T: Wire> Nullable for Vec<T> {
    fn read_nullable(reader: &mut Reader) -> Result<Option<Self>, DecodeError> {
        let Some(count) = reader.length(false)? else { return Ok(None) };
        // Every element has at least one byte, so `length` has bounded the count. No more memory is reserved for them
        // than the message has bytes left; beyond that it is charged as it is used.
        let mut elements = Self::with_capacity(count.min(1 + reader.remaining() / size_of::<T>().max(1)));
        for _ in 0..count {
            reader.charge(size_of::<T>())?;
            elements.push(T::read(reader)?);
        }
        Ok(Some(elements))
    }

    fn write_nullable(value: Option<&Self>, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.length(value.map(Self::len), false)?;
        value.into_iter().flatten().try_for_each(|element| element.write(writer))
    }
}
