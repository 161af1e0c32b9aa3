//! What tasks of several inputs give does not depend on how those are cut into batches, on which of them is quicker, nor
//! on restarts.

use std::time::Duration;

use bytes::Bytes;
use mainstem_client::Offset;
use proptest::prelude::*;

use super::*;
use crate::{
    BadTimes, Context, Counters, Input, InputBatch, JoinWindows, OutputRecord, ProcessResult, Processor,
    StreamBuilder, Table, TimeWindows, TopologyBuilder,
    merge::{Merge, Room},
};

const TOPICS: [&str; 3] = ["a", "b", "c"];

/// A time, and a key; the time is also the value.
type Event = (i64, u8);

/// What the partitions of the inputs hold.
type Logs = Vec<Vec<Event>>;

/// What comes in next: which input, how many records, and whether a restart follows.
type Step = (usize, usize, bool);

fn logs() -> impl Strategy<Value = Logs> {
    let log = prop::collection::vec((0..4_i64, -9..5_i64, 0..3_u8), 0..40).prop_map(|steps| {
        let mut now = 0;
        let event = |(step, back, key): (i64, i64, u8)| {
            now += step;
            (now + back, key)
        };
        // The first record has a time, whatever the input.
        std::iter::once((0, 0)).chain(steps.into_iter().map(event)).collect()
    });
    prop::collection::vec(log, TOPICS.len())
}

fn cut() -> impl Strategy<Value = Vec<Step>> {
    let steps = prop::collection::vec((0..TOPICS.len(), 1..9_usize, prop::bool::weighted(0.2)), 1..9);
    // Each input comes in, be it late.
    steps
        .prop_map(|steps| steps.into_iter().chain((0..TOPICS.len()).map(|input| (input, 1, false))).collect())
}

/// Input by input, each at once.
fn whole() -> Vec<Step> {
    (0..TOPICS.len()).map(|input| (input, usize::MAX, false)).collect()
}

fn partition(input: usize) -> TopicPartition {
    TopicPartition::new(TOPICS[input], 0)
}

/// A task that reads all inputs, and what it has written to `out`.
struct Task {
    topology: Topology,
    plan: Plan,
    work: Work,
    merge: Merge,
    logs: Vec<Vec<Record>>,
    /// How much of each log has come in.
    read: Vec<usize>,
    /// Where a restart goes on.
    positions: Vec<usize>,
    counters: Arc<Counters>,
    out: Vec<(Option<Bytes>, Option<Bytes>, i64)>,
}

fn merge() -> Merge {
    Merge::new((0..TOPICS.len()).map(partition), Room { records: 1, bytes: 1 })
}

fn record((offset, (time, key)): (usize, &Event)) -> Record {
    Record {
        offset: Offset(offset as i64),
        timestamp: Timestamp(*time),
        key: Some(Bytes::copy_from_slice(&i64::from(*key).to_be_bytes())),
        value: Some(Bytes::copy_from_slice(&time.to_be_bytes())),
        headers: Default::default(),
    }
}

impl Task {
    fn new(topology: &Topology, logs: &Logs) -> Self {
        let plan = Plan::new(topology, TOPICS.iter().map(|topic| (Text::from(*topic), 1)).collect()).unwrap();
        let stores = Stores::new(topology.parts()[0].stores.iter().cloned());
        let counters = Arc::new(Counters::default());
        let work = Work::new(topology, &plan, 0, 0, stores, Arc::clone(&counters) as _);
        let logs = logs.iter().map(|log| log.iter().enumerate().map(record).collect()).collect();
        let (read, positions, out) = (vec![0; TOPICS.len()], vec![0; TOPICS.len()], Vec::new());
        Self { topology: topology.clone(), plan, work, merge: merge(), logs, read, positions, counters, out }
    }

    /// As the runtime does it: an input that has ended has done so before anything else is worked through.
    fn run(mut self, cut: &[Step]) -> Self {
        // What waits at a restart has to come in again, so that it must not be the last of each round.
        for (turn, (input, count, is_restart)) in cut.iter().cycle().enumerate() {
            let from = self.read[*input];
            let to = from.saturating_add(*count).min(self.logs[*input].len());
            let records = &self.logs[*input][from..to];
            let times = self.work.times(&partition(*input), records).unwrap().iter().copied();
            self.merge.put(&partition(*input), times.zip(records.iter().cloned()), Offset(to as i64));
            self.read[*input] = to;
            self.work_through();
            if self.work.time.watermark() == Timestamp(i64::MAX) {
                break;
            }
            if *is_restart && turn < 3 * cut.len() {
                self.restart();
            }
        }
        self.commit();
        self
    }

    fn is_read(&self, input: &TopicPartition) -> bool {
        let index = TOPICS.iter().position(|topic| **topic == *input.topic).unwrap();
        self.read[index] == self.logs[index].len()
    }

    fn work_through(&mut self) {
        loop {
            let empty: Vec<_> = self.merge.empty().cloned().collect();
            for input in &empty {
                if self.is_read(input) {
                    self.work.finish_input(input).unwrap();
                }
            }
            let mut run = Vec::new();
            let is_ready = empty.iter().all(|input| self.is_read(input));
            let Some(queue) = is_ready.then(|| self.merge.take(5, &mut run, self.work.now())).flatten()
            else {
                return;
            };
            self.work.work_off(&partition(queue), &mut run).unwrap();
        }
    }

