//! What every transport has to do: one suite for TCP, for the broker in the same process, and for the fake.
//!
//! Behind the transport is a broker that lets topics be created; the suite creates topics of names that begin with
//! `suite-`, which must not exist yet.

#![allow(clippy::unwrap_used, reason = "this is a test, and a panic is its report")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, BrokerId, ErrorCode, Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, Text, Timestamp,
    messages::{
        CreateTopicsRequest, FetchRequest, FetchResponse, MetadataRequest, MetadataResponse, ProduceRequest,
        ProduceResponse, Request,
        create_topics::CreatableTopic,
        fetch::{FetchPartition, FetchTopic},
        produce::{PartitionProduceData, TopicProduceData},
    },
    records::{
        Attributes, BatchHeader, Compression, Records, crc32c,
        header::{HEADER_BYTES, LENGTH_END},
    },
};

use crate::transport::{BrokerAddress, Call, Lane, Node, Transport, TransportError};

const SOON: Duration = Duration::from_secs(20);

/// Runs the whole suite.
///
/// # Panics
/// Where the transport does not do what it should.
pub async fn run(transport: Arc<dyn Transport>) {
    let transport = transport.as_ref();
    versions_lie_within_ours(transport).await;
    unknown_node_is_an_error_that_a_refresh_may_cure(transport).await;
    let node = a_learnt_node_can_be_asked(transport).await;
    unknown_version_is_refused_before_it_is_sent(transport, node).await;
    fetched_bytes_are_those_that_were_produced(transport, node).await;
    calls_of_one_lane_keep_their_order(transport, node).await;
    produce_without_acks_is_answered_when_it_is_on_its_way(transport, node).await;
    a_waiting_fetch_holds_up_no_produce(transport, node).await;
    a_call_that_takes_too_long_ends_and_others_go_on(transport, node).await;
    a_split_transport_knows_the_same_brokers(transport, node).await;
}

async fn versions_lie_within_ours(transport: &dyn Transport) {
    for key in [ApiKey::Produce, ApiKey::Fetch, ApiKey::Metadata, ApiKey::JoinGroup] {
        let common = transport.versions(Node::Any, key).await.unwrap();
        assert!(key.versions().contains(common.start()) && key.versions().contains(common.end()));
    }
}

async fn unknown_node_is_an_error_that_a_refresh_may_cure(transport: &dyn Transport) {
    let request = MetadataRequest::default();
    let error = send(transport, Node::Id(BrokerId(4_711)), request, SOON).await.unwrap_err();
    assert!(matches!(error, TransportError::UnknownNode(_)), "{error}");
    assert!(error.is_retriable() && error.has_no_side_effects());
}

async fn a_learnt_node_can_be_asked(transport: &dyn Transport) -> Node {
    let answer: MetadataResponse =
        send(transport, Node::Any, MetadataRequest::default(), SOON).await.unwrap();
    let addresses = answer.brokers.iter().map(|broker| BrokerAddress {
        id: broker.node_id,
        host: broker.host.to_string(),
        port: broker.port.try_into().unwrap(),
    });
    transport.learn(&addresses.collect::<Vec<_>>());
    let node = Node::Id(answer.brokers.first().unwrap().node_id);
    let again: MetadataResponse = send(transport, node, MetadataRequest::default(), SOON).await.unwrap();
    assert_eq!(again.cluster_id, answer.cluster_id);
    node
}

async fn unknown_version_is_refused_before_it_is_sent(transport: &dyn Transport, node: Node) {
    let version = *ApiKey::Metadata.versions().end() + 1;
    let request = MetadataRequest::default().into();
    let call = Call { node, lane: Lane::General, version, request, timeout: SOON };
    let error = transport.call(call).await.unwrap_err();
    assert!(error.has_no_side_effects() && !error.is_retriable(), "{error}");
}

async fn fetched_bytes_are_those_that_were_produced(transport: &dyn Transport, node: Node) {
    create(transport, node, "suite-bytes").await;
    let sent = batch(b"the very bytes");
    let answer = send(transport, node, produce("suite-bytes", &sent, -1), SOON).await.unwrap();
    assert_eq!(placed(&answer), (ErrorCode::NONE, Offset(0)));
    let fetched: FetchResponse = send(transport, node, fetch("suite-bytes", 0, 0), SOON).await.unwrap();
    let data = &fetched.responses[0].partitions[0];
    let bytes = data.records.as_ref().unwrap().bytes().unwrap();
    // The base offset is 0 already, and the leader epoch is the broker's.
    assert_eq!((&bytes[..12], &bytes[16..]), (&sent[..12], &sent[16..]));
}

async fn calls_of_one_lane_keep_their_order(transport: &dyn Transport, node: Node) {
    create(transport, node, "suite-order").await;
    let bytes = batch(b"one after the other");
    let send = || send(transport, node, produce("suite-order", &bytes, -1), SOON);
    let (a, b, c, d) = tokio::join!(send(), send(), send(), send());
    let offsets = [a, b, c, d].map(|answer| placed(&answer.unwrap()).1.0);
    assert_eq!(offsets, [0, 1, 2, 3]);
}

