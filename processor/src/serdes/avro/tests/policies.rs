//! What becomes of records that do not parse, and of programs whose schema is none.

use super::*;
use crate::{BadRecords, Input, StreamBuilder, TestDriver};

fn ids(bad_records: BadRecords) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let input = Input::new().on_bad_record(bad_records);
    let orders = builder.stream_with::<(), RegisteredAvro<Order>>("orders", input);
    orders.map_values(|order| order.id).to("ids");
    TestDriver::new(&builder.build().unwrap()).unwrap()
}

/// One that is no order, and one that is.
fn pipe(driver: &mut TestDriver) -> Result<(), crate::TestError> {
    driver.pipe("orders", (), Bytes::from_static(b"\0\0\0\0\x09\x0e"), 0)?;
    driver.pipe("orders", (), RegisteredAvro(order()), 1)
}

const CAUSE: &str =
    "value does not parse: the schema with the id 9 is not to be had: nobody has registered it";

#[test]
fn task_fails_and_says_where_and_why() {
    let error = pipe(&mut ids(BadRecords::Fail)).unwrap_err().to_string();
    assert_eq!(
        error,
        "node orders: value in topic orders partition 0 at offset 0 does not parse: \
         the schema with the id 9 is not to be had: nobody has registered it"
    );
}

#[test]
fn skipped_record_is_counted_and_those_behind_it_go_on() {
    let mut driver = ids(BadRecords::Skip);
    pipe(&mut driver).unwrap();
    assert_eq!(driver.read::<(), i64>("ids").unwrap()[0].value, 7);
    assert_eq!(driver.counts("orders").errors, 1);
}

#[test]
fn dead_letter_is_the_record_as_it_came_with_the_cause() {
    let mut driver = ids(BadRecords::DeadLetter("dead".into()));
    pipe(&mut driver).unwrap();
    assert_eq!(driver.read::<(), i64>("ids").unwrap()[0].value, 7);
    let dead = driver.read::<(), Bytes>("dead").unwrap();
    assert_eq!((dead.len(), &dead[0].value[..]), (1, &b"\0\0\0\0\x09\x0e"[..]));
    assert_eq!(dead[0].header("__streams.errors.message"), Some(CAUSE.into()));
}

#[derive(Clone, Deserialize, Serialize)]
struct Wrong;

impl AvroType for Wrong {
    fn schema() -> &'static AvroSchema {
        static SCHEMA: AvroSchema = AvroSchema::new(r#"{"type": "recrd"}"#);
        &SCHEMA
    }
}

#[test]
fn program_with_a_schema_that_is_none_is_refused_with_the_node() {
    let builder = StreamBuilder::new("t");
    builder.stream::<(), Option<Avro<Wrong>>>("in").to("out");
    let error = builder.build().unwrap_err().to_string();
    let expected =
        "node in cannot read or write its values: not the Avro that is expected: the schema is none: ";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn records_are_kept_in_stores_and_moved_between_tasks() {
    let builder = StreamBuilder::new("t");
    let orders = builder.stream::<(), RegisteredAvro<Order>>("orders");
    let last = orders.select_key(|(), order| order.customer.clone()).to_table("last");
    last.map_values(|order| Avro(order.0)).to("out");
    let mut driver = TestDriver::new(&builder.build().unwrap()).unwrap();
    driver.pipe("orders", (), RegisteredAvro(order()), 0).unwrap();
    assert_eq!(driver.read_table::<String, Avro<Order>>("out").unwrap()["anna"], Avro(order()));
    let kept = driver.store::<String, RegisteredAvro<Order>>("last").unwrap();
    assert_eq!(kept, [("anna".to_owned(), RegisteredAvro(order()))]);
}
