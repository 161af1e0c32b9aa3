//! What comes out behind a repartition topic, whatever the batches and commits by which it got there.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bytes::Bytes;
use mainstem_client::{Offset, PartitionId, producer::partition_of_key};
use proptest::prelude::*;

use super::*;
use crate::{
    Counters, NodeCounts, OutputRecord, Serde, StreamBuilder, TimeWindows, Windowed, watermark::BEGINNING,
};

const WINDOW_MS: u64 = 10;
const GRACE_MS: u64 = 4;

/// A time, and the key to group by.
type Event = (i64, u8);

/// How the input is cut: the records of each batch, and whether a commit follows; both begin anew at their ends.
#[derive(Clone, Debug)]
struct Cut {
    batches: Vec<usize>,
    commits: Vec<bool>,
}

fn cut() -> impl Strategy<Value = Cut> {
    let (batches, commits) =
        (prop::collection::vec(1..9_usize, 1..5), prop::collection::vec(any::<bool>(), 1..5));
    (batches, commits).prop_map(|(batches, commits)| Cut { batches, commits })
}

/// Everything at once, and one commit behind it.
fn whole() -> Cut {
    Cut { batches: vec![usize::MAX], commits: vec![true] }
}

/// What is left when all is over.
#[derive(Debug, PartialEq)]
struct Outcome {
    late: u64,
    /// What each task holds.
    stores: Vec<Vec<(Bytes, Bytes)>>,
    /// What each task wrote to `out`, in order.
    out: Vec<Vec<(Windowed<i64>, i64)>>,
}

impl Outcome {
    /// The last result of each window and key.
    fn folded(self) -> (u64, BTreeMap<(i64, i64), i64>) {
        let entry = |(key, value): (Windowed<i64>, i64)| ((key.window.start.0, key.key), value);
        (self.late, self.out.into_iter().flatten().map(entry).collect())
    }
}

/// The tasks of a topology, and what they have written.
struct Pipeline {
    tasks: Vec<(Work, Vec<(TopicPartition, usize)>)>,
    topics: HashMap<TopicPartition, Vec<Record>>,
    out: Vec<Vec<(Windowed<i64>, i64)>>,
    counters: Arc<Counters>,
}

impl Pipeline {
    /// One task that reads `in`, and as many behind each repartition topic as that is to have partitions.
    fn new(topology: &Topology, partitions: i32) -> Self {
        let mut plan = Plan::new(topology, HashMap::from([(Text::from("in"), 1)])).unwrap();
        for topic in plan.writers.clone().into_keys() {
            plan.partitions.insert(topic, partitions);
        }
        plan.tasks[1..].fill(partitions);
        let writers = plan.tasks.iter().zip(topology.parts());
        let writers = writers.flat_map(|(tasks, part)| {
            plan::repartition_sinks(topology, part).into_iter().map(|topic| (topic, *tasks))
        });
        plan.writers = writers.collect();
        let counters = Arc::new(Counters::default());
        let mut tasks = Vec::new();
        for (part, count) in plan.tasks.iter().enumerate() {
            for task in 0..*count {
                let stores = Stores::new(topology.parts()[part].stores.iter().cloned());
                let work = Work::new(topology, &plan, part, task, stores, Arc::clone(&counters) as _);
                let inputs =
                    inputs(topology, &plan, part, task).into_iter().map(|input| (input, 0)).collect();
                tasks.push((work, inputs));
            }
        }
        let out = tasks.iter().map(|_| Vec::new()).collect();
        Self { tasks, topics: HashMap::new(), out, counters }
    }

    fn put(&mut self, events: &[Event]) {
        for (time, key) in events {
            let key = Bytes::copy_from_slice(&[*key]);
            let record = OutputRecord { value: Some(key), timestamp: Timestamp(*time), ..Default::default() };
            self.write(0, Emitted { topic: "in".into(), partition: Some(PartitionId(0)), record });
        }
    }

