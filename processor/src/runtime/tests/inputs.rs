//! Tasks of several inputs.

use mainstem_client::{
    Admin, AdminConfig, Transport,
    admin::AlterConfigs,
    clock::Clock,
    protocol::{ApiKey, messages::RequestBody},
    testing::Around,
};
use tokio::sync::watch;

use super::{trouble::TASK, *};
use crate::{
    Buffered, Settings, SourceSpec, TaskId, caps,
    runtime::{life::Attempts, task::Task, tests::trouble::job_of},
};

/// Passes on which record it was.
struct Copy;

impl Processor for Copy {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            let value = format!("{} {}", batch.partition.topic, input.event_time);
            let key = Some(Bytes::from_static(b"k"));
            ctx.forward("out", OutputRecord { key, value: Some(value.into()), ..Default::default() })?;
        }
        Ok(())
    }
}

pub(super) fn two_inputs(input_end: InputEnd) -> ProcessorSpec {
    let spec = ProcessorSpec::new("p", || Copy).input("in").input("other").output("out", "out");
    spec.commit_interval(Duration::from_millis(5)).input_end(input_end)
}

pub(super) async fn write(broker: &FakeBroker, topic: &str, times: impl IntoIterator<Item = i64>) {
    let producer = Producer::new(broker, ProducerConfig { batch_bytes: 200, ..ProducerConfig::default() });
    for time in times {
        let record = ProducerRecord::new(topic.to_owned()).partition(0).timestamp(Timestamp(time)).value("v");
        drop(producer.send(record).await.unwrap());
    }
    producer.close().await;
}

pub(super) fn with_two_topics() -> FakeBroker {
    let broker = broker(1);
    broker.create_topic("other", 1);
    broker
}

/// Everything in the output.
pub(super) async fn copies(broker: &FakeBroker) -> Vec<String> {
    records(broker).await.iter().map(|record| text(record.value.as_ref().unwrap()).to_owned()).collect()
}

fn ends(ends: [i64; 2]) -> InputEnd {
    let of = |(topic, end)| (TopicPartition::new(topic, 0), Offset(end));
    InputEnd::At(["in", "other"].into_iter().zip(ends).map(of).collect())
}

/// With room for few records, so that inputs are paused and read on.
fn narrow(mut spec: ProcessorSpec) -> ProcessorSpec {
    let Settings { buffered_records_per_partition: records, .. } = &mut spec.settings;
    *records = 7;
    spec
}

/// Trap 55.
#[tokio::test]
async fn inputs_are_merged_by_time_however_far_apart_they_are() {
    let broker = with_two_topics();
    // The first input is worked off before the second one, but for its last record.
    write(&broker, "in", (0..3000).chain([9000])).await;
    write(&broker, "other", 3000..6000).await;
    start(&broker, narrow(two_inputs(ends([3001, 3000])))).await.ended().await.unwrap();
    let expected = (0..3000).map(|time| format!("in {time}"));
    let expected = expected.chain((3000..6000).map(|time| format!("other {time}")));
    assert_eq!(copies(&broker).await, expected.chain(["in 9000".to_owned()]).collect::<Vec<_>>());
}

/// Trap 54.
#[tokio::test]
async fn input_without_records_holds_nothing_up() {
    let broker = with_two_topics();
    write(&broker, "in", [1, 2, 3]).await;
    let handle = start(&broker, two_inputs(InputEnd::Unbounded)).await;
    committed(&handle, 3).await;
    assert_eq!(copies(&broker).await, ["in 1", "in 2", "in 3"]);
    write(&broker, "other", [2]).await;
    handle.committed(&TopicPartition::new("other", 0), Offset(1)).await.unwrap();
    handle.stop().await.unwrap();
}

#[tokio::test]
async fn input_is_waited_for_as_long_as_it_is_said() {
    let broker = with_two_topics();
    write(&broker, "in", [5, 6]).await;
    let mut spec = two_inputs(InputEnd::Unbounded);
    spec.settings.max_task_idle = Some(Duration::from_secs(3600));
    let handle = start(&broker, spec).await;
    // By then the task has the records of the first input, and knows that the second one has none.
    while broker.asked(ApiKey::Fetch) < 3 {
        tokio::task::yield_now().await;
    }
    write(&broker, "other", [4, 6, 9]).await;
    committed(&handle, 2).await;
    handle.stop().await.unwrap();
    assert_eq!(copies(&broker).await, ["other 4", "in 5", "in 6"]);
}

#[tokio::test]
async fn what_waits_when_a_task_stops_is_read_again() {
    let broker = with_two_topics();
    write(&broker, "in", [1, 2, 3, 7]).await;
    write(&broker, "other", [4]).await;
    let mut spec = two_inputs(InputEnd::Unbounded);
    spec.settings.max_task_idle = Some(Duration::from_secs(3600));
    let handle = start(&broker, spec).await;
    committed(&handle, 3).await;
    handle.stop().await.unwrap();
    assert_eq!(broker.committed("p", "in", 0), Some(3));
    start(&broker, two_inputs(ends([4, 1]))).await.ended().await.unwrap();
    assert_eq!(copies(&broker).await, ["in 1", "in 2", "in 3", "other 4", "in 7"]);
}

/// A clock that stands.
#[derive(Debug)]
struct Stands(i64);

impl Clock for Stands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0)
    }
}

#[tokio::test]
async fn input_by_the_clock_has_the_time_of_the_settings_clock_at_which_it_is_taken() {
    let broker = with_two_topics();
    write(&broker, "in", [1, 9_000_000]).await;
    write(&broker, "other", [4, 6000]).await;
    let spec = ProcessorSpec::new("p", || Copy).input_with("in", SourceSpec::new().processing_time());
    let mut spec = spec.input("other").output("out", "out").input_end(ends([2, 2]));
    spec.settings = Settings { clock: Arc::new(Stands(5000)), ..spec.settings };
    start(&broker, spec).await.ended().await.unwrap();
    let mut copies = copies(&broker).await;
    copies.sort();
    assert_eq!(copies, ["in 5000", "in 5000", "other 4", "other 6000"]);
}

