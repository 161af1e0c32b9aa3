//! Schemas, and what reads and writes by them.

use std::{fmt, io, sync::OnceLock};

use apache_avro::{
    Schema,
    rabin::Rabin,
    reader::datum::GenericDatumReader,
    schema::{ResolvedSchema, SchemaKind},
    writer::datum::GenericDatumWriter,
};
use serde::{Serialize, de::DeserializeOwned};

use super::walk::walk;
use crate::serdes::SerdeError;

/// A schema of Avro: the JSON that Avro's specification describes. It is parsed when it is first needed; a program with a
/// schema that is none is refused when it is built.
pub struct AvroSchema {
    text: &'static str,
    schema: OnceLock<Result<Schema, SerdeError>>,
    parsed: OnceLock<Result<Parsed, SerdeError>>,
}

impl AvroSchema {
    /// The schema of that text.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, schema: OnceLock::new(), parsed: OnceLock::new() }
    }

    /// Its text.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    pub(super) fn parsed(&'static self) -> Result<&'static Parsed, SerdeError> {
        let schema = self.schema.get_or_init(|| parse(self.text));
        let parsed = || schema.as_ref().map_err(Clone::clone).and_then(Parsed::of);
        self.parsed.get_or_init(parsed).as_ref().map_err(Clone::clone)
    }
}

impl fmt::Debug for AvroSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AvroSchema").field(&self.text).finish()
    }
}

pub(super) fn parse(text: &str) -> Result<Schema, SerdeError> {
    Schema::parse_str(text).map_err(|error| SerdeError::Avro(format!("the schema is none: {error}")))
}

pub(super) fn wrong(error: apache_avro::Error) -> SerdeError {
    SerdeError::Avro(error.to_string())
}

/// A schema, ready to read and to write by.
pub(super) struct Parsed {
    pub(super) schema: &'static Schema,
    /// The named schemas within it.
    pub(super) names: ResolvedSchema<'static>,
    reader: GenericDatumReader<'static>,
    writer: GenericDatumWriter<'static>,
}

impl Parsed {
    fn of(schema: &'static Schema) -> Result<Self, SerdeError> {
        let names = ResolvedSchema::new(schema).map_err(wrong)?;
        let reader = GenericDatumReader::builder(schema).human_readable(false).build().map_err(wrong)?;
        let writer = GenericDatumWriter::builder(schema).human_readable(false).build().map_err(wrong)?;
        Ok(Self { schema, names, reader, writer })
    }

    /// Reads what was written with this schema.
    pub(super) fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        walk(self.schema, &self.names, bytes)?;
        self.reader.read_deser(&mut io::Cursor::new(bytes)).map_err(wrong)
    }

    pub(super) fn write<T: Serialize>(&self, value: &T, to: &mut impl io::Write) -> Result<(), SerdeError> {
        self.writer.write_ser(to, value).map(drop).map_err(wrong)
    }

    /// Its name, or its type where that has none.
    pub(super) fn name(&self) -> String {
        self.schema.name().map_or_else(|| format!("{:?}", SchemaKind::from(self.schema)), ToString::to_string)
    }

    /// The fingerprint of its canonical form.
    pub(super) fn fingerprint(&self) -> String {
        self.schema.fingerprint::<Rabin>().to_string()
    }
}

impl fmt::Debug for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parsed").field("schema", &self.schema).finish_non_exhaustive()
    }
}