    fn write(&mut self, task: usize, emitted: Emitted) {
        let Emitted { topic, partition, record: OutputRecord { key, value, timestamp, headers } } = emitted;
        if topic == "out" {
            let result = (Windowed::decode(key.as_ref()).unwrap(), i64::decode(value.as_ref()).unwrap());
            self.out[task].push(result);
            return;
        }
        let partition = partition.unwrap_or_else(|| partition_of_key(key.as_ref().unwrap(), 1));
        let records = self.topics.entry(TopicPartition::new(topic, partition.0)).or_default();
        let offset = Offset(records.len() as i64);
        records.push(Record { offset, timestamp, key, value, headers });
    }

    /// Round after round through all tasks, until none has anything to read.
    fn run(&mut self, cut: &Cut) {
        let (mut batches, mut commits) = (cut.batches.iter().cycle(), cut.commits.iter().cycle());
        let mut is_quiet = false;
        while !is_quiet {
            is_quiet = true;
            for task in 0..self.tasks.len() {
                let (work, inputs) = &mut self.tasks[task];
                for (input, offset) in inputs {
                    let records = self.topics.get(input).map_or(&[][..], |records| &records[*offset..]);
                    let records = &records[..records.len().min(*batches.next().unwrap())];
                    *offset += records.len();
                    is_quiet &= records.is_empty();
                    work.process(input, records.to_vec()).unwrap();
                }
                if *commits.next().unwrap() {
                    self.commit(task);
                }
                self.collect(task);
            }
        }
    }

    fn commit(&mut self, task: usize) {
        let (work, _) = &mut self.tasks[task];
        work.prepare_commit().unwrap();
        work.stores.apply();
    }

    fn collect(&mut self, task: usize) {
        for emitted in std::mem::take(&mut self.tasks[task].0.emitted) {
            self.write(task, emitted);
        }
    }

    /// Commits everywhere, and lets what that leads to come about.
    fn settle(&mut self) {
        for _ in 0..self.tasks.len() {
            (0..self.tasks.len()).for_each(|task| self.commit(task));
            (0..self.tasks.len()).for_each(|task| self.collect(task));
            self.run(&whole());
        }
    }

    fn finish(&mut self) {
        self.tasks[0].0.finish_input(&TopicPartition::new("in", 0)).unwrap();
        self.collect(0);
        self.settle();
    }

    fn outcome(self) -> Outcome {
        let all =
            |(work, _): &(Work, _)| work.stores.iter().flat_map(|(_, store)| store.range_from(b"")).collect();
        let late = self.counters.all().values().map(|counts: &NodeCounts| counts.late).sum();
        Outcome { late, stores: self.tasks.iter().map(all).collect(), out: self.out }
    }
}

fn windows(size: u64, grace: u64) -> TimeWindows {
    TimeWindows::tumbling(Duration::from_millis(size)).grace(Duration::from_millis(grace))
}

/// Counts by key and window, behind a repartition topic.
fn counted(is_on_close: bool) -> Topology {
    let builder = StreamBuilder::new("t");
    let grouped =
        builder.stream::<(), Bytes>("in").map(|(), value| (i64::from(value[0]), value)).group_by_key();
    let windowed = grouped.windowed_by(windows(WINDOW_MS, GRACE_MS));
    let windowed = if is_on_close { windowed.on_close() } else { windowed };
    windowed.count("counts").to("out");
    builder.build().unwrap()
}

/// Counts by key and window, and adds the counts up in larger windows: through two repartition topics.
fn added_up(is_on_close: bool) -> Topology {
    let builder = StreamBuilder::new("t");
    let keyed = builder.stream::<(), Bytes>("in").map(|(), value| (i64::from(value[0]), value));
    let windowed = keyed.group_by_key().windowed_by(windows(WINDOW_MS, GRACE_MS));
    let windowed = if is_on_close { windowed.on_close() } else { windowed };
    let counts = windowed.count("counts").updates().select_key(|_, _| 0_i64).group_by_key();
    counts
        .windowed_by(windows(2 * WINDOW_MS, 1))
        .on_close()
        .reduce("sums", |sum, count| sum + count)
        .to("out");
    builder.build().unwrap()
}

