//! Avro as others write it, schemas that have changed, and bytes that are anything.

mod hostile;
mod policies;

use std::{
    collections::BTreeMap,
    sync::{LazyLock, atomic::AtomicUsize, atomic::Ordering},
};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::serdes::SchemaId;

const WIDE: &str = r#"{"type": "record", "name": "Wide", "namespace": "test", "fields": [
    {"name": "flag", "type": "boolean"}, {"name": "small", "type": "int"}, {"name": "large", "type": "long"},
    {"name": "single", "type": "float"}, {"name": "double", "type": "double"}, {"name": "text", "type": "string"},
    {"name": "color", "type": {"type": "enum", "name": "Color", "symbols": ["RED", "GREEN"]}},
    {"name": "words", "type": {"type": "array", "items": "string"}},
    {"name": "counts", "type": {"type": "map", "values": "long"}},
    {"name": "maybe", "type": ["null", "string"]}, {"name": "nothing", "type": ["null", "string"]},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "inner", "type": {"type": "record", "name": "Inner", "fields": [
        {"name": "next", "type": ["null", "Inner"]}, {"name": "id", "type": "int"}]}}]}"#;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Color {
    Red,
    Green,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Inner {
    next: Option<Box<Self>>,
    id: i32,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Wide {
    flag: bool,
    small: i32,
    large: i64,
    single: f32,
    double: f64,
    text: String,
    color: Color,
    words: Vec<String>,
    counts: BTreeMap<String, i64>,
    maybe: Option<String>,
    nothing: Option<String>,
    at: i64,
    inner: Inner,
}

impl AvroType for Wide {
    fn schema() -> &'static AvroSchema {
        static SCHEMA: AvroSchema = AvroSchema::new(WIDE);
        &SCHEMA
    }
}

impl AvroRegistered for Wide {
    fn schemas() -> &'static AvroSchemas {
        static SCHEMAS: LazyLock<AvroSchemas> = LazyLock::new(|| AvroSchemas::new(|_| Ok(WIDE.to_owned())));
        &SCHEMAS
    }

    fn id() -> Result<SchemaId, SerdeError> {
        Ok(SchemaId(258))
    }
}

fn wide() -> Wide {
    Wide {
        flag: true,
        small: -65,
        large: i64::MIN,
        single: 0.5,
        double: -1.25,
        text: "häuser".to_owned(),
        color: Color::Green,
        words: vec!["to".to_owned(), "be".to_owned()],
        counts: BTreeMap::from([("a".to_owned(), 1)]),
        maybe: Some("x".to_owned()),
        nothing: None,
        at: 1_700_000_000_000,
        inner: Inner { next: Some(Box::new(Inner { next: None, id: 2 })), id: 1 },
    }
}

/// What `schemaless_writer` of fastavro 1.13.1 (Python) makes of [`wide`].
const WIDE_BYTES: &[u8] = b"\x01\x81\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00\x3f\x00\x00\x00\x00\x00\
    \x00\xf4\xbf\x0eh\xc3\xa4user\x02\x04\x04to\x04be\x00\x02\x02a\x02\x00\x02\x02x\x00\x80\xa0\xab\xfe\xf9b\x02\x00\
    \x04\x02";

fn decoded<T: Serde>(bytes: &[u8]) -> Result<T, SerdeError> {
    T::decode(Some(&Bytes::copy_from_slice(bytes)))
}

fn encoded<T: Serde>(value: &T) -> Bytes {
    value.encode(&mut BytesMut::new()).unwrap().unwrap()
}

#[test]
fn records_are_those_of_fastavro() {
    assert_eq!(encoded(&Avro(wide())), WIDE_BYTES);
    assert_eq!(decoded(WIDE_BYTES), Ok(Avro(wide())));
}

#[test]
fn id_stands_in_front_of_the_same_record() {
    let bytes = encoded(&RegisteredAvro(wide()));
    assert_eq!(bytes, [b"\0\0\0\x01\x02", WIDE_BYTES].concat());
    assert_eq!(decoded(&bytes), Ok(RegisteredAvro(wide())));
}

