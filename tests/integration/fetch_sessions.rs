//! Fetch sessions over TCP: with records, with topics that come and go, and with requests that wait.

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, Text, TopicId,
    messages::{
        DeleteTopicsRequest, FetchRequest, FetchResponse,
        fetch::{FetchPartition, FetchTopic, ForgottenTopic},
    },
};

use std::sync::Arc;

use mainstem::embed::LocalTransport;
use mainstem_client::{
    Consumer, ConsumerConfig, TcpConfig, TcpTransport, TopicPartition, Transport, consumer::OffsetReset,
};

use crate::harness::{Client, PATIENCE, TestBroker, at, batch, bytes_of};

const NAMES: i16 = 12;
const IDS: i16 = 17;

/// Partitions of a topic, each from an offset on.
fn topic(name: &str, partitions: &[(i32, i64)]) -> FetchTopic {
    let partition = |(number, offset): &(i32, i64)| FetchPartition {
        partition: PartitionId(*number),
        fetch_offset: Offset(*offset),
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let partitions = partitions.iter().map(partition).collect();
    FetchTopic { topic: Text::from(name), partitions, ..FetchTopic::default() }
}

fn by_id(id: TopicId, partitions: &[(i32, i64)]) -> FetchTopic {
    FetchTopic { topic_id: id, ..topic("", partitions) }
}

fn request(session: (i32, i32), topics: Vec<FetchTopic>) -> FetchRequest {
    let (session_id, session_epoch) = session;
    FetchRequest {
        session_id,
        session_epoch,
        topics,
        min_bytes: 1,
        max_bytes: 1 << 20,
        ..FetchRequest::default()
    }
}

fn told(response: &FetchResponse) -> Vec<(String, i32, ErrorCode)> {
    let topics = response.responses.iter();
    let told = topics.flat_map(|topic| {
        let name = topic.topic.to_string();
        let of = move |data: &mainstem_protocol::messages::fetch::PartitionData| {
            (name.clone(), data.partition_index.0, data.error_code)
        };
        topic.partitions.iter().map(of)
    });
    told.collect()
}

async fn open(client: &mut Client, version: i16, topics: Vec<FetchTopic>) -> i32 {
    let response = client.ask(version, request((0, 0), topics)).await;
    assert_eq!(response.error_code, ErrorCode::NONE);
    assert!(response.session_id > 0, "{}", response.session_id);
    response.session_id
}

fn ok(name: &str, partition: i32) -> (String, i32, ErrorCode) {
    (name.to_owned(), partition, ErrorCode::NONE)
}

#[tokio::test]
async fn a_session_brings_the_records_of_all_its_partitions() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("logs", 3, &[]).await;
    let id = open(&mut client, NAMES, vec![topic("logs", &[(0, 0), (1, 0), (2, 0)])]).await;
    let sent = batch(&[b"x"]);
    client.produce("logs", 1, sent.clone()).await;
    // Another connection goes on with it.
    let mut other = broker.connect().await;
    let response = other.ask(NAMES, request((id, 1), Vec::new())).await;
    assert_eq!((response.session_id, told(&response)), (id, vec![ok("logs", 1)]));
    assert_eq!(bytes_of(&response.responses[0].partitions[0]), at(&sent, 0));
    let response = other.ask(NAMES, request((id, 2), vec![topic("logs", &[(1, 1)])])).await;
    assert_eq!((response.session_id, told(&response)), (id, Vec::new()));
    let response = client.ask(NAMES, request((id, 2), Vec::new())).await;
    assert_eq!(response.error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    let text = broker.broker().node().metrics.render().unwrap();
    for line in [
        "mainstem_fetch_session_requests_total 2",
        "mainstem_fetch_sessions 1",
        "mainstem_fetch_session_partitions 3",
    ] {
        assert!(text.lines().any(|shown| shown == line), "no {line} in:\n{text}");
    }
}

#[tokio::test]
async fn a_request_of_a_session_waits_for_partitions_that_it_does_not_name() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("logs", 2, &[]).await;
    let id = open(&mut client, NAMES, vec![topic("logs", &[(0, 0), (1, 0)])]).await;
    let patient = FetchRequest { max_wait_ms: 20_000, ..request((id, 1), Vec::new()) };
    let sent = client.send(NAMES, patient).await;
    let mut writer = broker.connect().await;
    writer.produce("logs", 1, batch(&[b"x"])).await;
    let (received, response) = client.receive::<FetchRequest>(NAMES).await;
    assert_eq!((received, told(&response)), (sent, vec![ok("logs", 1)]));
}

#[tokio::test]
async fn a_topic_that_comes_later_is_found_by_its_session() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("first", 1, &[]).await;
    let asked = vec![topic("first", &[(0, 0)]), topic("later", &[(0, 0)])];
    let id = open(&mut client, NAMES, asked).await;
    let unknown = ("later".to_owned(), 0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    for epoch in 1..3 {
        let response = client.ask(NAMES, request((id, epoch), Vec::new())).await;
        assert_eq!(told(&response), std::slice::from_ref(&unknown));
    }
    client.create_topic("later", 1, &[]).await;
    let response = client.ask(NAMES, request((id, 3), Vec::new())).await;
    assert_eq!(told(&response), [ok("later", 0)], "the error has gone");
    let response = client.ask(NAMES, request((id, 4), Vec::new())).await;
    assert_eq!(told(&response), []);
}

