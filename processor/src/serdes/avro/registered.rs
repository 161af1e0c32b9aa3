//! Records that begin with the id of the schema that they were written with.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{PoisonError, RwLock},
};

use apache_avro::{Schema, from_value, reader::datum::GenericDatumReader, schema::ResolvedSchema};
use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;

use super::{
    AvroSchema, AvroType, aliases, decimals,
    schema::{Parsed, parse, wrong},
    walk::walk,
    write,
};
use crate::{
    caps,
    serdes::{
        Serde, SerdeError,
        schema_id::{self, SchemaId},
    },
};

/// A type whose schemas have ids.
pub trait AvroRegistered: AvroType {
    /// Where they are looked up.
    fn schemas() -> &'static AvroSchemas;

    /// The id of [`AvroType::schema`], which records are written with.
    ///
    /// # Errors
    /// Where it is not known.
    fn id() -> Result<SchemaId, SerdeError>;
}

/// Schemas by their ids. Each is looked up once, and kept: what an id stands for never changes.
///
/// A lookup runs on the thread of the task that has met the id, which waits for it. An id that is not to be had is looked up
/// again with each record that has it.
///
/// A lookup that may succeed later says so with [`SerdeError::unavailable`], as where a registry does not answer: the task
/// waits, and tries the record again. With any other error the record is a bad one, and its input's policy is asked.
pub struct AvroSchemas {
    lookup: Box<Lookup>,
    /// By the schema that they are resolved to, too.
    known: RwLock<HashMap<(SchemaId, usize), Known>>,
}

type Lookup = dyn Fn(SchemaId) -> Result<String, SerdeError> + Send + Sync;

/// What reads records of a schema, or why there is nothing that can.
pub(super) type Known = Result<&'static Resolving, SerdeError>;

impl AvroSchemas {
    /// `lookup` gives the text of the schema with an id: from a map, a folder, or a registry.
    pub fn new(lookup: impl Fn(SchemaId) -> Result<String, SerdeError> + Send + Sync + 'static) -> Self {
        Self { lookup: Box::new(lookup), known: RwLock::default() }
    }

    /// What reads records with that id as `reader` says.
    pub(super) fn resolving(&self, id: SchemaId, reader: &'static AvroSchema) -> Known {
        let known = (id, std::ptr::from_ref(reader).addr());
        let found = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&known).cloned();
        found.unwrap_or_else(|| self.look_up(known, reader))
    }

    fn look_up(&self, known: (SchemaId, usize), reader: &'static AvroSchema) -> Known {
        let unknown =
            |cause: &dyn fmt::Display| SerdeError::UnknownSchema { id: known.0, cause: cause.to_string() };
        let text = (self.lookup)(known.0).map_err(|cause| match cause {
            SerdeError::Unavailable(cause) => {
                SerdeError::Unavailable(format!("the schema with the id {}: {cause}", known.0))
            }
            cause => unknown(&cause),
        })?;
        let writer = parse(&text).map_err(|cause| unknown(&cause))?;
        let reader = reader.parsed()?;
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= caps::AVRO_SCHEMAS_MAX && !all.contains_key(&known) {
            return Err(unknown(&format_args!("{} are kept already, which is the limit", all.len())));
        }
        all.entry(known).or_insert_with(|| Resolving::kept(writer, reader)).clone()
    }
}

impl fmt::Debug for AvroSchemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AvroSchemas").finish_non_exhaustive()
    }
}

/// Reads what was written with one schema as another one says.
pub(super) struct Resolving {
    writer: &'static Schema,
    /// The named schemas within it.
    names: ResolvedSchema<'static>,
    values: GenericDatumReader<'static>,
    reader: &'static Parsed,
    /// There where the schemas are the same, so that nothing has to be resolved.
    same: Option<&'static Parsed>,
}

