//! A join by a foreign key on real threads: its topics lead in a circle, and nothing is lost where one of its tasks dies.

use mainstem_client::Text;
use tokio::sync::watch;

use super::{
    restarts::{Death, mortal},
    *,
};
use crate::{Counters, Serde, Settings, StreamBuilder, TimeWindows, Topology, runtime::run};

fn joined() -> Topology {
    let builder = StreamBuilder::new("p");
    let (orders, towns) = (builder.table::<Text, Text>("orders"), builder.table::<Text, Text>("towns"));
    let shipping = orders.left_join_foreign(
        &towns,
        "shipping",
        |_, name| Some(name.clone()),
        |_, name, town| Text::from(format!("{name} {}", town.map_or("?", |town| &**town))),
    );
    shipping.to("out");
    builder.build().unwrap()
}

/// Topic, key, value; in this order, each when the one before was taken.
const RECORDS: [(&str, &str, Option<&str>); 12] = [
    ("orders", "1", Some("anna")),
    ("towns", "anna", Some("Graz")),
    ("orders", "2", Some("ben")),
    ("orders", "3", Some("anna")),
    ("towns", "ben", Some("Linz")),
    ("orders", "1", Some("ben")),
    ("towns", "anna", Some("Wien")),
    ("orders", "2", None),
    ("orders", "4", Some("carl")),
    ("towns", "ben", None),
    ("orders", "3", Some("carl")),
    ("orders", "3", Some("anna")),
];

const EXPECTED: [(&str, &str); 3] = [("1", "ben ?"), ("3", "anna Wien"), ("4", "carl ?")];

fn a_broker() -> FakeBroker {
    let broker = FakeBroker::new();
    broker.create_topic("orders", 2);
    broker.create_topic("towns", 3);
    broker.create_topic("out", 1);
    broker
}

async fn feed(broker: &FakeBroker, records: &[(&str, &str, Option<&str>)]) {
    let producer = Producer::new(broker, ProducerConfig::default());
    for (time, (topic, key, value)) in (0..).zip(records) {
        let record = ProducerRecord::new(*topic).timestamp(Timestamp(time)).key((*key).to_owned());
        let record = ProducerRecord { value: value.map(|value| Bytes::from(value.to_owned())), ..record };
        drop(producer.send(record).await.unwrap());
    }
    producer.close().await;
}

/// Where the inputs end.
async fn ends(broker: &FakeBroker) -> InputEnd {
    use mainstem_client::consumer::{Consumer, ConsumerConfig};
    let of =
        |topic: &'static str, count: i32| (0..count).map(move |number| TopicPartition::new(topic, number));
    let partitions: Vec<_> = of("orders", 2).chain(of("towns", 3)).collect();
    let consumer = Consumer::new(broker, ConsumerConfig::default());
    InputEnd::At(consumer.end_offsets(&partitions).await.unwrap())
}

fn settings(input_end: InputEnd) -> Settings {
    Settings { input_end, commit_interval: Duration::from_millis(5), ..Settings::default() }
}

