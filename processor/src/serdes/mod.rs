//! How keys and values become bytes, and bytes become them again.
//!
//! - [`Serde`]: the trait; a type that has it can be read from topics, written to them and kept in stores.
//! - `bytes`: [`Bytes`], [`Text`](mainstem_client::Text), `String`, nothing (`()`), `Option`.
//! - `numbers`: integers and floating-point numbers, as Kafka's serializers write them: big-endian.
//! - [`Json`]: whatever serde knows, as JSON.
//! - `Avro` and `RegisteredAvro`: records of Avro, without and with the id of their schema in front; with the feature `avro`.
//! - `Protobuf` and `RegisteredProtobuf`: messages of Protocol Buffers, likewise; with the feature `protobuf`.
//! - [`Windowed`]: a key and its window.
//! - [`Either`]: one of two types.
//!
//! # Memory
//!
//! `Bytes`, `Text`, `()` and options of them share the memory of the record and ask for none. Numbers are read without any,
//! and written into a buffer that is asked for once for some thousands of them. `String`, [`Json`], Avro and Protocol Buffers have memory of
//! their own: each record that is read asks for it, and each copy, as where several windows or branches take it; what
//! they write goes into the buffer. Keys and values that are kept in a store are copied once, when their key is first seen.

/// Lets a type of one field be used as what is in it.
#[cfg(any(feature = "avro", feature = "protobuf"))]
macro_rules! transparent {
    ($wrapper:ident) => {
        impl<T> std::ops::Deref for $wrapper<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.0
            }
        }

        impl<T> std::ops::DerefMut for $wrapper<T> {
            fn deref_mut(&mut self) -> &mut T {
                &mut self.0
            }
        }
    };
}

#[cfg(feature = "avro")]
mod avro;
mod bytes_and_text;
mod either;
mod json;
mod numbers;
#[cfg(feature = "protobuf")]
mod protobuf;
#[cfg(any(feature = "avro", feature = "protobuf"))]
mod schema_id;
mod windowed;

use bytes::{Bytes, BytesMut};

#[cfg(feature = "avro")]
pub use apache_avro;
#[cfg(feature = "avro")]
pub use avro::{Avro, AvroRegistered, AvroSchema, AvroSchemas, AvroType, RegisteredAvro};
pub use either::Either;
pub use json::Json;
#[cfg(feature = "protobuf")]
pub use prost;
#[cfg(feature = "protobuf")]
pub use protobuf::{MessageIndexes, Protobuf, ProtobufRegistered, RegisteredProtobuf};
#[cfg(any(feature = "avro", feature = "protobuf"))]
pub use schema_id::SchemaId;
pub use windowed::Windowed;

/// Why bytes are not what they should be, or something cannot be written as bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SerdeError {
    /// There are no bytes, and the type has no word for that.
    #[error("null is not {expected}; read it as an Option")]
    Null {
        /// What should be there.
        expected: &'static str,
    },
    /// A number of another width, or a key without its window.
    #[error("{found} bytes are not {expected}, which has {wanted}")]
    Length {
        /// What should be there.
        expected: &'static str,
        /// How many bytes that has.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
    /// Text in another encoding.
    #[error("text is not UTF-8 from byte {valid_up_to} on")]
    NotUtf8 {
        /// Where it stops to be.
        valid_up_to: usize,
    },
    /// Not the JSON that was expected.
    #[error("not the JSON that is expected: {0}")]
    Json(String),
    /// Not the Avro that was expected, or no schema of it.
    #[cfg(feature = "avro")]
    #[error("not the Avro that is expected: {0}")]
    Avro(String),
    /// Not the Protocol Buffers that were expected.
    #[cfg(feature = "protobuf")]
    #[error("not the Protocol Buffers that are expected: {0}")]
    Protobuf(String),
    /// No id of a schema in front.
    #[cfg(any(feature = "avro", feature = "protobuf"))]
    #[error(
        "no id of a schema is in front: a zero byte and four bytes should be, and it begins with {found}"
    )]
    NoSchemaId {
        /// The first bytes.
        found: String,
    },
    /// A schema that nothing knows.
    #[cfg(any(feature = "avro", feature = "protobuf"))]
    #[error("the schema with the id {id} is not to be had: {cause}")]
    UnknownSchema {
        /// Its id.
        id: SchemaId,
        /// Why not.
        cause: String,
    },
    /// What it takes to read or write it is not to be had for now, such as a schema while its registry is away. That says
    /// nothing about the bytes: no policy for bad records is asked, and the task tries again after a while.
    #[error("what that takes is not to be had for now: {0}")]
    Unavailable(String),
    /// Something else; for types of one's own.
    #[error("{0}")]
    Other(String),
}

