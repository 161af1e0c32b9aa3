//! Tasks that end, in order or in the middle of a commit, and go on where they were.

use std::{collections::BTreeSet, path::Path};

use mainstem_client::{
    Text,
    protocol::{ApiKey, messages::RequestBody},
    testing::Around,
};
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::{
    Counters, Serde, Settings, StateDirectory, StreamBuilder, TestDriver, TimeWindows, Topology, Windowed,
    caps, runtime::run,
};

/// The death of a process with a write to a topic.
#[derive(Debug)]
pub(super) struct Death {
    topic: String,
    /// How many writes come before the deadly one.
    left: AtomicU64,
    /// Whether that one still takes place.
    is_written: bool,
    pub(super) has_come: watch::Sender<bool>,
}

impl Death {
    pub(super) fn new(topic: &str, left: u64, is_written: bool) -> Arc<Self> {
        let has_come = watch::Sender::new(false);
        Arc::new(Self { topic: topic.to_owned(), left: AtomicU64::new(left), is_written, has_come })
    }

    fn is_dead(&self) -> bool {
        *self.has_come.borrow()
    }

    fn comes_with(&self, request: &RequestBody) -> bool {
        let RequestBody::Produce(request) = request else { return false };
        let is_it = request.topic_data.iter().any(|topic| topic.name == self.topic);
        is_it && self.left.fetch_sub(1, Ordering::SeqCst) == 0
    }
}

/// The transport of a process until its death: nothing that it sends afterwards arrives.
pub(super) fn mortal(broker: &FakeBroker, death: &Arc<Death>) -> Around {
    let death = Arc::clone(death);
    Around::new(broker.transport(), move |inner, call| {
        let death = Arc::clone(&death);
        async move {
            if death.is_dead() || death.comes_with(&call.request) {
                if !death.is_dead() && death.is_written {
                    inner.call(call).await?;
                }
                death.has_come.send_replace(true);
                return std::future::pending().await;
            }
            inner.call(call).await
        }
    })
}

/// Each piece leads to one commit at least, since the next one comes when it is committed.
const PIECES: [&[(i64, &str, &str)]; 4] = [
    &[(1, "a", ""), (4, "b", ""), (5, "a", "")],
    &[(12, "a", ""), (13, "b", ""), (9, "a", "")],
    &[(25, "a", ""), (14, "b", ""), (21, "b", "")],
    &[(39, "a", ""), (38, "a", ""), (2, "a", ""), (45, "c", "")],
];

/// Writes piece after piece, each when the one before is committed, until all are or the process is dead.
async fn feed(broker: &FakeBroker, handle: &Handle, death: &Death) {
    let (mut has_come, mut end) = (death.has_come.subscribe(), 0);
    for piece in PIECES {
        produce(broker, piece.iter().copied()).await;
        end += piece.len() as i64;
        tokio::select! {
            () = committed(handle, end) => {}
            _ = has_come.wait_for(|has_come| *has_come) => {}
        }
    }
}

/// The last result of each window and key, and how often there was another one before.
async fn results(broker: &FakeBroker) -> (Vec<String>, usize) {
    let all = output(broker).await;
    let mut results = all.clone();
    results.sort();
    results.dedup();
    (results.clone(), all.len() - results.len())
}

async fn survives(topic: &str, left: u64, is_written: bool) {
    dies_and_goes_on(topic, left, is_written, None).await;
    let state = TempDir::new().unwrap();
    dies_and_goes_on(topic, left, is_written, Some(&state)).await;
}

/// The spec, with its state on disk if there is a folder for it.
fn kept_in(state: Option<&TempDir>) -> ProcessorSpec {
    let open = |state: &TempDir| StateDirectory::open(state.path(), caps::STATE_MEMORY_BYTES_MIN).unwrap();
    state.map_or_else(spec, |state| spec().on_disk(open(state)))
}

