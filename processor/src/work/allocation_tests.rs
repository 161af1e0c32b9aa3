//! How often a task asks for memory once its vectors and buffers have grown: not for each record.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use mainstem_client::Offset;

use super::*;
use crate::{
    Context, CountWindows, Counters, Input, InputBatch, ProcessResult, Processor, SessionWindows,
    StreamBuilder, TimeWindows,
    allocations::calls_here,
    serdes::{BUFFER_BYTES, Protobuf},
};

const FEW: usize = 1000;
const MANY: usize = 20_000;
const KEYS: usize = 64;
/// What a session's alarm takes in the store, the only thing that is written there before a commit.
const ALARM_BYTES_MAX: usize = 32;

/// One task with everything that a topology has in front of its first repartition topic.
struct Task {
    work: Work,
    input: TopicPartition,
    now: i64,
}

impl Task {
    fn new(builder: &StreamBuilder) -> Self {
        let topology = builder.build().unwrap();
        let plan =
            Plan::new(&topology, HashMap::from([(Text::from("in"), 1), (Text::from("table"), 1)])).unwrap();
        let stores = Stores::new(topology.parts()[0].stores.iter().cloned());
        let work = Work::new(&topology, &plan, 0, 0, stores, Arc::new(Counters::default()));
        let mut task = Self { work, input: TopicPartition::new("in", 0), now: 0 };
        // A table, if there is one, knows all keys.
        let known = task.records(KEYS);
        task.work.process(&TopicPartition::new("table", 0), known).unwrap();
        // Several times, so that all that is swapped between nodes has grown.
        for _ in 0..3 {
            task.calls(MANY);
        }
        task
    }

    /// How often memory is asked for by a batch of so many records.
    fn calls(&mut self, count: usize) -> usize {
        let records = self.records(count);
        let calls = calls_here(|| self.work.process(&self.input, records).unwrap());
        assert!(
            !self.work.emitted.is_empty() || self.work.stores.uncommitted_bytes() <= KEYS * ALARM_BYTES_MAX
        );
        self.work.emitted.clear();
        calls
    }

    /// Records whose keys and values lie in one piece of memory, as those of a batch do; ten in a millisecond.
    fn records(&mut self, count: usize) -> Vec<Record> {
        let bytes: Vec<u8> = (0..count).flat_map(|number| ((number % KEYS) as u64).to_be_bytes()).collect();
        let bytes = Bytes::from(bytes);
        let record = |number: usize| {
            self.now += i64::from(number.is_multiple_of(10));
            let field = bytes.slice(number * 8..number * 8 + 8);
            let (key, value) = (Some(field.clone()), Some(field));
            let (offset, timestamp) = (Offset(number as i64), Timestamp(self.now));
            Record { offset, timestamp, key, value, headers: Default::default() }
        };
        (0..count).map(record).collect()
    }
}

/// What more records ask for beyond what fewer do.
fn more(builder: &StreamBuilder) -> usize {
    let mut task = Task::new(builder);
    let few = task.calls(FEW);
    task.calls(MANY).saturating_sub(few)
}

/// What the buffers ask for that so many bytes of each record fill: each for its memory, and to share it.
fn buffers(bytes: usize) -> usize {
    2 * (MANY * bytes / BUFFER_BYTES + 1)
}

#[test]
fn stateless_steps_over_bytes_ask_for_no_memory() {
    let builder = StreamBuilder::new("t");
    let bytes = builder.stream::<Bytes, Bytes>("in").map(|key, value| (value, key));
    bytes.filter(|key, _| key[7] % 2 == 0).map_values(|value| value.slice(4..)).peek(|_, _| ()).to("out");
    assert_eq!(more(&builder), 0);
}

#[test]
fn flat_maps_branches_and_merges_over_bytes_ask_for_no_memory() {
    let builder = StreamBuilder::new("t");
    let twice = builder
        .stream::<Bytes, Bytes>("in")
        .flat_map(|key, value| [(key.clone(), value), (key.clone(), key)]);
    let (even, odd) = (twice.filter(|key, _| key[7] % 2 == 0), twice.filter(|key, _| key[7] % 2 == 1));
    even.merge(&odd).to("out");
    assert_eq!(more(&builder), 0);
}

#[test]
fn numbers_ask_for_memory_by_the_buffer() {
    let builder = StreamBuilder::new("t");
    builder
        .stream::<i64, i64>("in")
        .map(|key, value| (value + 1, key))
        .filter(|_, value| value % 2 == 0)
        .to("out");
    let more = more(&builder);
    assert!(more <= buffers(16), "{more}");
}

