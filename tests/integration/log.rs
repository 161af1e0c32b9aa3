//! Batches in and out: what was sent comes back byte for byte, and what is wrong is named.

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, PartitionId, Text, Timestamp,
    messages::metadata::MetadataRequestTopic,
    messages::{
        ListOffsetsRequest, MetadataRequest,
        list_offsets::{ListOffsetsPartition, ListOffsetsTopic},
    },
};

use crate::harness::{
    TestBroker, at, batch, bytes_of, fetch_request, fetched, idempotent_batch, produce_request, produced,
};

#[tokio::test]
async fn what_was_produced_is_fetched_byte_for_byte() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("letters", 2, &[]).await;
    let (first, second) = (batch(&[b"a", b"b"]), batch(&[b"c"]));
    let answer = client.produce("letters", 1, first.clone()).await;
    assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::NONE, Offset(0)));
    let answer = client.produce("letters", 1, second.clone()).await;
    assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::NONE, Offset(2)));
    let data = client.fetch("letters", 1, 0).await;
    assert_eq!(data.high_watermark, Offset(3));
    assert_eq!(bytes_of(&data), [at(&first, 0), at(&second, 2)].concat());
    assert_eq!(bytes_of(&client.fetch("letters", 1, 2).await), at(&second, 2));
    assert!(bytes_of(&client.fetch("letters", 1, 3).await).is_empty());
}

#[tokio::test]
async fn producers_above_the_limit_of_a_partition_are_refused_and_plain_ones_are_not() {
    let broker = TestBroker::start_with(|config| config.storage.producers_per_partition = 2).await;
    let mut client = broker.connect().await;
    client.create_topic("crowded", 2, &[("message.timestamp.type", "LogAppendTime")]).await;
    let mut code = async |partition, records| {
        let answer = client.produce("crowded", partition, records).await;
        (answer.error_code, answer.error_message.unwrap_or_default().to_string())
    };
    for (id, sequence) in [(1, 0), (2, 0), (1, 1)] {
        assert_eq!(code(0, idempotent_batch(id, 0, sequence, &[b"x"])).await.0, ErrorCode::NONE);
    }
    let (refused, message) = code(0, idempotent_batch(3, 0, 0, &[b"x"])).await;
    assert_eq!(refused, ErrorCode::POLICY_VIOLATION);
    assert!(message.contains("max.producers.per.partition"), "{message}");
    assert_eq!(code(1, idempotent_batch(3, 0, 0, &[b"x"])).await.0, ErrorCode::NONE);
    assert_eq!(code(0, batch(&[b"x"])).await.0, ErrorCode::NONE);
}

#[tokio::test]
async fn every_version_of_produce_and_fetch_carries_a_batch() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("versions", 1, &[]).await;
    let topic_id = broker.broker().node().store.topics().named("versions").unwrap().id;
    let sent = batch(&[b"x"]);
    for version in ApiKey::Produce.versions() {
        let mut request = produce_request("versions", 0, -1, sent.clone());
        if version >= 13 {
            (request.topic_data[0].topic_id, request.topic_data[0].name) = (topic_id, Text::new());
        }
        let answer = produced(client.ask(version, request).await);
        assert_eq!(answer.error_code, ErrorCode::NONE, "Produce {version}: {:?}", answer.error_message);
    }
    for version in ApiKey::Fetch.versions() {
        let mut request = fetch_request("versions", 0, 4);
        if version >= 13 {
            (request.topics[0].topic_id, request.topics[0].topic) = (topic_id, Text::new());
        }
        let data = fetched(client.ask(version, request).await);
        assert_eq!(data.error_code, ErrorCode::NONE, "Fetch {version}");
        assert!(bytes_of(&data).starts_with(&at(&sent, 4)), "Fetch {version}");
    }
}

#[tokio::test]
async fn wrong_batches_are_named_and_nothing_is_appended() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("strict", 1, &[("max.message.bytes", "1000")]).await;
    let mut rotten = batch(&[b"a"]).to_vec();
    *rotten.last_mut().unwrap() ^= 1;
    let mut endless = batch(&[b"a"]).to_vec();
    endless[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    let cases = [
        (rotten, ErrorCode::CORRUPT_MESSAGE),
        (endless, ErrorCode::CORRUPT_MESSAGE),
        (batch(&[&[0; 1000]]).to_vec(), ErrorCode::MESSAGE_TOO_LARGE),
        (batch(&[b"a"])[..40].to_vec(), ErrorCode::INVALID_RECORD),
        (Vec::new(), ErrorCode::INVALID_RECORD),
    ];
    for (records, expected) in cases {
        let answer = client.produce("strict", 0, Bytes::from(records)).await;
        assert_eq!((answer.error_code, answer.base_offset), (expected, Offset::NONE));
    }
    assert_eq!(client.fetch("strict", 0, 0).await.high_watermark, Offset(0));
}

#[tokio::test]
async fn unknown_topics_and_offsets_are_named() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("known", 1, &[]).await;
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(client.produce("unknown", 0, batch(&[b"a"])).await.error_code, unknown);
    assert_eq!(client.produce("known", 1, batch(&[b"a"])).await.error_code, unknown);
    assert_eq!(client.produce("known", -1, batch(&[b"a"])).await.error_code, unknown);
    let data = client.fetch("unknown", 0, 0).await;
    assert_eq!((data.error_code, data.high_watermark), (unknown, Offset::NONE));
    assert!(bytes_of(&data).is_empty());
    for offset in [-1, 1] {
        assert_eq!(client.fetch("known", 0, offset).await.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    }
}

