//! Messages as others write them, and bytes that are anything.

use proptest::prelude::*;

use super::*;
use crate::{BadRecords, Input, StreamBuilder, TestDriver, serdes::SchemaId};

#[derive(Clone, PartialEq, Message)]
struct Order {
    #[prost(string, tag = "1")]
    customer: String,
    #[prost(sint64, tag = "2")]
    cents: i64,
    #[prost(int32, repeated, tag = "3")]
    sizes: Vec<i32>,
    #[prost(bytes = "bytes", tag = "4")]
    raw: Bytes,
    #[prost(double, tag = "5")]
    ratio: f64,
    #[prost(message, repeated, tag = "6")]
    lines: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(string, tag = "1")]
    article: String,
    #[prost(uint32, tag = "2")]
    count: u32,
}

/// The second message within the second message of a file.
#[derive(Clone, Copy, PartialEq, Message)]
struct Inner {
    #[prost(int32, tag = "1")]
    x: i32,
}

impl ProtobufRegistered for Order {
    fn id() -> Result<SchemaId, SerdeError> {
        Ok(SchemaId(1))
    }
}

impl ProtobufRegistered for Inner {
    const INDEXES: MessageIndexes = MessageIndexes::new(&[1, 1]);

    fn id() -> Result<SchemaId, SerdeError> {
        Ok(SchemaId(1))
    }

    fn accept(id: SchemaId) -> Result<(), SerdeError> {
        let unknown = || SerdeError::UnknownSchema { id, cause: "only 1 is".to_owned() };
        if id == SchemaId(1) { Ok(()) } else { Err(unknown()) }
    }
}

fn order() -> Order {
    Order {
        customer: "anna".to_owned(),
        cents: -250,
        sizes: vec![1, 300],
        raw: Bytes::from_static(b"\x00\xff"),
        ratio: 0.5,
        lines: vec![Line { article: "tea".to_owned(), count: 2 }],
    }
}

/// What protobuf 7.36.2 (Python) makes of [`order`].
const ORDER_BYTES: &[u8] =
    b"\x0a\x04anna\x10\xf3\x03\x1a\x03\x01\xac\x02\x22\x02\x00\xff\x29\x00\x00\x00\x00\x00\x00\
    \xe0\x3f\x32\x07\x0a\x03tea\x10\x02";

/// What `ProtobufSerializer` of confluent-kafka 2.16.0 (Python) puts in front of the first message of a file.
const FIRST: &[u8] = b"\0\0\0\0\x01\0";

/// What it makes of `Inner { x: 7 }`.
const INNER_BYTES: &[u8] = b"\0\0\0\0\x01\x04\x02\x02\x08\x07";

fn decoded<T: Serde>(bytes: &[u8]) -> Result<T, SerdeError> {
    T::decode(Some(&Bytes::copy_from_slice(bytes)))
}

fn encoded<T: Serde>(value: &T) -> Bytes {
    value.encode(&mut BytesMut::new()).unwrap().unwrap()
}

#[test]
fn messages_are_those_of_python() {
    assert_eq!(encoded(&Protobuf(order())), ORDER_BYTES);
    assert_eq!(decoded(ORDER_BYTES), Ok(Protobuf(order())));
}

#[test]
fn id_and_place_stand_in_front_as_confluents_serializer_puts_them() {
    let bytes = [FIRST, ORDER_BYTES].concat();
    assert_eq!(encoded(&RegisteredProtobuf(order())), bytes);
    assert_eq!(decoded(&bytes), Ok(RegisteredProtobuf(order())));
    assert_eq!(encoded(&RegisteredProtobuf(Inner { x: 7 })), INNER_BYTES);
    assert_eq!(decoded(INNER_BYTES), Ok(RegisteredProtobuf(Inner { x: 7 })));
}

#[test]
fn first_message_may_be_led_to_by_its_number_too() {
    let bytes = [b"\0\0\0\0\x01\x02\0", ORDER_BYTES].concat();
    assert_eq!(decoded(&bytes), Ok(RegisteredProtobuf(order())));
}

#[test]
fn message_from_another_place_or_schema_is_refused() {
    let error = decoded::<RegisteredProtobuf<Order>>(INNER_BYTES).unwrap_err().to_string();
    let expected =
        "not the Protocol Buffers that are expected: it is message 1.1 of its schema, and 0 is expected";
    assert_eq!(error, expected);
    let error = decoded::<RegisteredProtobuf<Inner>>(b"\0\0\0\0\x02\x04\x02\x02").unwrap_err().to_string();
    assert_eq!(error, "the schema with the id 2 is not to be had: only 1 is");
}

#[test]
#[should_panic(expected = "at least one number leads to a message")]
fn place_that_nothing_leads_to_cannot_be_made() {
    let none: &'static [i32] = &[];
    let _ = MessageIndexes::new(none);
}

#[test]
fn store_of_one_message_is_not_read_as_another() {
    assert_eq!(Protobuf::<Order>::format(), "protobuf Order");
    assert_eq!(RegisteredProtobuf::<Inner>::format(), "protobuf Inner with schema ids");
    assert_eq!(name_of::<Vec<Option<Line>>>().find("Vec<"), Some(0));
}