/// The table that the output leads to.
async fn table(broker: &FakeBroker) -> Vec<(String, String)> {
    let mut table = BTreeMap::new();
    for record in records(broker).await {
        let key = String::decode(record.key.as_ref()).unwrap();
        table.insert(key, Option::<String>::decode(record.value.as_ref()).unwrap());
    }
    table.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

fn expected() -> Vec<(String, String)> {
    EXPECTED.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

#[tokio::test]
async fn bounded_input_ends_though_tasks_wait_for_one_another() {
    let broker = a_broker();
    feed(&broker, &RECORDS).await;
    let ends = ends(&broker).await;
    run(joined(), settings(ends), broker.transport()).await.unwrap().ended().await.unwrap();
    assert_eq!(table(&broker).await, expected());
}

/// Runs with a transport that dies at a write to a topic, and again with one that does not.
async fn survives(topic: &str, left: u64, is_written: bool) {
    let broker = a_broker();
    let death = Death::new(topic, left, is_written);
    let first =
        run(joined(), settings(InputEnd::Unbounded), Arc::new(mortal(&broker, &death))).await.unwrap();
    let mut has_come: watch::Receiver<bool> = death.has_come.subscribe();
    let (front, rest) = RECORDS.split_at(6);
    feed(&broker, front).await;
    if left > 0 {
        feed(&broker, rest).await;
    }
    has_come.wait_for(|has_come| *has_come).await.unwrap();
    drop(first);
    if left == 0 {
        feed(&broker, rest).await;
    }
    let ends = ends(&broker).await;
    run(joined(), settings(ends), broker.transport()).await.unwrap().ended().await.unwrap();
    assert_eq!(table(&broker).await, expected(), "{topic} {left} {is_written}");
}

/// Trap 43.
#[tokio::test]
async fn crash_on_the_way_there_or_back_loses_no_result() {
    let topics = [
        "p-shipping-subscription-repartition",
        "p-shipping-subscriptions-changelog",
        "p-shipping-response-repartition",
        "p-shipping-changelog",
        "p-orders-table-changelog",
        "out",
    ];
    for topic in topics {
        for is_written in [false, true] {
            survives(topic, 0, is_written).await;
        }
    }
    for topic in &topics[..3] {
        survives(topic, 1, true).await;
    }
}

/// Trap 58: time goes on behind the join, on both sides of the circle, and nothing is late there.
#[tokio::test]
async fn windows_behind_a_join_close_once_with_the_input() {
    let builder = StreamBuilder::new("p");
    let (orders, towns) = (builder.table::<Text, Text>("orders"), builder.table::<Text, Text>("towns"));
    let named = |_: &Text, name: &Text| Some(name.clone());
    let shipping = orders.join_foreign(&towns, "shipping", named, |_, _, town| town.clone());
    let windows = TimeWindows::tumbling(Duration::from_secs(1));
    let grouped = shipping.updates().group_by(|_, town| town.clone()).windowed_by(windows);
    grouped.on_close().count("counts").to("out");
    let broker = a_broker();
    feed(&broker, &[("towns", "anna", Some("Graz")), ("orders", "1", Some("anna"))]).await;
    let (ends, counters) = (ends(&broker).await, Arc::new(Counters::default()));
    let settings = Settings { meter: Arc::clone(&counters) as _, ..settings(ends) };
    run(builder.build().unwrap(), settings, broker.transport()).await.unwrap().ended().await.unwrap();
    let counts: Vec<_> =
        records(&broker).await.iter().map(|record| i64::decode(record.value.as_ref()).unwrap()).collect();
    assert_eq!((counts, counters.of("counts").late), (vec![1], 0));
}

/// More orders than are answered at once.
const MANY: usize = 2500;

async fn feed_many(broker: &FakeBroker) {
    let numbers: Vec<_> = (0..MANY).map(|number| number.to_string()).collect();
    let orders: Vec<_> = numbers.iter().map(|number| ("orders", &**number, Some("anna"))).collect();
    feed(broker, &orders).await;
    feed(broker, &[("towns", "anna", Some("Graz")), ("towns", "anna", Some("Wien"))]).await;
}

async fn has_them_all(broker: &FakeBroker) {
    let ends = ends(broker).await;
    run(joined(), settings(ends), broker.transport()).await.unwrap().ended().await.unwrap();
    let found = table(broker).await;
    assert_eq!(found.len(), MANY);
    assert!(found.iter().all(|(_, shipping)| shipping == "anna Wien"));
}

#[tokio::test]
async fn update_that_concerns_many_is_told_to_all_of_them() {
    let broker = a_broker();
    feed_many(&broker).await;
    has_them_all(&broker).await;
}

#[tokio::test]
async fn crash_while_an_update_is_told_leaves_nobody_without_it() {
    for left in [1, 3] {
        let broker = a_broker();
        let death = Death::new("p-shipping-response-repartition", left, true);
        let settings = Settings { uncommitted_bytes_max: 1, ..settings(InputEnd::Unbounded) };
        let first = run(joined(), settings, Arc::new(mortal(&broker, &death))).await.unwrap();
        let mut has_come: watch::Receiver<bool> = death.has_come.subscribe();
        feed_many(&broker).await;
        has_come.wait_for(|has_come| *has_come).await.unwrap();
        drop(first);
        has_them_all(&broker).await;
    }
}
