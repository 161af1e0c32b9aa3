//! Decimals of any size, which are bytes that have lengths of their own within them.
//!
//! What resolves values to another schema makes numbers of such bytes, and asks for the memory that they speak of before it
//! looks whether it is there; written out, a number with a large scale has as many zeros. So they are resolved as bytes,
//! which is what the type of the program reads them from too, and looked at here.

use apache_avro::{
    Schema,
    schema::{NamespaceRef, RecordSchema, ResolvedSchema, UnionSchema},
    types::Value,
};

use super::walk;
use crate::serdes::SerdeError;

/// The schema with bytes in place of such decimals.
pub(super) fn as_bytes(schema: Schema) -> Schema {
    match schema {
        Schema::BigDecimal => Schema::Bytes,
        Schema::Record(record) => Schema::Record(record_as_bytes(record)),
        Schema::Array(mut array) => {
            array.items = Box::new(as_bytes(*array.items));
            Schema::Array(array)
        }
        Schema::Map(mut map) => {
            map.types = Box::new(as_bytes(*map.types));
            Schema::Map(map)
        }
        Schema::Union(union) => {
            let variants = union.variants().iter().cloned().map(as_bytes);
            Schema::Union(UnionSchema::new(variants.collect()).unwrap_or(union))
        }
        other => other,
    }
}

fn record_as_bytes(mut record: RecordSchema) -> RecordSchema {
    for field in &mut record.fields {
        field.schema = as_bytes(std::mem::replace(&mut field.schema, Schema::Null));
    }
    record
}

/// Whether the bytes of a value are decimals where its schema says so. The value has the form of the schema.
pub(super) fn check(value: &Value, schema: &Schema, names: &ResolvedSchema<'_>) -> Result<(), SerdeError> {
    within(value, schema, names, None)
}

fn within(
    value: &Value,
    schema: &Schema,
    names: &ResolvedSchema<'_>,
    namespace: NamespaceRef<'_>,
) -> Result<(), SerdeError> {
    match (value, schema) {
        (Value::Bytes(bytes), Schema::BigDecimal) => walk::decimal(bytes),
        (Value::Union(index, value), Schema::Union(union)) => {
            let variant = union.variants().get(*index as usize);
            variant.map_or(Ok(()), |variant| within(value, variant, names, namespace))
        }
        (Value::Array(items), Schema::Array(array)) => {
            items.iter().try_for_each(|item| within(item, &array.items, names, namespace))
        }
        (Value::Map(entries), Schema::Map(map)) => {
            entries.values().try_for_each(|entry| within(entry, &map.types, names, namespace))
        }
        (Value::Record(fields), Schema::Record(record)) => {
            let name = record.name.fully_qualified_name(namespace);
            let mut fields = fields.iter().zip(&record.fields);
            fields.try_for_each(|((_, value), field)| within(value, &field.schema, names, name.namespace()))
        }
        (value, Schema::Ref { name }) => {
            let name = name.fully_qualified_name(namespace);
            let named = names.get_names().get(&*name).copied();
            named.map_or(Ok(()), |schema| within(value, schema, names, name.namespace()))
        }
        _ => Ok(()),
    }
}