fn outcome(topology: &Topology, partitions: i32, events: &[Event], cut: &Cut, is_finished: bool) -> Outcome {
    let mut pipeline = Pipeline::new(topology, partitions);
    pipeline.put(events);
    pipeline.run(cut);
    pipeline.settle();
    if is_finished {
        pipeline.finish();
    }
    pipeline.outcome()
}

/// Which records come when their window is closed, by the watermark of the one partition in front: by hand.
fn late(events: &[Event]) -> u64 {
    let (size, mut watermark) = (WINDOW_MS as i64, BEGINNING.0);
    let is_late = |(time, _): &&Event| {
        let close = (time.div_euclid(size) + 1) * size + GRACE_MS as i64;
        let is_late = close <= watermark;
        watermark = watermark.max(*time);
        is_late
    };
    events.iter().filter(is_late).count() as u64
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((0..80_i64, 0..4_u8), 0..60)
}

#[test]
fn newest_first_makes_all_others_late_within_one_commit() {
    let mut events: Vec<Event> = (0..100).map(|number| (number * 100, (number % 4) as u8)).collect();
    events.insert(0, (1_000_000, 0));
    for partitions in 1..=3 {
        let outcome = outcome(&counted(true), partitions, &events, &whole(), true);
        assert_eq!(outcome.late, 100);
        let out: Vec<_> = outcome.out.concat();
        assert_eq!(out.len(), 1, "{out:?}");
        assert_eq!((out[0].0.window.start, out[0].1), (Timestamp(1_000_000), 1));
    }
}

#[test]
fn input_in_order_is_not_marked_before_a_commit_and_late_input_once_a_partition() {
    let mut pipeline = Pipeline::new(&counted(true), 1);
    let (topic, input) = (TopicPartition::new("t-counts-repartition", 0), TopicPartition::new("in", 0));
    let written = |pipeline: &mut Pipeline, events: &[Event]| {
        let before = pipeline.topics.get(&topic).map_or(0, Vec::len);
        let first = pipeline.topics.get(&input).map_or(0, Vec::len);
        pipeline.put(events);
        let records = pipeline.topics[&input][first..].to_vec();
        pipeline.tasks[0].0.process(&input, records).unwrap();
        pipeline.collect(0);
        pipeline.topics[&topic].len() - before
    };
    assert_eq!(written(&mut pipeline, &[(1, 0), (5, 1), (5, 0), (90, 2)]), 4);
    assert_eq!(written(&mut pipeline, &[(3, 0), (89, 1), (2, 0)]), 4);
}

/// A task that is idle is not waited for; when it writes again, it is, before a commit says so.
#[test]
fn idle_task_is_waited_for_from_its_next_record_on() {
    let (topology, input) = (counted(true), TopicPartition::new("in", 0));
    let mut pipeline = Pipeline::new(&topology, 1);
    let mark = |pipeline: &Pipeline, from_end: usize| {
        let records = &pipeline.topics[&TopicPartition::new("t-counts-repartition", 0)];
        crate::graph::mark::Mark::of(&records[records.len() - from_end])
    };
    let work = |pipeline: &mut Pipeline, time| {
        pipeline.put(&[(time, 0)]);
        let last = pipeline.topics[&input].last().cloned().unwrap();
        pipeline.tasks[0].0.process(&input, vec![last]).unwrap();
        pipeline.collect(0);
    };
    work(&mut pipeline, 7);
    pipeline.tasks[0].0.idle_input(&input).unwrap();
    pipeline.commit(0);
    pipeline.collect(0);
    let idle = mark(&pipeline, 1).unwrap();
    assert_eq!((idle.is_idle, idle.watermark), (true, Timestamp(7)));
    work(&mut pipeline, 9);
    assert_eq!(mark(&pipeline, 1), None);
    assert_eq!(mark(&pipeline, 2).map(|mark| (mark.is_idle, mark.watermark)), Some((false, Timestamp(7))));
}

