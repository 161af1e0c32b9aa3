//! The codec of messages. Run with `cargo bench -p mainstem-protocol --bench codec`.
//!
//! A message with records shares their memory: what it costs beyond a copy of its other fields is what counts.

mod timing;

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    ApiKey, BrokerId, CorrelationId, LeaderEpoch, Offset, PartitionId, Text, TopicId,
    frame::SIZE_BYTES,
    header::{RequestHeader, decode_response, encode_request, encode_response, peek_response},
    messages::{
        FetchRequest, FetchResponse, HeartbeatRequest, MetadataResponse, ProduceRequest, ProduceResponse,
        RequestBody, ResponseBody,
        fetch::{FetchPartition, FetchTopic, FetchableTopicResponse, PartitionData},
        metadata::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
        produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData, TopicProduceResponse},
    },
    records::Records,
    wire::Chunk,
};
use timing::{copy, heading, time};

const BATCH_BYTES: usize = 16 * 1024;

fn main() {
    heading("requests: header and body", "message");
    request("heartbeat", heartbeat());
    request("produce, 6 partitions of 16 KiB", produce(6));
    request("produce, 100 partitions of 16 KiB", produce(100));
    request("fetch, 6 partitions", fetch(6));
    request("fetch, 100 partitions", fetch(100));
    heading("responses: header and body", "message");
    response("produce, 6 partitions", produced(6));
    response("fetch, 6 partitions of 16 KiB", fetched(6));
    response("fetch, 100 partitions of 16 KiB", fetched(100));
    response("metadata, 100 topics of 6 partitions", metadata());
}

fn request(name: &str, body: impl Into<RequestBody>) {
    let body = body.into();
    let key = body.key();
    let version = *key.versions().end();
    let client_id = Some(Text::from_static("benchmark"));
    let header = RequestHeader { key: key as i16, version, correlation_id: CorrelationId(7), client_id };
    let encode = || encode_request(&header, &body).expect("encodes");
    let frame = joined(&encode()).slice(SIZE_BYTES..);
    let decode = || {
        let (header, rest) = RequestHeader::peek(frame.clone()).expect("a header");
        header.body(rest).expect("a body")
    };
    report(name, key, version, &fields(&encode()), encode, decode);
}

fn response(name: &str, body: impl Into<ResponseBody>) {
    let body = body.into();
    let key = body.key();
    let version = *key.versions().end();
    let encode = || encode_response(CorrelationId(7), version, &body).expect("encodes");
    let frame = joined(&encode()).slice(SIZE_BYTES..);
    let decode = || {
        let (_, rest) = peek_response(frame.clone()).expect("a header");
        decode_response(key, version, rest).expect("a body")
    };
    report(name, key, version, &fields(&encode()), encode, decode);
}

fn report<E, D>(
    name: &str,
    key: ApiKey,
    version: i16,
    fields: &Bytes,
    encode: impl FnMut() -> E,
    decode: impl FnMut() -> D,
) {
    let copied = ("memory copy of all but records", copy(fields));
    let name = format!("{name} ({key} v{version})");
    time(encode).report(&format!("write {name}"), fields.len(), 1, copied);
    time(decode).report(&format!("read {name}"), fields.len(), 1, copied);
}

/// Everything but the records, which are shared.
fn fields(chunks: &[Chunk]) -> Bytes {
    joined(&chunks.iter().filter(|chunk| chunk.len() != BATCH_BYTES).cloned().collect::<Vec<_>>())
}

fn joined(chunks: &[Chunk]) -> Bytes {
    let mut bytes = BytesMut::new();
    for chunk in chunks {
        match chunk {
            Chunk::Bytes(part) => bytes.extend_from_slice(part),
            Chunk::Range(range) => bytes.extend_from_slice(&range.bytes().expect("in memory")),
        }
    }
    bytes.freeze()
}

fn topic_id(index: usize) -> TopicId {
    TopicId((index as u128 + 77).to_be_bytes())
}

fn records() -> Records {
    Bytes::from(vec![7; BATCH_BYTES]).into()
}

fn heartbeat() -> HeartbeatRequest {
    let member_id = Text::from_static("consumer-1-12345678-1234-1234-1234-123456789012");
    HeartbeatRequest {
        group_id: Text::from_static("group"),
        generation_id: 3,
        member_id,
        ..Default::default()
    }
}

fn produce(partitions: i32) -> ProduceRequest {
    let partition = |index| PartitionProduceData { index, records: Some(records()) };
    let topic = TopicProduceData {
        topic_id: topic_id(0),
        partition_data: (0..partitions).map(partition).collect(),
        ..Default::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

fn produced(partitions: i32) -> ProduceResponse {
    let partition =
        |index| PartitionProduceResponse { index, base_offset: Offset(1_000_000), ..Default::default() };
    let topic = TopicProduceResponse {
        topic_id: topic_id(0),
        partition_responses: (0..partitions).map(partition).collect(),
        ..Default::default()
    };
    ProduceResponse { responses: vec![topic], ..Default::default() }
}

fn fetch(partitions: i32) -> FetchRequest {
    let partition = |index| FetchPartition {
        partition: PartitionId(index),
        current_leader_epoch: LeaderEpoch(1),
        fetch_offset: Offset(1_000_000),
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let partitions = (0..partitions).map(partition).collect();
    let topic = FetchTopic { topic_id: topic_id(0), partitions, ..Default::default() };
    FetchRequest { max_wait_ms: 500, min_bytes: 1, topics: vec![topic], ..Default::default() }
}

fn fetched(partitions: i32) -> FetchResponse {
    let partition = |index| PartitionData {
        partition_index: PartitionId(index),
        high_watermark: Offset(2_000_000),
        aborted_transactions: None,
        records: Some(records()),
        ..Default::default()
    };
    let partitions = (0..partitions).map(partition).collect();
    let topic = FetchableTopicResponse { topic_id: topic_id(0), partitions, ..Default::default() };
    FetchResponse { responses: vec![topic], ..Default::default() }
}

fn metadata() -> MetadataResponse {
    let node = BrokerId(1);
    let partition = |index| MetadataResponsePartition {
        partition_index: PartitionId(index),
        leader_id: node,
        leader_epoch: LeaderEpoch(1),
        replica_nodes: vec![node],
        isr_nodes: vec![node],
        ..Default::default()
    };
    let topic = |index| MetadataResponseTopic {
        name: Some(format!("topic-{index}").into()),
        topic_id: topic_id(index),
        partitions: (0..6).map(partition).collect(),
        ..Default::default()
    };
    let host = Text::from_static("broker.example.com");
    let broker = MetadataResponseBroker { node_id: node, host, port: 9092, ..Default::default() };
    MetadataResponse { brokers: vec![broker], topics: (0..100).map(topic).collect(), ..Default::default() }
}