impl SerdeError {
    /// What has to be waited for, as a lower-case phrase; for types of one's own, and for what looks schemas up.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable(reason.into())
    }

    /// Whether the same bytes may be read later.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// What it says of the bytes.
    pub(crate) const fn verdict(&self) -> &'static str {
        if self.is_retriable() { "cannot be read yet" } else { "does not parse" }
    }

    /// For types of one's own: what is wrong, as a lower-case phrase.
    pub fn other(reason: impl Into<String>) -> Self {
        Self::Other(reason.into())
    }
}

/// A type that can be read from the bytes of a key or value, and written as such.
///
/// `decode(encode(x))` must be `x`, and equal things must have equal bytes where they are keys: the bytes choose the
/// partition and find the entry in a store.
///
/// ```
/// use bytes::{Bytes, BytesMut};
/// use mainstem_processor::serdes::{Serde, SerdeError};
///
/// /// Degrees, written as text.
/// #[derive(Clone, Debug, PartialEq)]
/// struct Celsius(f64);
///
/// impl Serde for Celsius {
///     fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
///         let text = String::decode(bytes)?;
///         text.parse().map(Celsius).map_err(|_| SerdeError::other(format!("{text} is no temperature")))
///     }
///
///     fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
///         self.0.to_string().encode(buffer)
///     }
/// }
///
/// let bytes = Celsius(21.5).encode(&mut BytesMut::new()).unwrap();
/// assert_eq!(Celsius::decode(bytes.as_ref()), Ok(Celsius(21.5)));
/// assert_eq!(Celsius::decode(None).unwrap_err().to_string(), "null is not text; read it as an Option");
/// ```
pub trait Serde: Sized + Clone + Send + 'static {
    /// Reads it; `None` is Kafka's null: no key, or a tombstone. What can share the memory of `bytes` should.
    ///
    /// # Errors
    /// Where the bytes are something else.
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError>;

    /// Writes it; `None` is Kafka's null. `buffer` is empty, and may be used to build the bytes in: what is written
    /// there is then split off by [`written`]. One buffer serves many records, so that few of them allocate.
    ///
    /// # Errors
    /// Where it has no bytes.
    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError>;

    /// Whether it is written as Kafka's null, which in a table means that the key is not there.
    fn is_null(&self) -> bool {
        false
    }

    /// What its bytes are, in a word: stores write it down, so that nobody reads them as something else. Empty where
    /// that is not said, and then nothing is compared.
    #[must_use]
    fn format() -> String {
        String::new()
    }

    /// What keeps the type from being read or written at all, such as a schema that is none: a program that uses it is
    /// refused when it is built.
    #[must_use]
    fn fault() -> Option<SerdeError> {
        None
    }

    /// Whether it may hold on to the memory that it was read from. What does is read anew from memory of its own
    /// before it is kept for long; saying `false` saves that.
    const SHARES_MEMORY: bool = true;
}

/// Takes what was written out of the buffer of [`Serde::encode`].
#[must_use]
pub fn written(buffer: &mut BytesMut) -> Option<Bytes> {
    Some(buffer.split().freeze())
}

/// Bytes that a buffer for [`Serde::encode`] is given at once.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;

/// Bytes below which a buffer is given new room.
pub(crate) const BUFFER_BYTES_LEFT_MIN: usize = 1024;

/// Sees to it that a buffer has room for a few more records.
pub(crate) fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() < BUFFER_BYTES_LEFT_MIN {
        buffer.reserve(BUFFER_BYTES);
    }
}