proptest! {
    #[test]
    fn what_is_late_behind_a_repartition_topic_is_what_is_late_in_front_of_it(
        (events, cut, partitions) in (events(), cut(), 1..=3),
    ) {
        prop_assert_eq!(outcome(&counted(true), partitions, &events, &cut, true).late, late(&events));
    }

    #[test]
    fn closed_windows_do_not_depend_on_batches_and_commits(
        (events, cut, partitions, is_finished) in (events(), cut(), 1..=3, any::<bool>()),
    ) {
        let topology = counted(true);
        let expected = outcome(&topology, partitions, &events, &whole(), is_finished);
        prop_assert_eq!(outcome(&topology, partitions, &events, &cut, is_finished), expected);
    }

    #[test]
    fn last_changes_do_not_depend_on_batches_and_commits(
        (events, cut, partitions) in (events(), cut(), 1..=3),
    ) {
        let topology = counted(false);
        let expected = outcome(&topology, partitions, &events, &whole(), false);
        let found = outcome(&topology, partitions, &events, &cut, false);
        prop_assert_eq!(&found.stores, &expected.stores);
        prop_assert_eq!(found.folded(), expected.folded());
    }

    #[test]
    fn windows_over_windows_do_not_depend_on_batches_and_commits(
        (events, cut, is_on_close) in (events(), cut(), any::<bool>()),
    ) {
        let topology = added_up(is_on_close);
        let expected = outcome(&topology, 1, &events, &whole(), true);
        prop_assert_eq!(outcome(&topology, 1, &events, &cut, true), expected);
    }

    /// With two tasks in front it is their records' order that differs from run to run; closed windows wait for both.
    #[test]
    fn closed_windows_are_never_late_for_larger_ones(
        (events, cut, partitions) in (events(), cut(), 1..=3),
    ) {
        let outcome = outcome(&added_up(true), partitions, &events, &cut, true);
        let sum: i64 = outcome.out.iter().flatten().map(|(_, sum)| sum).sum();
        prop_assert_eq!((outcome.late, sum as u64), (late(&events), events.len() as u64 - late(&events)));
    }
}

#[test]
fn what_cannot_be_read_ends_the_task_before_anything_comes_of_it() {
    let builder = StreamBuilder::new("p");
    builder.stream::<i64, i64>("in").group_by_key().count("counts").to("out");
    let topology = builder.build().unwrap();
    let plan = Plan::new(&topology, HashMap::from([(Text::from("in"), 1)])).unwrap();
    let stores = Stores::new(topology.parts()[0].stores.clone());
    let mut work = Work::new(&topology, &plan, 0, 0, stores, Arc::new(Counters::default()));
    let fault = crate::StoreFault { store: "counts".into(), verb: "read", cause: "a broken disk".to_owned() };
    work.stores.first().fail(fault);
    let (offset, timestamp) = (Offset::ZERO, Timestamp(0));
    let key = Some(Bytes::copy_from_slice(&1_i64.to_be_bytes()));
    let record = Record { offset, timestamp, key: key.clone(), value: key, headers: Default::default() };
    let error = work.process(&TopicPartition::new("in", 0), vec![record]).unwrap_err();
    assert!(error.to_string().ends_with("store counts cannot be read on disk: a broken disk"), "{error}");
    assert!(matches!(error.error, NodeError::Store(_)));
}

#[test]
fn timers_of_a_node_that_is_gone_are_taken_out_when_they_would_have_gone_off() {
    let builder = StreamBuilder::new("t");
    builder.stream::<(), ()>("in").to("out");
    let topology = builder.build().unwrap();
    let plan = Plan::new(&topology, HashMap::from([(Text::from("in"), 1)])).unwrap();
    let mut stores = Stores::new(topology.parts()[0].stores.iter().cloned());
    for at in [5, 50] {
        stores.first_mut().put_timer(Timestamp(at), "gone", b"key");
    }
    let mut work = Work::new(&topology, &plan, 0, 0, stores, Arc::new(Counters::default()));
    let (offset, timestamp, headers) = (Offset(0), Timestamp(10), Default::default());
    let record = Record { offset, timestamp, key: None, value: None, headers };
    work.process(&TopicPartition::new("in", 0), vec![record]).unwrap();
    assert_eq!(work.stores.first().timers(BEGINNING).map(|timer| timer.at.0).collect::<Vec<_>>(), [50]);
}
