//! Global tables on real threads: they are there before any task works, and follow their topics.

use std::sync::Mutex;

use mainstem_client::{
    Text,
    protocol::messages::list_offsets::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
};
use tokio::{sync::watch, time::timeout};

use super::*;
use crate::{
    Counters, Meters, NodeCounts, Settings, StreamBuilder, TaskId, TaskState, Topology, caps,
    runtime::{Job, global::Reader, life::Attempts, run, topics},
};

pub(super) fn joined() -> Topology {
    let builder = StreamBuilder::new("p");
    let towns = builder.global_table::<Text, Text>("towns");
    let stream = builder.stream::<Text, Text>("in");
    stream.join_global(&towns, |_, name| Some(name.clone()), |_, _, town| town.clone()).to("out");
    builder.build().unwrap()
}

/// A table of more partitions than the input has.
fn a_broker() -> FakeBroker {
    let broker = broker(2);
    broker.create_topic("towns", 5);
    broker
}

/// Writes towns by name; says where the partition ends that the last one is in.
async fn move_to(broker: &FakeBroker, towns: &[(&str, &str)]) -> (TopicPartition, Offset) {
    let producer = Producer::new(broker, ProducerConfig::default());
    let mut last = None;
    for (name, town) in towns {
        let record = ProducerRecord::new("towns").timestamp(Timestamp(0));
        let ticket = producer.send(record.key((*name).to_owned()).value((*town).to_owned())).await.unwrap();
        producer.flush().await;
        let receipt = ticket.receipt().await.unwrap();
        last = Some((receipt.partition.clone(), Offset(receipt.offset.0 + 1)));
    }
    producer.close().await;
    last.unwrap()
}

pub(super) fn settings(input_end: InputEnd) -> Settings {
    Settings { input_end, commit_interval: Duration::from_millis(5), ..Settings::default() }
}

async fn results(broker: &FakeBroker) -> Vec<String> {
    records(broker).await.iter().map(|record| text(record.value.as_ref().unwrap()).to_owned()).collect()
}

/// Notes what all threads do, one after the other.
#[derive(Debug, Default)]
struct States(watch::Sender<Vec<(TaskId, String)>>);

impl Meter for States {
    fn task_state(&self, task: TaskId, state: &TaskState) {
        self.0.send_modify(|all| all.push((task, format!("{state:?}"))));
    }
}

impl States {
    /// Waits until a thread has done all this, in this order.
    async fn are(&self, task: TaskId, expected: &[&str]) {
        let mut seen = self.0.subscribe();
        let are_so = |all: &Vec<(TaskId, String)>| {
            let of_task: Vec<_> = all.iter().filter(|(id, _)| *id == task).collect();
            let is_so = |((_, state), expected): (&&(TaskId, String), &&str)| state.starts_with(expected);
            of_task.len() >= expected.len() && of_task.iter().zip(expected).all(is_so)
        };
        let seen = timeout(caps::PATIENCE, seen.wait_for(are_so)).await;
        drop(seen.expect("it does something else").unwrap());
    }
}

/// What reads the global table.
fn reader(topology: &Topology) -> TaskId {
    TaskId { part: topology.parts().iter().position(|part| part.is_global()).unwrap(), number: 0 }
}

