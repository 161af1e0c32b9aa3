//! Messages that begin with the id of their schema.

use bytes::{Bytes, BytesMut};
use prost::Message;

use super::{MessageIndexes, name_of, read, write};
use crate::serdes::{
    Serde, SerdeError,
    schema_id::{self, SchemaId},
};

/// A message whose schema has an id.
pub trait ProtobufRegistered: Message + Default + Clone + 'static {
    /// Where it is within its schema.
    const INDEXES: MessageIndexes = MessageIndexes::FIRST;

    /// The id that it is written with.
    ///
    /// # Errors
    /// Where it is not known.
    fn id() -> Result<SchemaId, SerdeError>;

    /// Whether it can be read that was written with another id. Messages of one name can be, as long as nobody has given
    /// a number of a field another meaning; so unless said otherwise all are, and only their place is looked at.
    ///
    /// # Errors
    /// Why it cannot.
    fn accept(_id: SchemaId) -> Result<(), SerdeError> {
        Ok(())
    }
}

/// A key or value that is a message of Protocol Buffers and begins with the id of its schema, as programs with a schema
/// registry write it: a zero byte, the id as a big-endian integer of four bytes, the place of the message in the schema
/// ([`MessageIndexes`]), and the message. A message from another place is one that does not parse.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{
///     StreamBuilder, TestDriver,
///     serdes::{ProtobufRegistered, RegisteredProtobuf, SchemaId, SerdeError},
/// };
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct Word {
///     #[prost(string, tag = "1")]
///     text: String,
/// }
///
/// impl ProtobufRegistered for Word {
///     fn id() -> Result<SchemaId, SerdeError> {
///         Ok(SchemaId(7))
///     }
/// }
///
/// let builder = StreamBuilder::new("words");
/// builder.stream::<(), RegisteredProtobuf<Word>>("words").map_values(|word| word.0.text).to("texts");
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// let word = b"\x00\x00\x00\x00\x07\x00\x0a\x02hi"; // the id 7, the first message, and its field 1
/// driver.pipe("words", (), bytes::Bytes::from_static(word), 0)?;
/// assert_eq!(driver.read::<(), Text>("texts")?[0].value, "hi");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisteredProtobuf<M>(pub M);

transparent!(RegisteredProtobuf);

impl<M: ProtobufRegistered> Serde for RegisteredProtobuf<M> {
    fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "a message with the id of its schema" })?;
        let (id, rest) = schema_id::split(bytes)?;
        M::accept(id)?;
        read(M::INDEXES.expect(rest)?).map(Self)
    }

    fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
        schema_id::put(buffer, M::id()?);
        M::INDEXES.put(buffer);
        write(&self.0, buffer)
    }

    fn format() -> String {
        format!("protobuf {} with schema ids", name_of::<M>())
    }

    const SHARES_MEMORY: bool = false;
}