#[tokio::test]
async fn a_topic_made_anew_is_unknown_until_its_new_id_is_named() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let id_of = || broker.broker().node().store.topics().named("again").unwrap().id;
    client.create_topic("again", 1, &[]).await;
    let old = id_of();
    let session = open(&mut client, IDS, vec![by_id(old, &[(0, 0)])]).await;
    let delete = DeleteTopicsRequest { topic_names: vec![Text::from("again")], ..Default::default() };
    client.ask(5, delete).await;
    client.create_topic("again", 1, &[]).await;
    client.produce("again", 0, batch(&[b"x"])).await;
    let response = client.ask(IDS, request((session, 1), Vec::new())).await;
    assert_eq!(told(&response)[0].2, ErrorCode::UNKNOWN_TOPIC_ID);
    let forgotten =
        vec![ForgottenTopic { topic_id: old, partitions: vec![PartitionId(0)], ..Default::default() }];
    let anew = FetchRequest {
        forgotten_topics_data: forgotten,
        ..request((session, 2), vec![by_id(id_of(), &[(0, 0)])])
    };
    let response = client.ask(IDS, anew).await;
    assert_eq!((told(&response), response.responses[0].topic_id), (vec![ok("", 0)], id_of()));
    let response = client.ask(IDS, request((session, 3), vec![by_id(id_of(), &[(0, 1)])])).await;
    assert_eq!((response.session_id, told(&response)), (session, Vec::new()));
}

#[tokio::test]
async fn where_there_is_not_room_for_all_partitions_take_turns() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("busy", 3, &[]).await;
    for partition in 0..3 {
        client.produce("busy", partition, batch(&[&[7; 500]])).await;
    }
    let small = |session, topics| FetchRequest { max_bytes: 1, ..request(session, topics) };
    let first = client.ask(NAMES, small((0, 0), vec![topic("busy", &[(0, 0), (1, 0), (2, 0)])])).await;
    let id = first.session_id;
    let mut served = Vec::new();
    for epoch in 1..7 {
        let response = client.ask(NAMES, small((id, epoch), Vec::new())).await;
        let data = response.responses.iter().flat_map(|topic| &topic.partitions);
        served.extend(data.filter(|data| !bytes_of(data).is_empty()).map(|data| data.partition_index.0));
    }
    assert_eq!(served, [0, 1, 2, 0, 1, 2]);
}

#[tokio::test]
async fn a_restarted_broker_knows_no_session() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("logs", 1, &[]).await;
    let id = open(&mut client, NAMES, vec![topic("logs", &[(0, 0)])]).await;
    let broker = broker.restart().await;
    let mut client = broker.connect().await;
    let response = client.ask(NAMES, request((id, 1), Vec::new())).await;
    assert_eq!((response.error_code, response.session_id), (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0));
}

#[tokio::test]
async fn every_version_with_sessions_can_go_on_with_one() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("versions", 1, &[]).await;
    let topic_id = broker.broker().node().store.topics().named("versions").unwrap().id;
    for version in 7..=IDS {
        let asked = if version > NAMES { by_id(topic_id, &[(0, 0)]) } else { topic("versions", &[(0, 0)]) };
        let id = open(&mut client, version, vec![asked]).await;
        let response = client.ask(version, request((id, 1), Vec::new())).await;
        assert_eq!((response.session_id, told(&response)), (id, Vec::new()), "{version}");
    }
}

/// Sessions now, and the requests that went on with one.
fn counted(broker: &TestBroker) -> (usize, usize) {
    let text = broker.broker().node().metrics.render().unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    };
    (value("mainstem_fetch_sessions "), value("mainstem_fetch_session_requests_total "))
}

/// Reads some records one after the other, each written after the one before was read, and what is counted then.
async fn read_each(broker: &TestBroker, transport: &dyn Transport) -> (usize, usize) {
    let mut client = broker.connect().await;
    client.create_topic("logs", 3, &[]).await;
    let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    let mut consumer = Consumer::new(transport, config);
    consumer.assign((0..3).map(|partition| TopicPartition::new("logs", partition)));
    for number in 0..12 {
        let (partition, value) = (number % 3, number.to_string());
        client.produce("logs", partition, batch(&[value.as_bytes()])).await;
        let next = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap().unwrap();
        assert_eq!(next.partition, TopicPartition::new("logs", partition));
        assert_eq!(next.record.value.as_deref(), Some(value.as_bytes()));
    }
    let before = counted(broker);
    consumer.close().await;
    before
}

#[tokio::test]
async fn our_consumer_goes_on_with_one_session_and_closes_it() {
    let broker = TestBroker::start().await;
    let (_, address) = &broker.broker().listeners()[0];
    let transport: Arc<dyn Transport> =
        Arc::new(TcpTransport::new(TcpConfig::bootstrap(&address.to_string())));
    let (sessions, requests) = read_each(&broker, &*transport).await;
    assert_eq!(sessions, 1);
    assert!(requests >= 11, "{requests}");
    assert_eq!(counted(&broker).0, 0);
}

#[tokio::test]
async fn within_the_process_there_are_no_sessions() {
    let broker = TestBroker::start().await;
    let transport: Arc<dyn Transport> = Arc::new(LocalTransport::new(broker.broker(), "test"));
    assert_eq!(read_each(&broker, &*transport).await, (0, 0));
}