#[tokio::test]
async fn table_is_whole_before_the_first_record_is_taken() {
    let broker = a_broker();
    let names: Vec<_> = (0..200).map(|name| (format!("n{name}"), format!("t{name}"))).collect();
    let towns: Vec<_> = names.iter().map(|(name, town)| (&**name, &**town)).collect();
    move_to(&broker, &towns).await;
    produce(&broker, names.iter().map(|(name, _)| (0, "k", &**name))).await;
    run(joined(), settings(until(200)), broker.transport()).await.unwrap().ended().await.unwrap();
    assert_eq!(results(&broker).await, (0..200).map(|name| format!("t{name}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn table_follows_its_topic_and_is_read_anew_after_a_restart() {
    let broker = a_broker();
    move_to(&broker, &[("anna", "Graz"), ("ben", "Linz")]).await;
    let first = run(joined(), settings(InputEnd::Unbounded), broker.transport()).await.unwrap();
    produce(&broker, [(0, "k", "anna")]).await;
    committed(&first, 1).await;
    let (partition, end) = move_to(&broker, &[("anna", "Wien")]).await;
    first.committed(&partition, end).await.unwrap();
    produce(&broker, [(0, "k", "anna"), (0, "k", "ben")]).await;
    committed(&first, 3).await;
    first.stop().await.unwrap();
    produce(&broker, [(0, "k", "anna")]).await;
    run(joined(), settings(until(4)), broker.transport()).await.unwrap().ended().await.unwrap();
    assert_eq!(results(&broker).await, ["Graz", "Wien", "Linz", "Wien"]);
}

/// What is counted of a processor, and how far its time has come.
#[derive(Debug, Default)]
struct Seen {
    took: AtomicU64,
    watermarks: Mutex<Vec<Timestamp>>,
    nodes: Counters,
}

impl Meter for Seen {
    fn took(&self, records: u64) {
        self.took.fetch_add(records, Ordering::Relaxed);
    }
    fn watermark(&self, at: Timestamp) {
        self.watermarks.lock().unwrap().push(at);
    }
    fn node(&self, name: &Text, counts: NodeCounts) {
        self.nodes.node(name, counts);
    }
}

#[tokio::test]
async fn records_of_the_table_are_counted_at_its_nodes_alone() {
    let (broker, seen) = (a_broker(), Arc::new(Seen::default()));
    move_to(&broker, &[("anna", "Graz"), ("ben", "Linz")]).await;
    produce(&broker, [(5, "k", "anna")]).await;
    let settings = Settings { meter: seen.clone(), ..settings(until(1)) };
    run(joined(), settings, broker.transport()).await.unwrap().ended().await.unwrap();
    assert_eq!(seen.took.load(Ordering::Relaxed), 1);
    // Towns are of the time 0.
    let watermarks = seen.watermarks.lock().unwrap();
    assert!(watermarks.iter().all(|at| at.0 >= 5), "{watermarks:?}");
    assert_eq!(seen.nodes.of("towns").records_in, 2, "{:?}", seen.nodes.all());
}

/// The end that a run is given is that of the table too.
#[tokio::test]
async fn bounded_table_is_that_of_its_bounds() {
    let broker = a_broker();
    let (partition, end) = move_to(&broker, &[("anna", "Graz")]).await;
    move_to(&broker, &[("anna", "Wien")]).await;
    produce(&broker, [(0, "k", "anna")]).await;
    let ends = InputEnd::At(HashMap::from([(TopicPartition::new("in", 0), Offset(1)), (partition, end)]));
    run(joined(), settings(ends), broker.transport()).await.unwrap().ended().await.unwrap();
    assert_eq!(results(&broker).await, ["Graz"]);
}

#[tokio::test]
async fn lost_fetches_delay_the_table_and_change_nothing() {
    use mainstem_client::protocol::ApiKey;
    let broker = a_broker();
    move_to(&broker, &[("anna", "Graz")]).await;
    produce(&broker, [(0, "k", "anna")]).await;
    for _ in 0..3 {
        broker.trouble(ApiKey::Fetch, Trouble::LostAfter);
        broker.trouble(ApiKey::ListOffsets, Trouble::LostBefore);
    }
    run(joined(), settings(until(1)), broker.transport()).await.unwrap().ended().await.unwrap();
    assert_eq!(results(&broker).await, ["Graz"]);
}

#[tokio::test]
async fn record_of_the_table_that_does_not_parse_ends_the_run_with_its_place() {
    let broker = a_broker();
    move_to(&broker, &[("anna", "Graz")]).await;
    let handle = run(numbered(), settings(InputEnd::Unbounded), broker.transport()).await.unwrap();
    all_have_failed(&handle, "node towns: value in topic towns partition ").await;
}

#[tokio::test]
async fn tasks_at_work_fail_with_the_table() {
    let broker = a_broker();
    let handle = run(numbered(), settings(InputEnd::Unbounded), broker.transport()).await.unwrap();
    produce(&broker, [(0, "k", "anna")]).await;
    committed(&handle, 1).await;
    move_to(&broker, &[("anna", "Graz")]).await;
    all_have_failed(&handle, "node towns: value in topic towns partition ").await;
}

#[tokio::test]
async fn table_that_may_not_be_read_fails_with_its_name() {
    use mainstem_client::protocol::{ApiKey, messages::ListOffsetsResponse};
    let broker = a_broker();
    let refused = ListOffsetsPartitionResponse {
        error_code: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ..Default::default()
    };
    let topic = ListOffsetsTopicResponse { name: "towns".into(), partitions: vec![refused] };
    let answer = ListOffsetsResponse { topics: vec![topic], ..Default::default() };
    broker.trouble(ApiKey::ListOffsets, Trouble::Answer(answer.into()));
    let settings = Settings { checks_partitioners: false, ..settings(InputEnd::Unbounded) };
    let handle = run(joined(), settings, broker.transport()).await.unwrap();
    all_have_failed(&handle, "node towns: offsets of towns-0 are not available").await;
}

/// A table whose values are not what the topic has.
fn numbered() -> Topology {
    let builder = StreamBuilder::new("p");
    let numbers = builder.global_table::<Text, i64>("towns");
    let stream = builder.stream::<Text, Text>("in");
    stream.join_global(&numbers, |_, name| Some(name.clone()), |_, _, number| *number).to("out");
    builder.build().unwrap()
}

/// Waits until all tasks have failed, without being told to stop.
async fn all_have_failed(handle: &Handle, expected: &str) {
    while !handle.states().iter().all(TaskState::is_over) {
        tokio::task::yield_now().await;
    }
    for state in handle.states() {
        let TaskState::Failed(error) = state else { panic!("it is {state:?}") };
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
#[tokio::test]
async fn meter_is_told_what_the_reader_of_a_table_does() {
    let (broker, states, topology) = (a_broker(), Arc::new(States::default()), joined());
    let (partition, end) = move_to(&broker, &[("anna", "Graz")]).await;
    let (reader, settings) = (reader(&topology), settings(InputEnd::Unbounded));
    let settings = Settings { meter: states.clone(), ..settings };
    let handle = run(topology, settings, broker.transport()).await.unwrap();
    states.are(reader, &["Restoring", "Running"]).await;
    broker.trim("towns", partition.partition.0, end.0 + 1);
    states.are(reader, &["Restoring", "Running", "Waiting(Overtaken", "Restoring", "Running"]).await;
    handle.stop().await.unwrap();
    let states = states.0.borrow();
    assert!(states.iter().rev().find(|(id, _)| *id == reader).is_some_and(|(_, last)| last == "Stopped"));
}

async fn job(broker: &FakeBroker, settings: Settings) -> Arc<Job> {
    let topology = joined();
    let plan = topics::plan(&topology, broker).await.unwrap();
    let (begins, changelogs, globals) = (HashMap::new(), HashMap::new(), topology.globals());
    Arc::new(Job { topology, plan, settings, stop: watch::Sender::new(false), begins, changelogs, globals })
}

#[tokio::test]
async fn reader_that_tries_again_goes_on_where_it_was() {
    let (broker, seen, states) = (a_broker(), Arc::new(Counters::default()), Arc::new(States::default()));
    let (partition, end) = move_to(&broker, &[("anna", "Graz"), ("ben", "Linz"), ("anna", "Wien")]).await;
    let meter = Arc::new(Meters(vec![seen.clone(), states.clone()]));
    let job = job(&broker, Settings { meter, ..settings(InputEnd::Unbounded) }).await;
    let id = reader(&job.topology);
    let (reader, handle) = Reader::new(Arc::clone(&job), broker.transport(), id.part);
    let mut reached = handle.committed.clone();
    let mut wait = caps::RESTART_BACKOFF_MAX;
    tokio::select! {
        ended = reader.attempt(&mut wait) => panic!("{ended:?}"),
        () = states.are(id, &["Running"]) => {}
    }
    assert_eq!(wait, caps::RESTART_BACKOFF);
    // What comes while nobody reads is read, and nothing else is read again.
    move_to(&broker, &[("anna", "Enns")]).await;
    let has_all = |all: &BTreeMap<_, _>| all.get(&partition).is_some_and(|reached| *reached > end);
    tokio::select! {
        ended = reader.attempt(&mut wait) => panic!("{ended:?}"),
        all = reached.wait_for(has_all) => drop(all.unwrap()),
    }
    assert_eq!(seen.of("towns").records_in, 4);
    let town = |name: &[u8]| job.globals.get("towns-global", name);
    assert!(town(b"anna").is_some_and(|town| town.ends_with(b"Enns")));
    assert!(town(b"ben").is_some_and(|town| town.ends_with(b"Linz")));
}

#[tokio::test]
async fn table_whose_topic_has_lost_records_is_what_is_left_of_it() {
    let (broker, states) = (a_broker(), Arc::new(States::default()));
    let (partition, end) = move_to(&broker, &[("ben", "Linz"), ("anna", "Graz")]).await;
    let job = job(&broker, Settings { meter: states.clone(), ..settings(InputEnd::Unbounded) }).await;
    let id = reader(&job.topology);
    let (reader, _handle) = Reader::new(Arc::clone(&job), broker.transport(), id.part);
    let mut wait = caps::RESTART_BACKOFF;
    tokio::select! {
        ended = reader.attempt(&mut wait) => panic!("{ended:?}"),
        () = states.are(id, &["Running"]) => {}
    }
    // A removal that nobody has seen.
    move_to(&broker, &[("anna", "Wien")]).await;
    broker.trim("towns", partition.partition.0, end.0 + 1);
    let error = reader.attempt(&mut wait).await.unwrap_err();
    assert!(matches!(error, TaskError::Overtaken { .. }) && error.is_retriable(), "{error}");
    assert!(job.globals.get("towns-global", b"anna").is_some());
    tokio::select! {
        ended = reader.attempt(&mut wait) => panic!("{ended:?}"),
        () = states.are(id, &["Running", "Running"]) => {}
    }
    assert_eq!(job.globals.get("towns-global", b"anna"), None);
    assert!(job.globals.get("towns-global", b"ben").is_some());
}