#[tokio::test]
async fn acks_other_than_three_are_refused() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("acks", 1, &[]).await;
    let answer = produced(client.ask(9, produce_request("acks", 0, 2, batch(&[b"a"]))).await);
    assert_eq!(answer.error_code, ErrorCode::INVALID_REQUIRED_ACKS);
}

#[tokio::test]
async fn a_fetch_returns_one_batch_however_big_and_no_more_than_asked() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("sizes", 2, &[]).await;
    let sent = batch(&[&[7; 500]]);
    for partition in [0, 0, 0, 1] {
        client.produce("sizes", partition, sent.clone()).await;
    }
    let lengths = async |client: &mut crate::harness::Client, request_max: i32, partition_max: i32| {
        let mut request = fetch_request("sizes", 0, 0);
        request.max_bytes = request_max;
        request.topics[0].partitions[0].partition_max_bytes = partition_max;
        let mut other = request.topics[0].partitions[0].clone();
        other.partition = PartitionId(1);
        request.topics[0].partitions.push(other);
        let response = client.ask(12, request).await;
        response.responses[0].partitions.iter().map(|data| bytes_of(data).len()).collect::<Vec<_>>()
    };
    let one = sent.len();
    let both = i32::try_from(2 * one).unwrap();
    assert_eq!(lengths(&mut client, 1, 1).await, [one, 0]);
    assert_eq!(lengths(&mut client, both, both).await, [2 * one, 0]);
    assert_eq!(lengths(&mut client, 1 << 20, both).await, [2 * one, one]);
    assert_eq!(lengths(&mut client, 1 << 20, 1 << 20).await, [3 * one, one]);
    assert_eq!(lengths(&mut client, both + 1, 1).await, [one, 0]);
}

#[tokio::test]
async fn a_record_of_64_mib_goes_through_where_the_topic_allows_it() {
    let broker = TestBroker::start_with(|config| config.storage.journal_bytes = 288 << 20).await;
    let mut client = broker.connect().await;
    client.create_topic("big", 1, &[("max.message.bytes", "68000000")]).await;
    let sent = batch(&[&vec![7; 64 << 20]]);
    let answer = client.produce("big", 0, sent.clone()).await;
    assert_eq!(answer.error_code, ErrorCode::NONE, "{:?}", answer.error_message);
    assert!(bytes_of(&client.fetch("big", 0, 0).await) == at(&sent, 0));
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let mut broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("kept", 1, &[("retention.ms", "-1")]).await;
    let sent = batch(&[b"a", b"b"]);
    client.produce("kept", 0, sent.clone()).await;
    broker = broker.restart().await;
    let mut client = broker.connect().await;
    let data = client.fetch("kept", 0, 0).await;
    assert_eq!(bytes_of(&data), at(&sent, 0), "{data:?}");
    assert_eq!(client.produce("kept", 0, sent).await.base_offset, Offset(2));
}

#[tokio::test]
async fn a_repeated_batch_is_answered_with_its_first_place() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("repeat", 1, &[]).await;
    let place = async |client: &mut crate::harness::Client, sequence: i32| {
        let answer = client.produce("repeat", 0, idempotent_batch(7, 0, sequence, &[b"a", b"b"])).await;
        (answer.error_code, answer.base_offset)
    };
    assert_eq!(place(&mut client, 0).await, (ErrorCode::NONE, Offset(0)));
    assert_eq!(place(&mut client, 2).await, (ErrorCode::NONE, Offset(2)));
    assert_eq!(place(&mut client, 0).await, (ErrorCode::NONE, Offset(0)));
    assert_eq!(place(&mut client, 6).await, (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, Offset::NONE));
    assert_eq!(client.fetch("repeat", 0, 0).await.high_watermark, Offset(4));
}

#[tokio::test]
async fn offsets_are_found_by_name_and_time() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("times", 1, &[]).await;
    client.produce("times", 0, batch(&[b"a", b"b"])).await;
    let mut find = async |version: i16, timestamp: i64| {
        let partition = ListOffsetsPartition { timestamp: Timestamp(timestamp), ..Default::default() };
        let topic = ListOffsetsTopic { name: Text::from_static("times"), partitions: vec![partition] };
        let request = ListOffsetsRequest { topics: vec![topic], ..Default::default() };
        let found = client.ask(version, request).await.topics.remove(0).partitions.remove(0);
        (found.error_code, found.offset)
    };
    assert_eq!(find(1, -1).await, (ErrorCode::NONE, Offset(2)));
    assert_eq!(find(1, -2).await, (ErrorCode::NONE, Offset(0)));
    assert_eq!(find(7, -3).await, (ErrorCode::NONE, Offset(0)));
    assert_eq!(find(6, -3).await, (ErrorCode::UNSUPPORTED_VERSION, Offset::NONE));
    assert_eq!(find(9, -5).await, (ErrorCode::NONE, Offset::NONE));
    assert_eq!(find(1, 1_600_000_000_000).await, (ErrorCode::NONE, Offset(0)));
    assert_eq!(find(1, 1_800_000_000_000).await, (ErrorCode::NONE, Offset::NONE));
}

#[tokio::test]
async fn a_topic_that_is_asked_for_is_made() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    let asked = MetadataRequestTopic { name: Some(Text::from_static("made")), ..Default::default() };
    let request = |allow_auto_topic_creation| MetadataRequest {
        topics: Some(vec![asked.clone()]),
        allow_auto_topic_creation,
        ..Default::default()
    };
    let refused = client.ask(9, request(false)).await;
    assert_eq!(refused.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let made = client.ask(9, request(true)).await;
    assert_eq!((made.topics[0].error_code, made.topics[0].partitions.len()), (ErrorCode::NONE, 1));
    assert_eq!(client.produce("made", 0, batch(&[b"a"])).await.error_code, ErrorCode::NONE);
}
