use proptest::prelude::*;

use super::*;
use crate::{Lsn, NotCommitted, checkpoint::TopicSnapshot};

fn folded(bench: &Bench) -> Vec<TopicSnapshot> {
    bench.store.snapshot(&bench.store.journal(), false).topics
}

#[test]
fn what_is_behind_the_position_is_superseded_and_what_is_before_it_stays() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.fill(topic, 0, 1);
    let kept = bench.place_batch(topic, 0, batch(2, Some((7, 0, 0)))).unwrap();
    let dropped = bench.place_batch(topic, 0, batch(3, Some((7, 0, 2)))).unwrap();
    let mut repeat = bench.place_batch(topic, 0, batch(3, Some((7, 0, 2)))).unwrap();
    bench.store.truncate_to(kept.lsn());
    assert_eq!(repeat.poll_now(), Some(Err(NotCommitted::Superseded)));
    assert_eq!(dropped.wait(), Err(NotCommitted::Superseded));
    // What was taken back may come again, and gets the same place.
    let again = bench.place_batch(topic, 0, batch(3, Some((7, 0, 2)))).unwrap();
    bench.store.round().unwrap();
    assert_eq!(kept.wait().unwrap().places[0].base_offset, Offset(5));
    assert_eq!(again.wait().unwrap().places[0].base_offset, Offset(7));
    assert_eq!(ends(&bench.read(topic, 0)), [5, 7, 10]);
}

#[test]
fn what_is_committed_is_not_taken_back() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.fill(topic, 0, 3);
    bench.store.truncate_to(Lsn::ZERO);
    assert_eq!(bench.read(topic, 0).len(), 3);
    assert_eq!(bench.append(topic, 0, batch(1, None)), Offset(15));
}

#[test]
fn topics_that_were_taken_back_may_be_created_and_deleted_again() {
    let bench = Bench::new();
    let new =
        || NewTopic { name: "later".to_owned(), partitions: 1, overrides: Overrides::new(), keyed: false };
    let topic = bench.topic("orders", 1, &[]);
    let (_, created) = bench.store.create_topic(new()).unwrap();
    let deleted = bench.store.delete_topic(topic).unwrap();
    assert!(bench.store.create_topic(new()).is_err());
    bench.store.truncate_to(Lsn(1));
    assert_eq!(created.wait(), Err(NotCommitted::Superseded));
    assert_eq!(deleted.wait(), Err(NotCommitted::Superseded));
    bench.fill(topic, 0, 1);
    bench.topic("later", 1, &[]);
}

#[test]
fn segments_that_were_started_for_nothing_are_started_again() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("segment.bytes", "200")]);
    bench.fill(topic, 0, 1);
    for _ in 0..3 {
        let mut group = AppendGroup::new();
        (0..4).for_each(|_| group.push(topic, PartitionId(0), batch(5, None)));
        bench.place(group).unwrap();
        bench.store.truncate_to(Lsn::ZERO);
        bench.fill(topic, 0, 1);
    }
    assert_eq!(ends(&bench.read(topic, 0)), [5, 10, 15, 20]);
    assert_eq!(ends(&bench.restart().read(topic, 0)), [5, 10, 15, 20]);
}

/// Partitions and producers of the batches of a group.
type Batches = Vec<(i32, Option<i64>)>;
/// What came of a run: partitions with the batches that are read from them.
type Shape = Vec<Vec<(PartitionStateOf, usize)>>;

