//! Looks whether bytes are what a schema says.
//!
//! What makes values of them afterwards asks for memory by the lengths and counts that stand there, goes as deep as they
//! are nested, takes a text that is cut off for null, and leaves what follows unread. So this goes over them first, without
//! any memory of its own.

use apache_avro::{
    Schema,
    schema::{InnerDecimalSchema, Name, NamespaceRef, ResolvedSchema, UuidSchema},
};

use crate::{caps, serdes::SerdeError};

/// Whether the bytes are one value of that schema, and nothing else.
pub(super) fn walk(schema: &Schema, names: &ResolvedSchema<'_>, bytes: &[u8]) -> Result<(), SerdeError> {
    let items_left = bytes.len().saturating_add(caps::AVRO_EMPTY_ITEMS_MAX);
    let mut walker = Walker { names, rest: Bytes(bytes), items_left, depth: 0 };
    walker.value(schema, None)?;
    match walker.rest.0.len() {
        0 => Ok(()),
        left => Err(wrong(format!("{left} bytes are left behind the value"))),
    }
}

/// Whether the bytes are those of a big decimal: its digits behind their length, and its scale.
pub(super) fn decimal(bytes: &[u8]) -> Result<(), SerdeError> {
    let mut rest = Bytes(bytes);
    rest.bytes()?;
    rest.long()?;
    match rest.0.len() {
        0 => Ok(()),
        left => Err(wrong(format!("{left} bytes are left behind a big decimal"))),
    }
}

struct Walker<'a> {
    names: &'a ResolvedSchema<'a>,
    rest: Bytes<'a>,
    /// How many more items arrays and maps may have: as many as there are bytes, and some that have none.
    items_left: usize,
    depth: usize,
}

impl Walker<'_> {
    fn value(&mut self, schema: &Schema, namespace: NamespaceRef<'_>) -> Result<(), SerdeError> {
        if self.depth >= caps::AVRO_DEPTH_MAX {
            return Err(wrong(format!("values are nested more than {} deep", caps::AVRO_DEPTH_MAX)));
        }
        self.depth += 1;
        self.content(schema, namespace)?;
        self.depth -= 1;
        Ok(())
    }

    fn content(&mut self, schema: &Schema, namespace: NamespaceRef<'_>) -> Result<(), SerdeError> {
        match schema {
            Schema::Null => Ok(()),
            Schema::Boolean => self.rest.boolean(),
            Schema::Int | Schema::Date | Schema::TimeMillis => self.rest.int().map(drop),
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => self.rest.long().map(drop),
            Schema::Float => self.rest.skip(4).map(drop),
            Schema::Double => self.rest.skip(8).map(drop),
            Schema::Bytes | Schema::Uuid(UuidSchema::Bytes) => self.rest.bytes().map(drop),
            Schema::BigDecimal => decimal(self.rest.bytes()?),
            Schema::String | Schema::Uuid(UuidSchema::String) => self.rest.text(),
            Schema::Fixed(fixed) | Schema::Duration(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
                self.rest.skip(fixed.size).map(drop)
            }
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => self.rest.bytes().map(drop),
                InnerDecimalSchema::Fixed(fixed) => self.rest.skip(fixed.size).map(drop),
            },
            Schema::Enum(symbols) => self.rest.index(symbols.symbols.len()).map(drop),
            Schema::Union(union) => {
                let variant = self.rest.index(union.variants().len())?;
                self.value(&union.variants()[variant], namespace)
            }
            Schema::Array(array) => self.items(|walker| walker.value(&array.items, namespace)),
            Schema::Map(map) => self.items(|walker| {
                walker.rest.text()?;
                walker.value(&map.types, namespace)
            }),
            Schema::Record(record) => {
                let name = record.name.fully_qualified_name(namespace);
                record.fields.iter().try_for_each(|field| self.value(&field.schema, name.namespace()))
            }
            Schema::Ref { name } => self.named(name, namespace),
        }
    }

    fn named(&mut self, name: &Name, namespace: NamespaceRef<'_>) -> Result<(), SerdeError> {
        let name = name.fully_qualified_name(namespace);
        match self.names.get_names().get(&*name).copied() {
            Some(schema) => self.content(schema, name.namespace()),
            None => Err(wrong(format!("the schema names {name}, which it does not have"))),
        }
    }

    /// Blocks, each with the number of its items in front, negative where the number of its bytes follows, until an empty one.
    fn items(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), SerdeError>) -> Result<(), SerdeError> {
        loop {
            let count = self.rest.long()?;
            if count < 0 {
                self.rest.long()?;
            }
            let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            if count == 0 {
                return Ok(());
            }
            let left = self.items_left.checked_sub(count);
            self.items_left =
                left.ok_or_else(|| wrong(format!("{count} items have no room in its bytes")))?;
            for _ in 0..count {
                item(self)?;
            }
        }
    }
}

/// What is left of a value.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// The number of a symbol or variant.
    fn index(&mut self, of: usize) -> Result<usize, SerdeError> {
        let index = self.int()?;
        let found = usize::try_from(index).ok().filter(|index| *index < of);
        found.ok_or_else(|| wrong(format!("it names alternative {index} of {of}, counted from 0")))
    }

    fn boolean(&mut self) -> Result<(), SerdeError> {
        match self.skip(1)? {
            [0 | 1] => Ok(()),
            other => Err(wrong(format!("{other:02x?} is no truth value"))),
        }
    }

    fn text(&mut self) -> Result<(), SerdeError> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map(drop).map_err(|error| wrong(format!("its text is not UTF-8: {error}")))
    }

    fn bytes(&mut self) -> Result<&'a [u8], SerdeError> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| wrong(format!("{length} is no length")))?;
        self.skip(length)
    }

    fn int(&mut self) -> Result<i32, SerdeError> {
        let long = self.long()?;
        i32::try_from(long).map_err(|_| wrong(format!("{long} is no integer of 32 bits")))
    }

    /// Zigzag, seven bits a byte, the low ones first.
    fn long(&mut self) -> Result<i64, SerdeError> {
        let mut bits = 0_u64;
        for shift in (0..70).step_by(7) {
            let [byte] = self.skip(1)? else { break };
            bits |= u64::from(byte & 0x7f) << shift;
            let is_last = byte & 0x80 == 0;
            if is_last && (shift < 63 || *byte <= 1) {
                return Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
            }
        }
        Err(wrong("an integer has more than 64 bits".to_owned()))
    }

    fn skip(&mut self, bytes: usize) -> Result<&'a [u8], SerdeError> {
        let ended = || wrong(format!("it ends {} bytes too early", bytes - self.0.len()));
        let (skipped, rest) = self.0.split_at_checked(bytes).ok_or_else(ended)?;
        self.0 = rest;
        Ok(skipped)
    }
}

const fn wrong(what: String) -> SerdeError {
    SerdeError::Avro(what)
}