    fn commit(&mut self) {
        self.work.prepare_commit().unwrap();
        let Work { time, stores, emitted, .. } = &mut self.work;
        time.save(stores.first_mut());
        stores.apply();
        let out = emitted.drain(..).filter(|emitted| emitted.topic == "out").map(|emitted| emitted.record);
        self.out.extend(out.map(|record| (record.key, record.value, record.timestamp.0)));
    }

    /// What was not worked through by then comes in again.
    fn restart(&mut self) {
        self.commit();
        let stores = std::mem::replace(&mut self.work.stores, Stores::new([Text::from("none")]));
        self.work = Work::new(&self.topology, &self.plan, 0, 0, stores, Arc::clone(&self.counters) as _);
        for (position, queue) in self.positions.iter_mut().zip(self.merge.queues()) {
            *position = queue.position().map_or(*position, |offset| offset.0 as usize);
        }
        self.read.clone_from(&self.positions);
        self.merge = merge();
    }
}

/// Passes everything on, with the watermark at which it was seen.
struct Copy;

impl Processor for Copy {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            let value = format!("{} {} {}", batch.partition, input.record.offset, input.watermark);
            let record = OutputRecord {
                key: input.record.key.clone(),
                value: Some(value.into()),
                timestamp: input.event_time,
                ..OutputRecord::default()
            };
            ctx.forward("sink", record)?;
        }
        Ok(())
    }
}

fn copied() -> Topology {
    let builder =
        TOPICS.iter().fold(TopologyBuilder::new("t"), |builder, topic| builder.source(*topic, *topic));
    builder.processor("copy", TOPICS, [], || Copy).sink("sink", "out", ["copy"]).build().unwrap()
}

/// Closed windows over all three inputs.
fn counted() -> Topology {
    let builder = StreamBuilder::new("t");
    let [a, b] = ["a", "b"].map(|topic| builder.stream::<i64, i64>(topic));
    let c = builder.stream_with("c", Input::<i64, i64>::new().disorder_max(Duration::from_millis(3)));
    let windows = TimeWindows::tumbling(Duration::from_millis(5)).grace(Duration::from_millis(2));
    a.merge(&b).merge(&c).group_by_key().windowed_by(windows).on_close().count("counts").to("out");
    builder.build().unwrap()
}

/// Closed windows over inputs of which some records tell no time.
fn untold() -> Topology {
    let builder = StreamBuilder::new("t");
    let input = |bad_times| {
        let of = |key: &i64, time: &i64, _| (*key != 2).then_some(Timestamp(*time));
        Input::<i64, i64>::new().try_event_time(of).on_bad_time(bad_times)
    };
    let a = builder.stream_with("a", input(BadTimes::PartitionTime));
    let b = builder.stream_with("b", input(BadTimes::Skip));
    let c = builder.stream_with("c", input(BadTimes::PartitionTime).disorder_max(Duration::from_millis(3)));
    let windows = TimeWindows::tumbling(Duration::from_millis(5));
    a.merge(&b).merge(&c).group_by_key().windowed_by(windows).on_close().count("counts").to("out");
    builder.build().unwrap()
}

/// Two streams that are joined, and what that gives with a table.
fn joined() -> Topology {
    let builder = StreamBuilder::new("t");
    let (a, b, c): (_, _, Table<i64, i64>) = (builder.stream("a"), builder.stream("b"), builder.table("c"));
    let windows = JoinWindows::within(Duration::from_millis(4)).grace(Duration::from_millis(2));
    let pairs = a.outer_join(&b, windows, "pairs", |_, left: Option<&i64>, right: Option<&i64>| {
        left.unwrap_or(&-1) * 1000 + right.unwrap_or(&-1)
    });
    pairs.left_join_table(&c, |_, pair, of_table| pair * 1000 + of_table.unwrap_or(&-1)).to("out");
    builder.build().unwrap()
}

/// Two streams with what a table held at the times of their records; with a grace, as they wait for it to settle.
fn as_of(grace_ms: Option<u64>) -> Topology {
    let builder = StreamBuilder::new("t");
    let streams = builder.stream::<i64, i64>("a").merge(&builder.stream("b"));
    let table = builder.versioned_table::<i64, i64>("c", Duration::from_millis(12));
    let join = |_: &i64, value: &i64, of_table: Option<&i64>| value * 1000 + of_table.unwrap_or(&-1);
    let joined = match grace_ms.map(Duration::from_millis) {
        Some(grace) => streams.left_join_as_of_with_grace(&table, grace, "settled", join),
        None => streams.left_join_as_of(&table, join),
    };
    joined.to("out");
    builder.build().unwrap()
}

#[test]
fn inputs_in_order_are_one_input_in_order() {
    let logs = vec![vec![(1, 0), (5, 0), (9, 0)], vec![(2, 0), (5, 1), (6, 0)], vec![(3, 0)]];
    let task = Task::new(&copied(), &logs).run(&whole());
    let times: Vec<_> = task.out.iter().map(|(_, _, time)| *time).collect();
    assert_eq!(times, [1, 2, 3, 5, 5, 6, 9]);
}

proptest! {
    /// Trap 8, for tasks of several inputs.
    #[test]
    fn what_several_inputs_give_does_not_hang_on_how_they_come_in((logs, cut) in (logs(), cut())) {
        for topology in [copied(), counted(), untold(), joined(), as_of(None), as_of(Some(0)), as_of(Some(3))] {
            let (expected, found) = (Task::new(&topology, &logs).run(&whole()), Task::new(&topology, &logs).run(&cut));
            prop_assert_eq!(&found.out, &expected.out);
            let late = |task: &Task| task.counters.all().values().map(|counts| counts.late).sum::<u64>();
            prop_assert_eq!(late(&found), late(&expected));
        }
    }
}