/// What the system has of a folder when a process that uses it is killed: the dead one holds on to its own.
#[expect(clippy::disallowed_methods, reason = "a test copies files as a kill leaves them")]
fn left_behind(state: &TempDir) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        for entry in std::fs::read_dir(from).unwrap() {
            let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
            if from.is_dir() {
                std::fs::create_dir(&to).unwrap();
                copy(&from, &to);
            } else {
                std::fs::copy(&from, &to).unwrap();
            }
        }
    }
    let left = TempDir::new().unwrap();
    copy(state.path(), left.path());
    left
}

async fn dies_and_goes_on(topic: &str, left: u64, is_written: bool, state: Option<&TempDir>) {
    let broker = broker(1);
    let death = Death::new(topic, left, is_written);
    let transport = Arc::new(mortal(&broker, &death));
    let first = super::super::start(kept_in(state), transport).await.unwrap();
    feed(&broker, &first, &death).await;
    let what = format!("{topic} {left} {is_written} {state:?}");
    assert!(death.is_dead(), "{what}: lived");
    drop(first);
    let state = state.map(left_behind);
    let spec = || kept_in(state.as_ref());
    let end = PIECES.iter().map(|piece| piece.len()).sum::<usize>() as i64;
    start(&broker, spec().input_end(until(end))).await.ended().await.unwrap();
    let (results, repeated) = results(&broker).await;
    // 9, 14 and 2 come when their windows are closed.
    assert_eq!(
        results,
        ["a 0 2", "a 10 1", "a 20 1", "a 30 2", "b 0 1", "b 10 1", "b 20 1", "c 40 1"],
        "{what}"
    );
    let is_before_the_positions = topic == "out" || !is_written;
    assert!(repeated == 0 || is_before_the_positions, "{what}: {repeated} results came again");
}

#[tokio::test]
async fn crash_before_or_behind_outputs_counts_nothing_twice() {
    // Outputs are there from the second piece on, which closes the first windows.
    for (left, is_written) in [(0, false), (0, true), (1, false), (1, true), (2, true)] {
        survives("out", left, is_written).await;
    }
}

#[tokio::test]
async fn crash_before_or_behind_changes_of_state_counts_nothing_twice() {
    for left in 0..4 {
        for is_written in [false, true] {
            survives("p-counts-changelog", left, is_written).await;
        }
    }
}

/// Keeps values that are too large for one batch of a changelog.
struct Keeper;

impl Processor for Keeper {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            let key = input.record.key.clone().unwrap_or_default();
            ctx.store("kept")?.put(&key, vec![b'x'; 300_000]);
        }
        Ok(())
    }
}

/// A broker's answer to a write of a changelog that it does not take.
fn refused_write() -> Trouble {
    use mainstem_client::protocol::messages::{ProduceResponse, produce::*};
    let code = ErrorCode::MESSAGE_TOO_LARGE;
    let partition = PartitionProduceResponse { error_code: code, ..Default::default() };
    let name = Text::from_static("p-kept-changelog");
    let topic = TopicProduceResponse { name, partition_responses: vec![partition], ..Default::default() };
    Trouble::Answer(ProduceResponse { responses: vec![topic], ..Default::default() }.into())
}

/// The users' keys in a changelog, each once and without the byte in front of it.
async fn kept(broker: &FakeBroker) -> BTreeSet<Bytes> {
    let keys = records_of(broker, "p-kept-changelog").await.into_iter().filter_map(|record| record.key);
    keys.filter(|key| key.starts_with(&[0])).map(|key| key.slice(1..)).collect()
}

#[tokio::test]
async fn positions_are_not_stored_where_a_batch_of_the_changes_is_refused() {
    let broker = broker(1);
    produce(&broker, ["a", "b", "c", "d", "e"].map(|key| (1, key, ""))).await;
    let spec = || ProcessorSpec::new("p", || Keeper).input("in").store("kept").input_end(until(5));
    let at_once = || spec().commit_interval(Duration::from_secs(3600)).uncommitted_bytes_max(usize::MAX);
    broker.trouble(ApiKey::Produce, refused_write());
    let error = start(&broker, at_once()).await.ended().await.unwrap_err();
    assert!(matches!(error, TaskError::Produce(_)), "{error}");
    // The batch behind the one that was refused may be stored or not.
    assert!(kept(&broker).await.len() < 5);
    start(&broker, at_once()).await.ended().await.unwrap();
    assert_eq!(kept(&broker).await, BTreeSet::from(["a", "b", "c", "d", "e"].map(Bytes::from)));
}