/// What may happen to a store.
#[derive(Clone, Debug)]
enum Step {
    /// Batches for these partitions; those with a number come from that idempotent producer.
    Append(Batches),
    Round,
    /// Takes back all but so many of those that wait.
    Truncate(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let producer = prop_oneof![Just(None), (0_i64..2).prop_map(Some)];
    let append = prop::collection::vec((0_i32..3, producer), 1..4);
    prop_oneof![
        6 => append.prop_map(Step::Append),
        2 => Just(Step::Round),
        1 => (0_usize..4).prop_map(Step::Truncate),
    ]
}

/// Appends what survives, in one go or step by step, and shows what comes of it.
struct Run {
    bench: Bench,
    topic: TopicId,
    waiting: Vec<(Lsn, Batches)>,
    survivors: Vec<Batches>,
}

impl Run {
    fn new() -> Self {
        let bench = Bench::new();
        let topic = bench.topic("orders", 3, &[("segment.bytes", "400")]);
        Self { bench, topic, waiting: Vec::new(), survivors: Vec::new() }
    }

    /// The next sequence of a producer in a partition follows from what survives.
    fn sequence(&self, partition: i32, producer: i64, before: usize) -> i32 {
        let all = self.survivors.iter().chain(self.waiting.iter().map(|(_, batches)| batches)).flatten();
        (all.filter(|batch| **batch == (partition, Some(producer))).count() + before) as i32
    }

    fn append(&mut self, batches: &[(i32, Option<i64>)]) {
        let mut group = AppendGroup::new();
        for (at, (partition, producer)) in batches.iter().enumerate() {
            let before = batches[..at].iter().filter(|other| **other == batches[at]).count();
            let stamp = producer.map(|id| (id, 0, self.sequence(*partition, id, before)));
            group.push(self.topic, PartitionId(*partition), batch(1, stamp));
        }
        let ticket = self.place(group);
        self.waiting.push((ticket.lsn(), batches.to_vec()));
    }

    /// Making room runs no round here, so that what waits goes on waiting.
    fn place(&self, mut group: AppendGroup) -> Ticket {
        loop {
            match self.bench.store.append(&group) {
                Err(AppendError::NoRoom) => self.bench.store.make_room(&mut group).unwrap(),
                result => return result.unwrap(),
            }
        }
    }

    fn round(&mut self) {
        self.bench.store.round().unwrap();
        self.survivors.extend(self.waiting.drain(..).map(|(_, batches)| batches));
    }

    fn truncate(&mut self, keep: usize) {
        let keep = keep.min(self.waiting.len());
        let lsn = keep.checked_sub(1).map_or(Lsn::ZERO, |at| self.waiting[at].0);
        self.bench.store.truncate_to(lsn);
        self.waiting.truncate(keep);
    }

    fn finish(mut self) -> (Shape, Vec<Batches>) {
        self.round();
        let state = shape(&self.bench);
        let Self { bench, survivors, .. } = self;
        let bench = bench.restart();
        assert_eq!(shape(&bench), state, "a start finds the same");
        (state, survivors)
    }
}

type PartitionStateOf = crate::state::PartitionState;

fn shape(bench: &Bench) -> Shape {
    let count = |topic: &TopicSnapshot, at: usize| bench.read(topic.id, at as i32).len();
    let partitions = |topic: &TopicSnapshot| {
        topic
            .partitions
            .iter()
            .enumerate()
            .map(|(at, partition)| (partition.state.clone(), count(topic, at)))
            .collect()
    };
    folded(bench).iter().map(partitions).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_that_took_back_equals_one_that_never_had(steps in prop::collection::vec(step(), 1..40)) {
        let mut run = Run::new();
        for step in &steps {
            match step {
                Step::Append(batches) => run.append(batches),
                Step::Round => run.round(),
                Step::Truncate(keep) => run.truncate(*keep),
            }
        }
        let (state, survivors) = run.finish();
        let mut other = Run::new();
        survivors.iter().for_each(|batches| other.append(batches));
        let (expected, _) = other.finish();
        // A segment that was prepared for what was taken back may have made the log roll earlier.
        let without_segments = |state: Shape| {
            state.into_iter().flatten().map(|(state, count)| (PartitionStateOf { segments: Vec::new(), ..state }, count)).collect::<Vec<_>>()
        };
        prop_assert_eq!(without_segments(state), without_segments(expected));
    }
}
