//! What windows give does not depend on how input is cut into batches and commits, nor on restarts between them.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bytes::Bytes;
use mainstem_client::Offset;
use proptest::prelude::*;

use super::*;
use crate::{
    CountWindows, Counters, CumulatingWindows, Serde, SessionWindows, SlidingWindows, StreamBuilder,
    SuppressBuffer, Suppressed, Table, TimeWindows, Windowed, WindowedStream, Windows, state::Checkpoint,
};

/// A time, and a key.
type Event = (i64, u8);

/// What follows a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Commit,
    /// A commit, and another task that goes on with the stores of this one.
    Restart,
}

/// How the input is cut; both begin anew at their ends.
#[derive(Clone, Debug)]
struct Cut {
    batches: Vec<usize>,
    thens: Vec<Then>,
}

fn cut() -> impl Strategy<Value = Cut> {
    let then = prop_oneof![Just(Then::Nothing), Just(Then::Commit), Just(Then::Restart)];
    let (batches, thens) = (prop::collection::vec(1..9_usize, 1..5), prop::collection::vec(then, 1..5));
    (batches, thens).prop_map(|(batches, thens)| Cut { batches, thens })
}

/// Everything at once, and one commit behind it.
fn whole() -> Cut {
    Cut { batches: vec![usize::MAX], thens: vec![Then::Commit] }
}

/// Times that come in clusters, in some disorder.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let steps = prop::collection::vec((0..4_i64, -25..5_i64, 0..3_u8), 0..80);
    steps.prop_map(|steps| {
        let mut now = -30;
        let event = |(step, back, key): (i64, i64, u8)| {
            now += step * step;
            (now + back, key)
        };
        steps.into_iter().map(event).collect()
    })
}

/// What was written to a topic: key, value, and time.
type Written = (Bytes, Option<Bytes>, i64);

/// What is left when all is over.
#[derive(Debug, PartialEq)]
struct Outcome {
    late: u64,
    late_records: Vec<Written>,
    stores: Vec<(Bytes, Bytes)>,
    out: Vec<Written>,
}

impl Outcome {
    /// The last value of each key that is not gone.
    fn table(&self) -> BTreeMap<Bytes, Bytes> {
        let mut table = BTreeMap::new();
        for (key, value, _) in &self.out {
            match value {
                Some(value) => drop(table.insert(key.clone(), value.clone())),
                None => drop(table.remove(key)),
            }
        }
        table
    }
}

/// One task, which reads `in`.
struct Task {
    topology: Topology,
    plan: Plan,
    work: Work,
    counters: Arc<Counters>,
    emitted: Vec<Emitted>,
}

fn input() -> TopicPartition {
    TopicPartition::new("in", 0)
}

impl Task {
    fn new(topology: &Topology) -> Self {
        let plan = Plan::new(topology, HashMap::from([(Text::from("in"), 1)])).unwrap();
        let stores = Stores::new(topology.parts()[0].stores.iter().cloned());
        let counters = Arc::new(Counters::default());
        let work = Work::new(topology, &plan, 0, 0, stores, Arc::clone(&counters) as _);
        Self { topology: topology.clone(), plan, work, counters, emitted: Vec::new() }
    }

    fn take(&mut self, events: &[Event]) {
        let record = |(time, key): &Event| Record {
            offset: Offset(0),
            timestamp: Timestamp(*time),
            key: Some(Bytes::copy_from_slice(&[*key])),
            value: Some(Bytes::copy_from_slice(&time.to_be_bytes())),
            headers: Default::default(),
        };
        self.work.process(&input(), events.iter().map(record).collect()).unwrap();
    }

    fn commit(&mut self) {
        self.work.prepare_commit().unwrap();
        let Work { time, stores, emitted, .. } = &mut self.work;
        time.save(stores.first_mut());
        stores.apply();
        self.emitted.append(emitted);
    }

    /// Another task goes on where this one's last commit was.
    fn restart(&mut self) {
        self.commit();
        let stores = std::mem::replace(&mut self.work.stores, Stores::new([Text::from("none")]));
        self.work = Work::new(&self.topology, &self.plan, 0, 0, stores, Arc::clone(&self.counters) as _);
    }

    /// What a commit has its changelog take now.
    fn changes(&mut self) -> Vec<(Bytes, Option<Bytes>)> {
        self.work.prepare_commit().unwrap();
        self.work.time.save(self.work.stores.first_mut());
        let changes = self.work.stores.first().uncommitted();
        changes.map(|(key, value)| (key.clone(), value.cloned())).collect()
    }