/// A message of numbers is written into the buffer as a number is.
#[test]
fn messages_of_numbers_ask_for_memory_by_the_buffer() {
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    struct Point {
        #[prost(fixed64, tag = "1")]
        x: u64,
    }
    let builder = StreamBuilder::new("t");
    let numbers = builder.stream::<Bytes, i64>("in");
    numbers.map_values(|x| Protobuf(Point { x: x.cast_unsigned() })).to("out");
    let more = more(&builder);
    assert!(more <= buffers(9), "{more}");
}

#[test]
fn repartition_topics_ask_for_no_memory_while_records_are_in_order() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Bytes, Bytes>("in").group_by(|_, value| value.clone()).count("counts").to("out");
    assert_eq!(more(&builder), 0);
}

#[test]
fn counts_of_known_keys_ask_for_no_memory() {
    let builder = StreamBuilder::new("t");
    builder.stream::<i64, Bytes>("in").group_by_key().count("counts").to("out");
    let more = more(&builder);
    assert!(more <= buffers(8), "{more}");
}

#[test]
fn windows_of_known_keys_ask_for_no_memory() {
    let builder = StreamBuilder::new("t");
    let day = TimeWindows::tumbling(Duration::from_secs(86_400));
    builder.stream::<i64, Bytes>("in").group_by_key().windowed_by(day).count("counts").to("out");
    let more = more(&builder);
    assert!(more <= buffers(8), "{more}");
}

#[test]
fn joins_of_a_stream_with_known_keys_of_a_table_ask_for_no_memory() {
    let builder = StreamBuilder::new("t");
    let table = builder.table::<Bytes, Bytes>("table");
    builder.stream::<Bytes, Bytes>("in").join_table(&table, |_, _, found| found.clone()).to("out");
    assert_eq!(more(&builder), 0);
}

#[test]
fn records_that_are_merged_by_their_own_times_ask_for_no_memory() {
    let builder = StreamBuilder::new("t");
    let input = Input::<Bytes, Bytes>::new().event_time(|_, _, recorded| recorded);
    builder.stream_with("in", input).to("out");
    let mut task = Task::new(&builder);
    let mut calls = |count| {
        let records = task.records(count);
        let calls = calls_here(|| {
            task.work.times(&task.input, &records).unwrap();
            task.work.process(&task.input, records).unwrap();
        });
        task.work.emitted.clear();
        calls
    };
    for _ in 0..3 {
        calls(MANY);
    }
    let few = calls(FEW);
    assert_eq!(calls(MANY).saturating_sub(few), 0);
}

/// Leaves everything as it is.
struct Idle;

impl Processor for Idle {
    fn process(&mut self, _: &InputBatch, _: &mut Context<'_>) -> ProcessResult {
        Ok(())
    }
}

#[test]
fn processors_that_take_turns_ask_for_no_memory() {
    let builder = StreamBuilder::new("t");
    builder.store("shared");
    let bytes = builder.stream::<Bytes, Bytes>("in");
    for name in ["one", "another"] {
        bytes.process(name, ["shared"], || Idle);
    }
    assert_eq!(more(&builder), 0);
}

#[test]
fn joins_with_numbers_of_a_table_ask_for_memory_by_the_buffer() {
    let builder = StreamBuilder::new("t");
    let table = builder.table::<i64, i64>("table");
    builder.stream::<i64, i64>("in").join_table(&table, |_, value, found| value + found).to("out");
    let more = more(&builder);
    assert!(more <= buffers(16), "{more}");
}

#[test]
fn sessions_of_known_keys_ask_for_no_memory() {
    let builder = StreamBuilder::new("t");
    let day = SessionWindows::gap(Duration::from_secs(86_400));
    builder.stream::<i64, Bytes>("in").group_by_key().windowed_by(day).count("counts").to("out");
    let more = more(&builder);
    assert!(more <= buffers(8), "{more}");
}

#[test]
fn windows_by_count_ask_for_memory_when_they_are_full() {
    const SIZE: usize = 1000;
    let builder = StreamBuilder::new("t");
    let windows = CountWindows::tumbling(SIZE as u32);
    let windowed = builder.stream::<i64, Bytes>("in").group_by_key().windowed_by(windows);
    windowed.aggregate("counts", || 0_i64, |_, _, count| count + 1).to("out");
    let more = more(&builder);
    assert!(more <= buffers(8) + 8 * (MANY / SIZE + 1), "{more}");
}

/// What has memory of its own asks for it with each record; this also shows that the count counts.
#[test]
fn strings_ask_for_memory_with_each_record() {
    let builder = StreamBuilder::new("t");
    builder
        .stream::<Bytes, Bytes>("in")
        .map_values(|value| String::from_utf8_lossy(&value).into_owned())
        .to("out");
    assert!(more(&builder) >= MANY - FEW);
}