impl Resolving {
    /// Kept for as long as the process runs, as what knows it is; that has a limit.
    fn kept(writer: Schema, reader: &'static Parsed) -> Known {
        let writer = &*Box::leak(Box::new(aliases::renamed(writer, reader.schema)));
        let same = (*writer == *reader.schema).then_some(reader);
        let names = ResolvedSchema::new(writer).map_err(wrong)?;
        let [from, to] =
            [writer, reader.schema].map(|schema| &*Box::leak(Box::new(decimals::as_bytes(schema.clone()))));
        let values = GenericDatumReader::builder(from).reader_schema(to).build().map_err(wrong)?;
        Ok(Box::leak(Box::new(Self { writer, names, values, reader, same })))
    }

    pub(super) fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        if let Some(same) = self.same {
            return same.read(bytes);
        }
        walk(self.writer, &self.names, bytes)?;
        let value = self.values.read_value(&mut io::Cursor::new(bytes)).map_err(wrong)?;
        decimals::check(&value, self.reader.schema, &self.reader.names)?;
        from_value(&value).map_err(wrong)
    }
}

/// A key or value in Avro that begins with the id of the schema that it was written with, as programs with a schema
/// registry write it: a zero byte, the id as a big-endian integer of four bytes, and the value.
///
/// What was written with another schema than that of the type is resolved to it: fields that the type has and the record has
/// not take their defaults, those that the type has not are left out, numbers widen, and names follow aliases. Keys
/// are found and shared out by their bytes, of which the id is a part: one key that was written with two schemas is two.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{
///     StreamBuilder, TestDriver,
///     serdes::{AvroRegistered, AvroSchema, AvroSchemas, AvroType, RegisteredAvro, SchemaId, SerdeError},
/// };
/// use serde::{Deserialize, Serialize};
/// use std::sync::LazyLock;
///
/// #[derive(Clone, Deserialize, Serialize)]
/// struct Order {
///     cents: i64,
///     currency: String,
/// }
///
/// const OLD: &str = r#"{"type": "record", "name": "Order", "fields": [{"name": "cents", "type": "int"}]}"#;
/// const NEW: &str = r#"{"type": "record", "name": "Order", "fields": [
///     {"name": "cents", "type": "long"}, {"name": "currency", "type": "string", "default": "EUR"}]}"#;
///
/// impl AvroType for Order {
///     fn schema() -> &'static AvroSchema {
///         static SCHEMA: AvroSchema = AvroSchema::new(NEW);
///         &SCHEMA
///     }
/// }
///
/// impl AvroRegistered for Order {
///     fn schemas() -> &'static AvroSchemas {
///         static SCHEMAS: LazyLock<AvroSchemas> = LazyLock::new(|| {
///             AvroSchemas::new(|id| match id {
///                 SchemaId(1) => Ok(OLD.to_owned()),
///                 SchemaId(2) => Ok(NEW.to_owned()),
///                 _ => Err(SerdeError::other("nobody has registered it")),
///             })
///         });
///         &SCHEMAS
///     }
///
///     fn id() -> Result<SchemaId, SerdeError> {
///         Ok(SchemaId(2))
///     }
/// }
///
/// let builder = StreamBuilder::new("currencies");
/// let orders = builder.stream::<(), RegisteredAvro<Order>>("orders");
/// orders.map_values(|RegisteredAvro(order)| order.currency).to("currencies");
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// let old = b"\x00\x00\x00\x00\x01\x54"; // the id 1, and 42
/// driver.pipe("orders", (), bytes::Bytes::from_static(old), 0)?;
/// assert_eq!(driver.read::<(), Text>("currencies")?[0].value, "EUR");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisteredAvro<T>(pub T);

transparent!(RegisteredAvro);

impl<T: AvroRegistered> Serde for RegisteredAvro<T> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "Avro with the id of its schema" })?;
        let (id, datum) = schema_id::split(bytes)?;
        T::schemas().resolving(id, T::schema())?.read(datum).map(Self)
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        schema_id::put(buffer, T::id()?);
        write(&self.0, buffer)
    }

    /// The name alone: what was kept with other schemas says with which.
    fn format() -> String {
        let parsed = T::schema().parsed();
        parsed.map_or_else(|_| String::new(), |schema| format!("avro {} with schema ids", schema.name()))
    }

    fn fault() -> Option<SerdeError> {
        T::schema().parsed().err()
    }

    const SHARES_MEMORY: bool = false;
}
