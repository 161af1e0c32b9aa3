//! Fields and records that have had other names. Whoever reads says so by aliases; what has read the values goes by names
//! alone, so the schema that they were written with is given those of the reader first.

use std::collections::HashMap;

use apache_avro::{
    Schema,
    schema::{Name, RecordField, RecordSchema, UnionSchema},
};

/// The schema that something was written with, its fields named as the reader's aliases say.
pub(super) fn renamed(writer: Schema, reader: &Schema) -> Schema {
    let mut records = HashMap::new();
    collect(reader, &mut records);
    // Whatever the outermost records are called, one is read as the other.
    if let (Schema::Record(written), Schema::Record(read)) = (&writer, reader) {
        records.insert(written.name.clone(), read);
    }
    rename(writer, &records)
}

/// The records of the reader, by their names and their aliases.
fn collect<'s>(schema: &'s Schema, records: &mut HashMap<Name, &'s RecordSchema>) {
    match schema {
        Schema::Record(record) => {
            let aliases = record.aliases.iter().flatten();
            let aliases =
                aliases.map(|alias| alias.fully_qualified_name(record.name.namespace()).into_owned());
            records.extend(aliases.chain([record.name.clone()]).map(|name| (name, record)));
            record.fields.iter().for_each(|field| collect(&field.schema, records));
        }
        Schema::Array(array) => collect(&array.items, records),
        Schema::Map(map) => collect(&map.types, records),
        Schema::Union(union) => union.variants().iter().for_each(|variant| collect(variant, records)),
        _ => {}
    }
}

fn rename(schema: Schema, records: &HashMap<Name, &RecordSchema>) -> Schema {
    match schema {
        Schema::Record(record) => Schema::Record(rename_record(record, records)),
        Schema::Array(mut array) => {
            array.items = Box::new(rename(*array.items, records));
            Schema::Array(array)
        }
        Schema::Map(mut map) => {
            map.types = Box::new(rename(*map.types, records));
            Schema::Map(map)
        }
        Schema::Union(union) => {
            let variants = union.variants().iter().cloned().map(|variant| rename(variant, records));
            Schema::Union(UnionSchema::new(variants.collect()).unwrap_or(union))
        }
        other => other,
    }
}

fn rename_record(mut record: RecordSchema, records: &HashMap<Name, &RecordSchema>) -> RecordSchema {
    let read = records.get(&record.name).copied();
    for field in &mut record.fields {
        if let Some(name) = read.and_then(|read| name_of(field, read)) {
            field.name.clone_from(name);
        }
        field.schema = rename(std::mem::replace(&mut field.schema, Schema::Null), records);
    }
    let names = record.fields.iter().map(|field| field.name.clone());
    record.lookup = names.zip(0..).collect();
    record
}

/// The reader's name of a field that it knows by an alias alone.
fn name_of<'r>(field: &RecordField, read: &'r RecordSchema) -> Option<&'r String> {
    let is_known = read.fields.iter().any(|known| known.name == field.name);
    let mut of_alias = read.fields.iter().filter(|known| known.aliases.contains(&field.name));
    if is_known { None } else { of_alias.next().map(|known| &known.name) }
}