#[tokio::test]
async fn panic_between_two_commits_drops_what_came_since_the_last() {
    let broker = broker(1);
    produce(&broker, [(1, "a", ""), (2, "a", "")]).await;
    let handle = start(&broker, spec()).await;
    committed(&handle, 2).await;
    produce(&broker, [(3, "a", ""), (4, "a", "boom")]).await;
    assert!(matches!(handle.ended().await, Err(TaskError::Node { .. })));
    // The same records again, and again the panic: what was counted before it is not kept either.
    start(&broker, spec()).await.ended().await.unwrap_err();
    start(&broker, spec().input_end(until(3))).await.ended().await.unwrap();
    assert_eq!(output(&broker).await, ["a 0 3"]);
}

/// Counts by the value, and so behind a repartition topic.
fn counted() -> Topology {
    let windows = TimeWindows::tumbling(Duration::from_millis(10)).grace(Duration::from_millis(5));
    let builder = StreamBuilder::new("p");
    let grouped = builder.stream::<Text, Text>("in").group_by(|_, value| value.clone());
    grouped.windowed_by(windows).on_close().count("counts").to("out");
    builder.build().unwrap()
}

fn settings(input_end: InputEnd, counters: &Arc<Counters>) -> Settings {
    let commit_interval = Duration::from_millis(5);
    Settings { input_end, commit_interval, meter: Arc::clone(counters) as _, ..Settings::default() }
}

/// Windows and counts of the output.
async fn windowed_output(broker: &FakeBroker) -> Vec<(i64, String, i64)> {
    let result = |record: Record| {
        let key = Windowed::<String>::decode(record.key.as_ref()).unwrap();
        (key.window.start.0, key.key, i64::decode(record.value.as_ref()).unwrap())
    };
    records(broker).await.into_iter().map(result).collect()
}

/// A task that is stopped knows after its restart what was late before, on both sides of a repartition topic.
#[tokio::test]
async fn restarts_change_no_result_behind_a_repartition_topic() {
    let pieces: [&[(i64, &str)]; 3] = [
        &[(1, "a"), (12, "b"), (3, "a"), (1000, "c")],
        &[(14, "b"), (5, "a"), (999, "a"), (1001, "c")],
        &[(900, "a"), (1020, "b"), (1004, "c"), (1003, "b")],
    ];
    let (broker, counters) = (broker(1), Arc::new(Counters::default()));
    let mut driver = TestDriver::new(&counted()).unwrap();
    let mut end = 0;
    for piece in pieces {
        produce(&broker, piece.iter().map(|(time, value)| (*time, "k", *value))).await;
        for (time, value) in piece {
            driver.pipe("in", "k", *value, *time).unwrap();
        }
        end += piece.len() as i64;
        let settings = settings(InputEnd::Unbounded, &counters);
        let handle = run(counted(), settings, broker.transport()).await.unwrap();
        committed(&handle, end).await;
        handle.stop().await.unwrap();
    }
    let last = settings(until(end), &counters);
    run(counted(), last, broker.transport()).await.unwrap().ended().await.unwrap();
    driver.finish().unwrap();
    let expected = driver.read::<Windowed<String>, i64>("out").unwrap().into_iter();
    let expected: Vec<_> =
        expected.map(|result| (result.key.window.start.0, result.key.key, result.value)).collect();
    assert_eq!(windowed_output(&broker).await, expected);
    assert_eq!((counters.of("counts").late, driver.counts("counts").late), (5, 5));
}
