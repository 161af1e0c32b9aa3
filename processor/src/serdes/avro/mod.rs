//! Keys and values in Avro.
//!
//! - [`Avro`]: records without anything around them, written and read by the schema of their type.
//! - [`RegisteredAvro`]: records that begin with the id of the schema that they were written with; [`AvroSchemas`] looks it
//!   up, and what was written with another schema than the type's is resolved to it as Avro's specification says.
//! - `walk`: looks whether bytes are what a schema says before anything is made of them.
//! - `aliases`: fields that have had other names. `decimals`: those of any size, which are bytes here.
//!
//! Bytes come from anywhere: nothing that they say about lengths and counts leads to more memory than they have bytes for,
//! and nesting has a limit ([`crate::caps::AVRO_DEPTH_MAX`]).

mod aliases;
mod decimals;
mod registered;
mod schema;
#[cfg(test)]
mod tests;
mod walk;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

pub use registered::{AvroRegistered, AvroSchemas, RegisteredAvro};
pub use schema::AvroSchema;

use super::{Serde, SerdeError};

/// A type that has a schema: that which it is written with, and to which what was written with others is resolved.
pub trait AvroType: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// The schema; names of fields are those that serde gives them.
    fn schema() -> &'static AvroSchema;
}

/// A key or value in Avro, without anything around it: it is read by the schema that it was written with, which is that of
/// the type. To read what was written with others too, records must say with which: [`RegisteredAvro`]. A store that holds
/// such values is refused once their schema has changed.
///
/// The order of a map's entries is that in which the type gives them: who writes `HashMap`s writes equal values as different
/// bytes. Keys, which are found by their bytes, take `BTreeMap`s.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{
///     StreamBuilder, TestDriver,
///     serdes::{Avro, AvroSchema, AvroType},
/// };
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Deserialize, Serialize)]
/// struct Order {
///     customer: String,
///     cents: i64,
/// }
///
/// impl AvroType for Order {
///     fn schema() -> &'static AvroSchema {
///         static SCHEMA: AvroSchema = AvroSchema::new(
///             r#"{"type": "record", "name": "Order", "fields": [
///                 {"name": "customer", "type": "string"},
///                 {"name": "cents", "type": "long"}
///             ]}"#,
///         );
///         &SCHEMA
///     }
/// }
///
/// let builder = StreamBuilder::new("turnover");
/// builder
///     .stream::<(), Avro<Order>>("orders")
///     .map(|(), Avro(order)| (order.customer, order.cents))
///     .to("turnover");
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// let order = Order { customer: "anna".to_owned(), cents: 250 };
/// driver.pipe("orders", (), Avro(order), 0)?;
/// assert_eq!(driver.read::<Text, i64>("turnover")?[0].value, 250);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Avro<T>(pub T);

transparent!(Avro);

impl<T: AvroType> Serde for Avro<T> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "Avro" })?;
        T::schema().parsed()?.read(bytes).map(Self)
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        write(&self.0, buffer)
    }

    /// Name and fingerprint: what was kept with another schema could not be read.
    fn format() -> String {
        let of = |schema: &schema::Parsed| format!("avro {} {}", schema.name(), schema.fingerprint());
        T::schema().parsed().map_or_else(|_| String::new(), of)
    }

    fn fault() -> Option<SerdeError> {
        T::schema().parsed().err()
    }

    const SHARES_MEMORY: bool = false;
}

/// Writes a value behind what stands in the buffer already, and takes both out of it.
fn write<T: AvroType>(value: &T, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
    let written = T::schema().parsed().and_then(|schema| schema.write(value, &mut buffer.writer()));
    if let Err(error) = written {
        // What was written of it is no beginning of the next record.
        buffer.clear();
        return Err(error);
    }
    Ok(super::written(buffer))
}
