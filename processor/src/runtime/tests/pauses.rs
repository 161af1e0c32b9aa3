//! Runs that end because their input does, and later ones on the same state.

use mainstem_client::Text;

use super::*;
use crate::{
    Counters, Serde, Settings, StreamBuilder, TimeWindows, Topology, Windowed, graph::mark::Mark,
    runtime::run,
};

/// Runs a topology from where it is to the ends of the input.
async fn run_to_the_end(broker: &FakeBroker, topology: Topology, counters: &Arc<Counters>) {
    let settings = Settings {
        input_end: InputEnd::At(ends(broker, "in").await),
        commit_interval: Duration::from_millis(5),
        meter: Arc::clone(counters) as _,
        ..Settings::default()
    };
    run(topology, settings, broker.transport()).await.unwrap().ended().await.unwrap();
}

async fn ends(broker: &FakeBroker, topic: &str) -> HashMap<TopicPartition, Offset> {
    use mainstem_client::consumer::{Consumer, ConsumerConfig};
    let consumer = Consumer::new(broker, ConsumerConfig::default());
    let partitions = consumer.partitions(topic).await.unwrap();
    consumer.end_offsets(&partitions).await.unwrap()
}

/// Writes values to the first partition, all with one key.
async fn write(broker: &FakeBroker, values: &[(i64, &str)]) {
    produce(broker, values.iter().map(|(time, value)| (*time, "k", *value))).await;
}

/// Counts by key, and so without a repartition topic, or by value, and so behind one.
fn counted(is_by_value: bool) -> Topology {
    let builder = StreamBuilder::new("p");
    let stream = builder.stream::<Text, Text>("in");
    let grouped = if is_by_value { stream.group_by(|_, value| value.clone()) } else { stream.group_by_key() };
    grouped.count("counts").to("out");
    builder.build().unwrap()
}

fn windowed(is_by_value: bool) -> Topology {
    let builder = StreamBuilder::new("p");
    let stream = builder.stream::<Text, Text>("in");
    let grouped = if is_by_value { stream.group_by(|_, value| value.clone()) } else { stream.group_by_key() };
    let windows = TimeWindows::tumbling(Duration::from_millis(10)).grace(Duration::from_millis(5));
    grouped.windowed_by(windows).on_close().count("counts").to("out");
    builder.build().unwrap()
}

/// The last count of each key.
async fn counts(broker: &FakeBroker) -> HashMap<String, i64> {
    let count = |record: Record| {
        (text(record.key.as_ref().unwrap()).to_owned(), i64::decode(record.value.as_ref()).unwrap())
    };
    records(broker).await.into_iter().map(count).collect()
}

