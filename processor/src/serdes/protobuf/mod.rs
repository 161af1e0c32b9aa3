//! Keys and values in Protocol Buffers.
//!
//! - [`Protobuf`]: messages without anything around them.
//! - [`RegisteredProtobuf`]: messages that begin with the id of their schema and their place in it ([`MessageIndexes`]).
//!
//! Bytes come from anywhere: `prost` asks for memory only for what is there, and refuses messages that are nested more than
//! a hundred deep.

mod indexes;
mod registered;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use prost::Message;

pub use indexes::MessageIndexes;
pub use registered::{ProtobufRegistered, RegisteredProtobuf};

use super::{Serde, SerdeError};

/// A key or value that is a message of Protocol Buffers, as `prost` knows it.
///
/// Equal messages have equal bytes, which keys must have, unless they have maps: `prost` writes a `HashMap` in any order,
/// and a `BTreeMap` in one. A store that holds messages is refused once their type has another name.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{StreamBuilder, TestDriver, serdes::Protobuf};
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct Order {
///     #[prost(string, tag = "1")]
///     customer: String,
///     #[prost(int64, tag = "2")]
///     cents: i64,
/// }
///
/// let builder = StreamBuilder::new("turnover");
/// builder
///     .stream::<(), Protobuf<Order>>("orders")
///     .map(|(), Protobuf(order)| (order.customer, order.cents))
///     .to("turnover");
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// let order = Order { customer: "anna".to_owned(), cents: 250 };
/// driver.pipe("orders", (), Protobuf(order), 0)?;
/// assert_eq!(driver.read::<Text, i64>("turnover")?[0].value, 250);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protobuf<M>(pub M);

transparent!(Protobuf);

impl<M: Message + Default + Clone + 'static> Serde for Protobuf<M> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "a message of Protocol Buffers" })?;
        read(bytes).map(Self)
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        write(&self.0, buffer)
    }

    fn format() -> String {
        format!("protobuf {}", name_of::<M>())
    }

    const SHARES_MEMORY: bool = false;
}

/// What the program calls the message, without the modules that it is in: `prost` knows no other name of every message.
fn name_of<M>() -> &'static str {
    let name = std::any::type_name::<M>();
    let end = name.find('<').unwrap_or(name.len());
    let begin = name[..end].rfind("::").map_or(0, |colons| colons + 2);
    &name[begin..]
}

/// From a slice, so that fields of bytes have memory of their own.
fn read<M: Message + Default>(bytes: &[u8]) -> Result<M, SerdeError> {
    M::decode(bytes).map_err(|error| SerdeError::Protobuf(error.to_string()))
}

/// Writes a message behind what stands in the buffer already, and takes both out of it.
fn write(message: &impl Message, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
    buffer.reserve(message.encoded_len());
    message.encode(buffer).map_err(|error| SerdeError::Protobuf(error.to_string()))?;
    Ok(super::written(buffer))
}
