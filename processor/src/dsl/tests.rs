//! What each step makes of records, by programs that are run within the test.

mod bad_records;
mod cogrouped;
mod counted;
mod formats;
mod joins;
mod keepers;
mod outputs;
mod process;
mod random;
mod records;
mod sessions;
mod sliding;
mod steps;
mod stores;
mod suppress;
mod tables;
mod time;
mod traps;
mod windows;

use std::{collections::BTreeMap, fmt, time::Duration};

use bytes::Bytes;
use mainstem_client::{Headers, Text};

use super::*;
use crate::{
    BadRecords, CumulatingWindows, Json, NodeError, Serde, TestDriver, TestError, TestRecord, TimeWindows,
    Topology, TopologyError, Windowed,
};

type Raw = Option<Bytes>;

fn driver(builder: &StreamBuilder) -> TestDriver {
    TestDriver::new(&builder.build().unwrap()).unwrap()
}

/// A program over the records of `in`, keys and values as text, that writes to `out`.
fn over_text<K: Serde, V: Serde>(program: impl FnOnce(Stream<Text, Text>) -> Stream<K, V>) -> TestDriver {
    let builder = StreamBuilder::new("t");
    program(builder.stream("in")).to("out");
    driver(&builder)
}

/// Pipes records, the n-th at n milliseconds.
fn pipe(driver: &mut TestDriver, records: &[(&str, &str)]) {
    for (time, (key, value)) in (0..).zip(records) {
        driver.pipe("in", *key, *value, time).unwrap();
    }
}

/// Keys and values that were written to a topic.
fn read<K: Serde, V: Serde>(driver: &mut TestDriver, topic: &str) -> Vec<(K, V)> {
    driver.read(topic).unwrap().into_iter().map(|record| (record.key, record.value)).collect()
}

fn texts(driver: &mut TestDriver, topic: &str) -> Vec<(String, String)> {
    read(driver, topic)
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