async fn produce_without_acks_is_answered_when_it_is_on_its_way(transport: &dyn Transport, node: Node) {
    create(transport, node, "suite-acks").await;
    let bytes = batch(b"no answer wanted");
    let answer = send(transport, node, produce("suite-acks", &bytes, 0), SOON).await.unwrap();
    assert_eq!(answer, ProduceResponse::default());
    let fetched: FetchResponse = send(transport, node, fetch("suite-acks", 0, 10_000), SOON).await.unwrap();
    assert!(!fetched.responses[0].partitions[0].records.as_ref().unwrap().is_empty());
}

async fn a_waiting_fetch_holds_up_no_produce(transport: &dyn Transport, node: Node) {
    create(transport, node, "suite-wait").await;
    let bytes = batch(b"wake up");
    let waiting = send(transport, node, fetch("suite-wait", 0, 15_000), SOON);
    let producing = send(transport, node, produce("suite-wait", &bytes, -1), SOON);
    let (fetched, produced) = tokio::join!(waiting, producing);
    assert_eq!(placed(&produced.unwrap()), (ErrorCode::NONE, Offset(0)));
    assert!(!fetched.unwrap().responses[0].partitions[0].records.as_ref().unwrap().is_empty());
}

async fn a_call_that_takes_too_long_ends_and_others_go_on(transport: &dyn Transport, node: Node) {
    create(transport, node, "suite-slow").await;
    let slow = send(transport, node, fetch("suite-slow", 0, 60_000), Duration::from_millis(50)).await;
    let error = slow.unwrap_err();
    assert!(matches!(error, TransportError::TimedOut { key: ApiKey::Fetch, .. }), "{error}");
    assert!(error.is_retriable() && !error.has_no_side_effects());
    let next: FetchResponse = send(transport, node, fetch("suite-slow", 0, 0), SOON).await.unwrap();
    assert_eq!(next.responses[0].partitions[0].error_code, ErrorCode::NONE);
}

async fn a_split_transport_knows_the_same_brokers(transport: &dyn Transport, node: Node) {
    let other = transport.split();
    let answer = send(other.as_ref(), node, MetadataRequest::default(), SOON).await;
    assert!(answer.is_ok(), "{answer:?}");
}

/// Sends a request in the newest version that carries names of topics, not their ids.
async fn send<R: Request>(
    transport: &dyn Transport,
    node: Node,
    request: R,
    timeout: Duration,
) -> Result<R::Response, TransportError> {
    let version = match R::KEY {
        ApiKey::Produce | ApiKey::Fetch => 12,
        key => *key.versions().end(),
    };
    let lane = if R::KEY == ApiKey::Fetch { Lane::Fetch } else { Lane::General };
    let call = Call { node, lane, version, request: request.into(), timeout };
    let wrong = |body| panic!("the response belongs to another request: {body:?}");
    transport.call(call).await.map(|body| R::Response::try_from(body).unwrap_or_else(wrong))
}

async fn create(transport: &dyn Transport, node: Node, name: &str) {
    let topic = CreatableTopic {
        name: Text::from(name),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    let answer = send(transport, node, request, SOON).await.unwrap();
    assert_eq!(answer.topics[0].error_code, ErrorCode::NONE);
}

fn produce(topic: &str, batch: &Bytes, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData { index: 0, records: Some(Records::Bytes(batch.clone())) };
    let topic = TopicProduceData {
        name: Text::from(topic),
        partition_data: vec![data],
        ..TopicProduceData::default()
    };
    ProduceRequest { acks, timeout_ms: 10_000, topic_data: vec![topic], ..ProduceRequest::default() }
}

fn placed(answer: &ProduceResponse) -> (ErrorCode, Offset) {
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

fn fetch(topic: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition {
        partition: PartitionId(0),
        fetch_offset: Offset(offset),
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic { topic: Text::from(topic), partitions: vec![partition], ..FetchTopic::default() };
    FetchRequest { max_wait_ms, min_bytes: 1, max_bytes: 1 << 20, topics: vec![topic], ..Default::default() }
}

/// A batch of one record without a key.
fn batch(value: &[u8]) -> Bytes {
    let length = u8::try_from(value.len()).unwrap();
    assert!(length < 50, "lengths are written as varints of one byte");
    // Length, attributes, timestamp, offset, null key, value, no headers; a varint of n is 2n.
    let mut record = vec![2 * (length + 6), 0, 0, 0, 1, 2 * length];
    record.extend_from_slice(value);
    record.push(0);
    let mut header = BatchHeader {
        base_offset: Offset(0),
        length: (HEADER_BYTES - LENGTH_END + record.len()) as i32,
        leader_epoch: (-1).into(),
        crc: 0,
        attributes: Attributes::new(Compression::None),
        last_offset_delta: 0,
        base_timestamp: Timestamp(1_700_000_000_000),
        max_timestamp: Timestamp(1_700_000_000_000),
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        base_sequence: Sequence::NONE,
        record_count: 1,
    };
    header.crc = crc32c(&[&header.encode()[21..], &record].concat());
    Bytes::from([header.encode().as_slice(), &record].concat())
}