#[test]
fn places_that_are_none_are_refused() {
    let places: [(&[u8], &str); 4] = [
        (b"", "ends too early"),
        (b"\x04\x02", "ends too early"),
        (b"\xfe\xff\xff\xff\x0f", "is not led to by 1 to 64 numbers"),
        (b"\xff\xff\xff\xff\xff\x01", "has a number of more than 32 bits"),
    ];
    for (place, expected) in places {
        let bytes = [b"\0\0\0\0\x01", place].concat();
        let error = decoded::<RegisteredProtobuf<Order>>(&bytes).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn message_that_is_cut_off_is_refused() {
    let complete = |length: usize| decoded::<Protobuf<Order>>(&ORDER_BYTES[..length]).is_ok();
    // Where a field ends, what is in front of it is a message.
    let whole: Vec<usize> = (0..=ORDER_BYTES.len()).filter(|length| complete(*length)).collect();
    assert_eq!(whole, [0, 6, 9, 14, 18, 27, 36]);
}

#[test]
fn fields_of_bytes_do_not_hold_on_to_the_record() {
    let record = Bytes::from_static(ORDER_BYTES);
    let order = Protobuf::<Order>::decode(Some(&record)).unwrap();
    assert!(!record.as_ptr_range().contains(&order.raw.as_ptr()));
}

fn first_and_rest(bad_records: BadRecords) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let input = Input::new().on_bad_record(bad_records);
    let orders = builder.stream_with::<(), RegisteredProtobuf<Order>>("orders", input);
    orders.map_values(|order| order.cents).to("cents");
    TestDriver::new(&builder.build().unwrap()).unwrap()
}

/// One that has no id, and one that has.
fn pipe(driver: &mut TestDriver) -> Result<(), crate::TestError> {
    driver.pipe("orders", (), Protobuf(order()), 0)?;
    driver.pipe("orders", (), RegisteredProtobuf(order()), 1)
}

const CAUSE: &str = "value does not parse: no id of a schema is in front: a zero byte and four bytes should be, and it \
    begins with 0a 04 61 6e 6e";

#[test]
fn message_that_does_not_parse_goes_by_the_policy() {
    let error = pipe(&mut first_and_rest(BadRecords::Fail)).unwrap_err().to_string();
    assert!(
        error.starts_with("node orders: value in topic orders partition 0 at offset 0 does not parse"),
        "{error}"
    );
    let mut skipping = first_and_rest(BadRecords::Skip);
    pipe(&mut skipping).unwrap();
    assert_eq!(skipping.read::<(), i64>("cents").unwrap()[0].value, -250);
    assert_eq!(skipping.counts("orders").errors, 1);
    let mut aside = first_and_rest(BadRecords::DeadLetter("dead".into()));
    pipe(&mut aside).unwrap();
    assert_eq!(aside.read::<(), i64>("cents").unwrap().len(), 1);
    let dead = aside.read::<(), Bytes>("dead").unwrap();
    assert_eq!((dead.len(), &dead[0].value[..]), (1, ORDER_BYTES));
    assert_eq!(dead[0].header("__streams.errors.message"), Some(CAUSE.into()));
}

#[test]
fn messages_are_kept_in_stores_and_moved_between_tasks() {
    let builder = StreamBuilder::new("t");
    let orders = builder.stream::<(), Protobuf<Order>>("orders");
    let last = orders.select_key(|(), order| order.customer.clone()).to_table("last");
    last.map_values(|order| RegisteredProtobuf(order.0)).to("out");
    let mut driver = TestDriver::new(&builder.build().unwrap()).unwrap();
    driver.pipe("orders", (), Protobuf(order()), 0).unwrap();
    let out = driver.read_table::<String, RegisteredProtobuf<Order>>("out").unwrap();
    assert_eq!(out["anna"], RegisteredProtobuf(order()));
}

prop_compose! {
    fn any_order()(
        (customer, cents, sizes, raw) in any::<(String, i64, Vec<i32>, Vec<u8>)>(),
        ratio in -1e9_f64..1e9,
        lines in any::<Vec<(String, u32)>>(),
    ) -> Order {
        let lines = lines.into_iter().map(|(article, count)| Line { article, count }).collect();
        Order { customer, cents, sizes, raw: raw.into(), ratio, lines }
    }
}

proptest! {
    #[test]
    fn messages_come_back_with_and_without_ids(order in any_order()) {
        prop_assert_eq!(decoded(&encoded(&Protobuf(order.clone()))), Ok(Protobuf(order.clone())));
        let bytes = encoded(&RegisteredProtobuf(order.clone()));
        prop_assert_eq!(decoded(&bytes), Ok(RegisteredProtobuf(order)));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes: Vec<u8>) {
        let _ = decoded::<Protobuf<Order>>(&bytes);
        let _ = decoded::<RegisteredProtobuf<Order>>(&[b"\0\0\0\0\x01", &bytes[..]].concat());
        let _ = decoded::<RegisteredProtobuf<Inner>>(&bytes);
    }
}