    /// Another task goes on with what a changelog holds; nothing else is left of this one.
    fn crash(&mut self, changelog: Vec<(Bytes, Option<Bytes>)>) {
        let mut stores = Stores::new(self.topology.parts()[0].stores.iter().cloned());
        stores.first_mut().restore(changelog, &Checkpoint::NONE).unwrap();
        self.work = Work::new(&self.topology, &self.plan, 0, 0, stores, Arc::clone(&self.counters) as _);
    }

    fn run(mut self, events: &[Event], cut: &Cut) -> Self {
        let (mut rest, mut thens) = (events, cut.thens.iter().cycle());
        for batch in cut.batches.iter().cycle() {
            let (now, later) = rest.split_at((*batch).min(rest.len()));
            rest = later;
            self.take(now);
            match thens.next().unwrap() {
                Then::Nothing => {}
                Then::Commit => self.commit(),
                Then::Restart => self.restart(),
            }
            if rest.is_empty() {
                break;
            }
        }
        self.commit();
        self
    }

    fn finish(mut self) -> Self {
        self.work.finish_input(&input()).unwrap();
        self.commit();
        self
    }

    fn outcome(self) -> Outcome {
        let of = |topic: &str| -> Vec<Written> {
            let emitted = self.emitted.iter().filter(|emitted| emitted.topic == topic);
            let written = emitted.map(|emitted| {
                let record = emitted.record.clone();
                (record.key.unwrap_or_default(), record.value, record.timestamp.0)
            });
            written.collect()
        };
        Outcome {
            late: self.counters.all().values().map(|counts| counts.late).sum(),
            late_records: of("late"),
            // A key's alarms, which begin with a zero, may be more than it needs, where a task has started again.
            stores: self.work.stores.iter().flat_map(|(_, store)| store.range_from(&[1])).collect(),
            out: of("out"),
        }
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// When results are to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    OnChange,
    OnClose,
    /// At every eighth millisecond.
    Every,
    /// When a table behind them says so.
    Suppressed,
}

impl When {
    const ALL_BUT_CHANGES: [Self; 3] = [Self::OnClose, Self::Every, Self::Suppressed];