/// Waits until the output has so many records.
async fn awaited(broker: &FakeBroker, count: usize) -> Vec<String> {
    loop {
        let all = output(broker).await;
        if all.len() >= count {
            return all;
        }
        tokio::task::yield_now().await;
    }
}

fn by_clock_when_idle(clock: i64) -> ProcessorSpec {
    let mut spec = spec();
    spec.settings = Settings {
        idle_after: Some(Duration::from_millis(5)),
        clock_when_idle: Some(Duration::from_millis(100)),
        clock: Arc::new(Stands(clock)),
        ..spec.settings
    };
    spec
}

/// Trap 52.
#[tokio::test]
async fn clock_closes_the_last_windows_where_it_is_wanted_and_they_stay_closed_over_a_restart() {
    let broker = broker(1);
    produce(&broker, [(1, "a", ""), (42, "a", "")]).await;
    let handle = start(&broker, by_clock_when_idle(150)).await;
    assert_eq!(awaited(&broker, 2).await, ["a 0 1", "a 40 1"]);
    handle.stop().await.unwrap();
    // The clock was set back meanwhile; time was not.
    produce(&broker, [(49, "a", ""), (50, "a", "")]).await;
    start(&broker, by_clock_when_idle(0).input_end(until(4))).await.ended().await.unwrap();
    assert_eq!(output(&broker).await, ["a 0 1", "a 40 1", "a 50 1"]);
}

/// A broker that leaves requests for records unanswered while it is shut.
fn gated(broker: &FakeBroker, is_open: watch::Receiver<bool>) -> Around {
    Around::new(broker.transport(), move |inner, call| {
        let mut is_open = is_open.clone();
        async move {
            if matches!(call.request, RequestBody::Fetch(_)) {
                drop(is_open.wait_for(|is_open| *is_open).await);
            }
            inner.call(call).await
        }
    })
}

#[tokio::test(start_paused = true)]
async fn input_whose_broker_does_not_answer_is_not_taken_to_be_idle() {
    let (broker, gate) = (broker(1), watch::Sender::new(true));
    produce(&broker, [(1, "a", ""), (42, "a", "")]).await;
    let mut spec = by_clock_when_idle(150);
    spec.settings.idle_after = Some(Duration::from_secs(1));
    let job = Arc::new(job_of(&broker, spec).await);
    let transport: Arc<dyn Transport> = Arc::new(gated(&broker, gate.subscribe()));
    let (task, handle) = Task::new(Arc::clone(&job), transport, TASK, Vec::new());
    let outage = async {
        let mut committed = handle.committed.clone();
        committed.wait_for(|all| all.values().any(|reached| reached.0 == 2)).await.unwrap();
        gate.send_replace(false);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(output(&broker).await, ["a 0 1"]);
        gate.send_replace(true);
        // By the time that is paused, which goes on only where nothing else does.
        while output(&broker).await != ["a 0 1", "a 40 1"] {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        job.stop.send_replace(true);
    };
    let mut wait = caps::RESTART_BACKOFF;
    let (end, ()) = tokio::join!(task.attempt(&mut wait), outage);
    end.unwrap();
}

#[tokio::test]
async fn start_is_refused_where_the_time_of_the_append_is_wanted_and_the_topic_has_that_of_its_producers() {
    let broker = broker(1);
    produce(&broker, [(1, "a", ""), (42, "a", "")]).await;
    let by_append = || {
        let spec = ProcessorSpec::new("p", counter).output("counts", "out").store("counts");
        spec.input_with("in", SourceSpec::new().append_time()).input_end(until(2))
    };
    let error = super::super::start(by_append(), broker.transport()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "source in.source wants the time at which records were appended to in, which has that of their producers \
         (message.timestamp.type=CreateTime): mainstem config set topic in message.timestamp.type=LogAppendTime"
    );
    let admin = Admin::new(&broker, AdminConfig::default());
    let change = AlterConfigs::topic("in").set("message.timestamp.type", "LogAppendTime");
    admin.incremental_alter_configs(change).await.unwrap();
    start(&broker, by_append()).await.ended().await.unwrap();
    assert_eq!(output(&broker).await, ["a 0 1", "a 40 1"]);
}

/// Keeps what was last told to wait.
#[derive(Debug, Default)]
struct Waiting(watch::Sender<Buffered>);

impl Meter for Waiting {
    fn buffered(&self, _: TaskId, buffered: Buffered) {
        self.0.send_replace(buffered);
    }
}

#[tokio::test]
async fn what_waits_to_be_merged_is_told() {
    let (broker, meter) = (with_two_topics(), Arc::new(Waiting::default()));
    let mut spec = two_inputs(InputEnd::Unbounded).meter(Arc::clone(&meter) as _);
    let Settings { max_task_idle, .. } = &mut spec.settings;
    *max_task_idle = Some(Duration::from_secs(3600));
    let mut told = meter.0.subscribe();
    let handle = start(&broker, spec).await;
    write(&broker, "in", [1, 2]).await;
    told.wait_for(|buffered| *buffered == Buffered { records: 2, bytes: 2 }).await.unwrap();
    // Both records of the one are older than that of the other, which waits for what comes behind them.
    write(&broker, "other", [3]).await;
    told.wait_for(|buffered| *buffered == Buffered { records: 1, bytes: 1 }).await.unwrap();
    handle.stop().await.unwrap();
}