/// Windows and counts, in the order of windows.
async fn windows(broker: &FakeBroker) -> Vec<(i64, i64)> {
    let result = |record: Record| {
        let key = Windowed::<String>::decode(record.key.as_ref()).unwrap();
        (key.window.start.0, i64::decode(record.value.as_ref()).unwrap())
    };
    let mut all: Vec<_> = records(broker).await.into_iter().map(result).collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn second_run_counts_what_is_new() {
    let (broker, counters) = (broker(1), Arc::default());
    for count in 1..=3 {
        write(&broker, &[(count, "v"), (1, "v")]).await;
        run_to_the_end(&broker, counted(false), &counters).await;
        assert_eq!(counts(&broker).await, HashMap::from([("k".to_owned(), 2 * count)]));
    }
}

#[tokio::test]
async fn second_run_counts_what_is_new_behind_a_repartition_topic() {
    for partitions in 1..=3 {
        let (broker, counters) = (broker(partitions), Arc::default());
        for count in 1..=4 {
            write(&broker, &[(count, "a"), (1, "b"), (1, "c"), (2, "a")]).await;
            run_to_the_end(&broker, counted(true), &counters).await;
            let expected =
                [("a", 2 * count), ("b", count), ("c", count)].map(|(key, count)| (key.to_owned(), count));
            assert_eq!(counts(&broker).await, HashMap::from(expected), "{partitions} partitions");
        }
    }
}

#[tokio::test]
async fn run_without_new_input_ends_and_changes_nothing() {
    let (broker, counters) = (broker(2), Arc::default());
    write(&broker, &[(1, "a"), (2, "b")]).await;
    for _ in 0..3 {
        run_to_the_end(&broker, windowed(true), &counters).await;
        assert_eq!(windows(&broker).await, [(0, 1), (0, 1)]);
    }
}

/// Marks of a run that was killed before it had read them say nothing about the next one.
#[tokio::test]
async fn marks_that_an_earlier_run_has_left_end_nothing() {
    let (broker, counters) = (broker(1), Arc::default());
    write(&broker, &[(1, "a")]).await;
    run_to_the_end(&broker, counted(true), &counters).await;
    let mark = Mark { task: 0, watermark: Timestamp(i64::MAX), is_idle: false };
    let left = mark.record(&Text::from("p-counts-repartition"), 0.into());
    let producer = Producer::new(&broker, ProducerConfig::default());
    let mut record = ProducerRecord::new("p-counts-repartition").partition(0).timestamp(Timestamp(0));
    record.headers = left.record.headers;
    drop(producer.send(record).await.unwrap());
    producer.close().await;
    let many: Vec<_> = (0..500).map(|time| (time, "a")).collect();
    write(&broker, &many).await;
    run_to_the_end(&broker, counted(true), &counters).await;
    assert_eq!(counts(&broker).await, HashMap::from([("a".to_owned(), 501)]));
}

#[tokio::test]
async fn windows_that_the_end_has_closed_stay_closed_and_later_ones_count() {
    for is_by_value in [false, true] {
        let (broker, counters) = (broker(1), Arc::default());
        write(&broker, &[(1, "a"), (12, "a"), (22, "a")]).await;
        run_to_the_end(&broker, windowed(is_by_value), &counters).await;
        assert_eq!(windows(&broker).await, [(0, 1), (10, 1), (20, 1)]);
        // 23 is for a window that time has not closed, but the end of the input.
        write(&broker, &[(23, "a"), (31, "a"), (5, "a"), (29, "a"), (38, "a"), (41, "a")]).await;
        run_to_the_end(&broker, windowed(is_by_value), &counters).await;
        assert_eq!(windows(&broker).await, [(0, 1), (10, 1), (20, 1), (30, 2), (40, 1)]);
        assert_eq!(counters.of("counts").late, 3);
    }
}

#[tokio::test]
async fn windows_of_a_processor_stay_closed_too() {
    let (broker, late) = (broker(1), Arc::new(Counts::default()));
    for (piece, end) in [(&[(1, "a", ""), (12, "a", "")][..], 2), (&[(13, "a", ""), (20, "a", "")], 4)] {
        produce(&broker, piece.iter().copied()).await;
        start(&broker, spec().meter(late.clone()).input_end(until(end))).await.ended().await.unwrap();
    }
    assert_eq!(output(&broker).await, ["a 0 1", "a 10 1", "a 20 1"]);
    assert_eq!(late.late.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn run_without_an_end_goes_on_behind_one_that_ended() {
    let (broker, counters) = (broker(1), Arc::default());
    write(&broker, &[(1, "a")]).await;
    run_to_the_end(&broker, counted(true), &counters).await;
    write(&broker, &[(2, "a")]).await;
    let handle = run(counted(true), Settings::default(), broker.transport()).await.unwrap();
    committed(&handle, 2).await;
    let repartition = TopicPartition::new("p-counts-repartition", 0);
    let end = ends(&broker, &repartition.topic).await[&repartition];
    handle.committed(&repartition, end).await.unwrap();
    handle.stop().await.unwrap();
    assert_eq!(counts(&broker).await, HashMap::from([("a".to_owned(), 2)]));
}

/// What lies behind an end that is in front of where a run has been is not counted again by the next one.
#[tokio::test]
async fn run_to_an_earlier_end_takes_nothing_back() {
    let broker = broker(1);
    produce(&broker, [(1, "a", ""), (2, "a", ""), (30, "a", ""), (31, "a", "")]).await;
    for end in [3, 1, 4] {
        start(&broker, spec().input_end(until(end))).await.ended().await.unwrap();
        assert_eq!(broker.committed("p", "in", 0), Some(end.max(3)));
    }
}