    fn of<K: Serde, V: Serde>(self, table: &Table<Windowed<K>, V>) -> Table<Windowed<K>, V> {
        match self {
            Self::Suppressed => {
                let held = Suppressed::until_window_closes(SuppressBuffer::unbounded());
                table.suppress("held", held)
            }
            _ => table.clone(),
        }
    }
}

/// The sum of the times of each key and window.
fn summed(windows: impl Windows<Stream<Bytes, i64> = WindowedStream<Bytes, i64>>, when: When) -> Topology {
    let builder = StreamBuilder::new("t");
    let windowed = builder.stream::<Bytes, i64>("in").group_by_key().windowed_by(windows).late_to("late");
    let windowed = match when {
        When::OnClose => windowed.on_close(),
        When::Every => windowed.every(ms(8)),
        When::OnChange | When::Suppressed => windowed,
    };
    when.of(&windowed.reduce("sums", |sum, time| sum + time)).to("out");
    builder.build().unwrap()
}

/// The same by session.
fn summed_by_session(windows: SessionWindows, when: When) -> Topology {
    let builder = StreamBuilder::new("t");
    let sessions = builder.stream::<Bytes, i64>("in").group_by_key().windowed_by(windows).late_to("late");
    let sessions = match when {
        When::OnClose => sessions.on_close(),
        When::Every => sessions.every(ms(8)),
        When::OnChange | When::Suppressed => sessions,
    };
    when.of(&sessions.reduce("sums", |sum, time| sum + time)).to("out");
    builder.build().unwrap()
}

/// A program for each kind of windows.
fn programs(when: When) -> Vec<Topology> {
    vec![
        summed(TimeWindows::tumbling(ms(10)).grace(ms(4)), when),
        summed(TimeWindows::hopping(ms(10), ms(3)).grace(ms(12)).offset(ms(1)), when),
        summed(CumulatingWindows::new(ms(30), ms(10)).grace(ms(4)), when),
        summed(SlidingWindows::difference(ms(7)).grace(ms(4)), when),
        summed_by_session(SessionWindows::gap(ms(4)).grace(ms(6)), when),
    ]
}

/// Programs that put records together by count.
fn by_count() -> [Topology; 2] {
    [CountWindows::tumbling(4), CountWindows::sliding(5, 2)].map(|windows| {
        let builder = StreamBuilder::new("t");
        let windowed = builder.stream::<Bytes, i64>("in").group_by_key().windowed_by(windows);
        windowed.reduce("sums", |sum, time| sum + time).to("out");
        builder.build().unwrap()
    })
}

fn outcome(topology: &Topology, events: &[Event], cut: &Cut, is_finished: bool) -> Outcome {
    let task = Task::new(topology).run(events, cut);
    if is_finished { task.finish().outcome() } else { task.outcome() }
}

/// Trap 13.
#[test]
fn window_that_closes_gives_one_result_also_where_a_crash_comes_between_that_and_its_commit() {
    for topology in programs(When::OnClose) {
        let mut task = Task::new(&topology);
        task.take(&[(1, 7), (2, 7)]);
        let committed = task.changes();
        task.commit();
        task.take(&[(500, 7)]);
        assert!(!task.work.emitted.is_empty());
        task.crash(committed);
        task.take(&[(500, 7)]);
        task.restart();
        let closed = task.emitted.len();
        task.take(&[(1, 7), (3, 7), (500, 7)]);
        task.commit();
        assert!(task.emitted.iter().skip(closed).all(|emitted| emitted.topic == "late"));
        let outcome = task.outcome();
        assert!(!outcome.out.is_empty());
        assert_eq!(outcome.out.len(), outcome.table().len());
    }
}

/// Trap 14: how many updates there are hangs on commits. None of them goes back, and the last one is the same.
#[test]
fn updates_between_two_commits_are_fewer_and_the_last_of_each_row_is_the_same() {
    let events: Vec<Event> = (0..40).map(|time| (time, 7)).collect();
    let each = Cut { batches: vec![1], thens: vec![Then::Commit] };
    for topology in programs(When::OnChange) {
        let often = outcome(&topology, &events, &each, true);
        let once = outcome(&topology, &events, &whole(), true);
        assert!(often.out.len() > once.out.len());
        assert_eq!(often.table(), once.table());
        let mut sums: BTreeMap<&Bytes, &Bytes> = BTreeMap::new();
        for (row, sum, _) in &often.out {
            let Some(sum) = sum else { continue };
            assert!(sums.insert(row, sum).is_none_or(|before| before <= sum));
        }
    }
}

proptest! {
    /// Traps 8, 13 and 43.
    #[test]
    fn results_are_the_same_bytes_however_input_is_cut_and_tasks_restart(
        (events, cut, is_finished) in (events(), cut(), any::<bool>()),
    ) {
        for topology in When::ALL_BUT_CHANGES.into_iter().flat_map(programs) {
            let expected = outcome(&topology, &events, &whole(), is_finished);
            prop_assert_eq!(outcome(&topology, &events, &cut, is_finished), expected);
        }
        for topology in by_count() {
            let expected = outcome(&topology, &events, &whole(), is_finished);
            prop_assert_eq!(outcome(&topology, &events, &cut, is_finished).out, expected.out);
        }
    }

    /// Traps 8, 14 and 43.
    #[test]
    fn changing_windows_are_the_same_table_however_input_is_cut_and_tasks_restart(
        (events, cut, is_finished) in (events(), cut(), any::<bool>()),
    ) {
        for topology in programs(When::OnChange) {
            let expected = outcome(&topology, &events, &whole(), is_finished);
            let found = outcome(&topology, &events, &cut, is_finished);
            prop_assert_eq!(found.table(), expected.table());
            prop_assert_eq!((found.late, &found.late_records), (expected.late, &expected.late_records));
            prop_assert_eq!(&found.stores, &expected.stores);
        }
    }

    /// What windows give as they close, and at a period, is what they had come to when they changed last.
    #[test]
    fn windows_close_with_what_they_had_last(events in events()) {
        for when in When::ALL_BUT_CHANGES {
            for (changing, closing) in programs(When::OnChange).iter().zip(&programs(when)) {
                let (changing, closing) =
                    (outcome(changing, &events, &whole(), true), outcome(closing, &events, &whole(), true));
                prop_assert_eq!(closing.table(), changing.table());
                let is_once = when == When::Every || closing.out.len() == closing.table().len();
                prop_assert!(is_once, "a window was closed twice");
            }
        }
    }

    /// A run whose input has ended is followed by another one, which closes nothing again.
    #[test]
    fn no_window_is_closed_twice_when_input_goes_on_behind_its_end(
        (before, after, cut) in (events(), events(), cut()),
    ) {
        for topology in programs(When::OnClose) {
            let mut task = Task::new(&topology).run(&before, &cut).finish();
            task.restart();
            let outcome = task.run(&after, &cut).finish().outcome();
            prop_assert_eq!(outcome.out.len(), outcome.table().len());
        }
    }
}