/// The order that [`OLD`] knows, as it is now.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    id: i64,
    customer: Option<String>,
    state: State,
    currency: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Open,
    Paid,
    Unknown,
}

/// Trap 68: numbers have become wider, a field has another name and may be null, one is gone, one is new, and a symbol that
/// is no longer known has a default.
const NEW: &str = r#"{"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "long"},
    {"name": "customer", "aliases": ["who"], "type": ["null", "string"]},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OPEN", "PAID", "UNKNOWN"],
        "default": "UNKNOWN"}},
    {"name": "currency", "type": "string", "default": "EUR"}]}"#;

const OLD: &str = r#"{"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "int"}, {"name": "who", "type": "string"}, {"name": "gone", "type": "double"},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OPEN", "PAID", "SENT"]}}]}"#;

/// What `schemaless_writer` of fastavro 1.13.1 (Python) makes, with [`OLD`], of
/// `{"id": 7, "who": "anna", "gone": 1.5, "state": "SENT"}`.
const OLD_BYTES: &[u8] = b"\x0e\x08anna\x00\x00\x00\x00\x00\x00\xf8\x3f\x04";

static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

impl AvroType for Order {
    fn schema() -> &'static AvroSchema {
        static SCHEMA: AvroSchema = AvroSchema::new(NEW);
        &SCHEMA
    }
}

impl AvroRegistered for Order {
    fn schemas() -> &'static AvroSchemas {
        static SCHEMAS: LazyLock<AvroSchemas> = LazyLock::new(|| {
            AvroSchemas::new(|id| {
                LOOKUPS.fetch_add(1, Ordering::Relaxed);
                match id.0 {
                    1 => Ok(OLD.to_owned()),
                    2 => Ok(NEW.to_owned()),
                    3 => Ok("{".to_owned()),
                    4 => Ok(r#""string""#.to_owned()),
                    _ => Err(SerdeError::other("nobody has registered it")),
                }
            })
        });
        &SCHEMAS
    }

    fn id() -> Result<SchemaId, SerdeError> {
        Ok(SchemaId(2))
    }
}

fn order() -> Order {
    let customer = Some("anna".to_owned());
    Order { id: 7, customer, state: State::Unknown, currency: "EUR".to_owned() }
}

#[test]
fn what_was_written_with_an_older_schema_is_resolved_to_the_new_one() {
    let old = [b"\0\0\0\0\x01", OLD_BYTES].concat();
    assert_eq!(decoded(&old), Ok(RegisteredAvro(order())));
    let before = LOOKUPS.load(Ordering::Relaxed);
    assert_eq!(decoded(&old), Ok(RegisteredAvro(order())));
    let bytes = encoded(&RegisteredAvro(order()));
    assert_eq!(decoded(&bytes), Ok(RegisteredAvro(order())));
    assert_eq!(bytes[..5], [0, 0, 0, 0, 2]);
    assert!(LOOKUPS.load(Ordering::Relaxed) >= before);
}

#[test]
fn schema_is_looked_up_once() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let schemas = AvroSchemas::new(|_| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        Ok(OLD.to_owned())
    });
    for _ in 0..3 {
        let order: Order = schemas.resolving(SchemaId(1), Order::schema()).unwrap().read(OLD_BYTES).unwrap();
        assert_eq!(order.id, 7);
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
}

#[test]
fn lookup_that_is_to_be_repeated_says_nothing_about_the_record() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let schemas = AvroSchemas::new(|_| match ASKED.fetch_add(1, Ordering::Relaxed) {
        0 => Err(SerdeError::unavailable("the registry does not answer")),
        _ => Ok(OLD.to_owned()),
    });
    let error = schemas.resolving(SchemaId(1), Order::schema()).map(drop).unwrap_err();
    assert!(error.is_retriable());
    let expected =
        "what that takes is not to be had for now: the schema with the id 1: the registry does not answer";
    assert_eq!(error.to_string(), expected);
    schemas.resolving(SchemaId(1), Order::schema()).unwrap();
}

