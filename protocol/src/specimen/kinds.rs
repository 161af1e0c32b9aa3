//! Specimens of the types that fields have.

use bytes::Bytes;

use super::{Shape, Source, Specimen};
use crate::{
    BrokerId, ErrorCode, LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId, Text, Timestamp,
    TopicId, records::Records, wire::Presence,
};

macro_rules! numbers {
    ($($name:ty: $wire:ident, $shape:literal, $build:expr, $number:expr;)*) => {$(
        impl Specimen for $name {
            fn specimen(source: &mut dyn Source, _: i16) -> Self {
                $build(source.number() as $wire)
            }

            fn shape() -> Shape {
                Shape::Plain($shape)
            }

            fn as_default(&self) -> String {
                $number(self).to_string()
            }
        }
    )*};
}

numbers! {
    i8: i8, "int8", |number| number, |number: &Self| *number;
    i16: i16, "int16", |number| number, |number: &Self| *number;
    i32: i32, "int32", |number| number, |number: &Self| *number;
    u16: u16, "uint16", |number| number, |number: &Self| *number;
    i64: i64, "int64", |number| number, |number: &Self| *number;
    f64: f64, "float64", |number| number, |number: &Self| *number;
    BrokerId: i32, "int32", Self, |id: &Self| id.0;
    ErrorCode: i16, "int16", Self, |code: &Self| code.0;
    LeaderEpoch: i32, "int32", Self, |epoch: &Self| epoch.0;
    Offset: i64, "int64", Self, |offset: &Self| offset.0;
    PartitionId: i32, "int32", Self, |id: &Self| id.0;
    ProducerEpoch: i16, "int16", Self, |epoch: &Self| epoch.0;
    ProducerId: i64, "int64", Self, |id: &Self| id.0;
    Timestamp: i64, "int64", Self, |timestamp: &Self| timestamp.0;
}

impl Specimen for bool {
    fn specimen(source: &mut dyn Source, _: i16) -> Self {
        source.flag()
    }

    fn shape() -> Shape {
        Shape::Plain("bool")
    }

    fn as_default(&self) -> String {
        self.to_string()
    }
}

impl Specimen for TopicId {
    fn specimen(source: &mut dyn Source, _: i16) -> Self {
        Self([source.number() as u8; 16])
    }

    fn shape() -> Shape {
        Shape::Plain("uuid")
    }
}

impl Specimen for Text {
    fn specimen(source: &mut dyn Source, _: i16) -> Self {
        let letters = ['a', 'ö', 'ж', '😀', 'z'];
        let count = source.count();
        (0..count).map(|_| letters[source.number().unsigned_abs() as usize % 5]).collect::<String>().into()
    }

    fn shape() -> Shape {
        Shape::Plain("string")
    }
}

impl Specimen for Bytes {
    fn specimen(source: &mut dyn Source, _: i16) -> Self {
        // Some are long enough to travel as a chunk of their own.
        let count = match source.count() {
            count @ 127.. => count * 20,
            count => count,
        };
        (0..count).map(|_| source.number() as u8).collect()
    }

    fn shape() -> Shape {
        Shape::Plain("bytes")
    }
}

impl Specimen for Records {
    fn specimen(source: &mut dyn Source, version: i16) -> Self {
        Self::Bytes(Bytes::specimen(source, version))
    }

    fn shape() -> Shape {
        Shape::Plain("records")
    }
}

impl<T: Specimen> Specimen for Vec<T> {
    fn specimen(source: &mut dyn Source, version: i16) -> Self {
        let count = source.count();
        (0..count).map(|_| T::specimen(source, version)).collect()
    }

    fn shape() -> Shape {
        Shape::Array(Box::new(T::shape()))
    }
}

impl<T: Specimen> Specimen for Option<T> {
    fn specimen(source: &mut dyn Source, version: i16) -> Self {
        (!source.null()).then(|| T::specimen(source, version))
    }

    fn shape() -> Shape {
        Shape::Nullable(Box::new(T::shape()))
    }

    fn as_default(&self) -> String {
        self.as_ref().map_or_else(|| "null".to_owned(), T::as_default)
    }
}

impl<T: Specimen> Specimen for Presence<T> {
    fn specimen(source: &mut dyn Source, version: i16) -> Self {
        Self(Option::specimen(source, version))
    }

    fn shape() -> Shape {
        Option::<T>::shape()
    }

    fn as_default(&self) -> String {
        self.0.as_default()
    }
}