#[test]
fn schemas_that_are_not_to_be_had_are_named_by_their_ids() {
    let error = |id: u8| decoded::<RegisteredAvro<Order>>(&[0, 0, 0, 0, id, 0]).unwrap_err().to_string();
    assert_eq!(error(9), "the schema with the id 9 is not to be had: nobody has registered it");
    assert!(error(3).starts_with("the schema with the id 3 is not to be had: not the Avro that is expected"));
}

#[test]
fn schema_that_cannot_be_resolved_is_an_error_and_not_a_panic() {
    let error = decoded::<RegisteredAvro<Order>>(b"\0\0\0\0\x04\x02a").unwrap_err().to_string();
    assert!(error.starts_with("not the Avro that is expected: "), "{error}");
}

#[test]
fn records_nested_in_others_follow_their_aliases_too() {
    let nested = |name: &str, aliases: &str| {
        format!(
            r#"{{"type": "record", "name": "Outer", "fields": [{{"name": "all", "type": {{"type": "array", "items":
                ["null", {{"type": "record", "name": "In", "fields": [
                    {{"name": "{name}", "type": "int"{aliases}}}]}}]}}}}]}}"#
        )
    };
    let (old, new) = (nested("was", ""), nested("is", r#", "aliases": ["was"]"#));
    let parse = |text: &str| schema::parse(text).unwrap();
    let renamed = aliases::renamed(parse(&old), &parse(&new));
    assert_eq!(renamed.canonical_form(), parse(&new).canonical_form());
}

#[test]
fn store_knows_the_schema_without_ids_and_the_name_with_them() {
    let with_ids = RegisteredAvro::<Order>::format();
    assert_eq!(with_ids, "avro Order with schema ids");
    let format = Avro::<Order>::format();
    let [avro, name, print] = format.split(' ').collect::<Vec<_>>()[..] else { panic!("{format}") };
    assert_eq!((avro, name, print.len()), ("avro", "Order", 16));
    assert_ne!(Avro::<Wide>::format(), format);
}

fn inner() -> impl Strategy<Value = Inner> {
    let ids = proptest::collection::vec(any::<i32>(), 1..5);
    ids.prop_map(|ids| {
        let chain = |next: Option<Inner>, id: i32| Some(Inner { next: next.map(Box::new), id });
        ids.into_iter().fold(None, chain).unwrap()
    })
}

prop_compose! {
    fn any_wide()(
        (flag, small, large, at, color) in any::<(bool, i32, i64, i64, bool)>(),
        (single, double) in (-1e9_f32..1e9, -1e9_f64..1e9),
        (text, words, maybe, nothing) in any::<(String, Vec<String>, Option<String>, Option<String>)>(),
        counts in any::<BTreeMap<String, i64>>(),
        inner in inner(),
    ) -> Wide {
        let color = if color { Color::Red } else { Color::Green };
        Wide { flag, small, large, single, double, text, color, words, counts, maybe, nothing, at, inner }
    }
}

proptest! {
    #[test]
    fn records_come_back_with_and_without_ids(wide in any_wide()) {
        let bytes = encoded(&Avro(wide.clone()));
        prop_assert_eq!(decoded(&bytes), Ok(Avro(wide.clone())));
        let registered = encoded(&RegisteredAvro(wide.clone()));
        prop_assert_eq!(&registered[5..], &bytes[..]);
        prop_assert_eq!(decoded(&registered), Ok(RegisteredAvro(wide)));
    }

    /// Resolving goes another way than reading with one schema does.
    #[test]
    fn resolving_to_the_same_schema_gives_the_same_record(wide in any_wide()) {
        let other = WIDE.replace("\"test\"", "\"other\"");
        let schemas = AvroSchemas::new(move |_| Ok(other.clone()));
        let resolving = schemas.resolving(SchemaId(1), Wide::schema()).unwrap();
        prop_assert_eq!(resolving.read::<Wide>(&encoded(&Avro(wide.clone()))), Ok(wide));
    }
}
