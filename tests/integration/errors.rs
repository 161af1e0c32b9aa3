//! Errors that clients are told are counted, whatever they asked for.

use mainstem_protocol::{
    ApiKey, ErrorCode, PartitionId, Text,
    messages::{
        FetchRequest, HeartbeatRequest, ListOffsetsRequest, MetadataRequest,
        list_offsets::{ListOffsetsPartition, ListOffsetsTopic},
        metadata::MetadataRequestTopic,
    },
};

use crate::frames::frame;
use crate::harness::{Client, TestBroker, batch, fetch_request, produce_request};

/// The lines of the counter, without its name.
fn told(broker: &TestBroker) -> Vec<String> {
    let text = broker.broker().node().metrics.render().unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("mainstem_request_errors_total"));
    lines.map(str::to_owned).collect()
}

async fn list_offsets(client: &mut Client, topic: &'static str, partitions: [i32; 3]) {
    let partition =
        |index| ListOffsetsPartition { partition_index: PartitionId(index), ..Default::default() };
    let partitions = partitions.map(partition).into();
    let topics = vec![ListOffsetsTopic { name: Text::from_static(topic), partitions }];
    client.ask(7, ListOffsetsRequest { topics, ..Default::default() }).await;
}

#[tokio::test]
async fn errors_of_every_api_are_counted_by_api_and_name() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.fetch("unknown", 0, 0).await;
    let topic = MetadataRequestTopic { name: Some("unknown".into()), ..Default::default() };
    client
        .ask(
            9,
            MetadataRequest {
                topics: Some(vec![topic]),
                allow_auto_topic_creation: false,
                ..Default::default()
            },
        )
        .await;
    client.ask(4, HeartbeatRequest { group_id: "group".into(), ..Default::default() }).await;
    client.send_raw(&frame(ApiKey::ApiVersions as i16, 99, b"")).await;
    client.receive_raw().await;
    let expected = [
        r#"{api="ApiVersions",error="UNSUPPORTED_VERSION"} 1"#,
        r#"{api="Fetch",error="UNKNOWN_TOPIC_OR_PARTITION"} 1"#,
        r#"{api="Heartbeat",error="UNKNOWN_MEMBER_ID"} 1"#,
        r#"{api="Metadata",error="UNKNOWN_TOPIC_OR_PARTITION"} 1"#,
    ];
    assert_eq!(told(&broker), expected);
}

#[tokio::test]
async fn each_partition_that_has_an_error_counts() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("counted", 1, &[]).await;
    list_offsets(&mut client, "counted", [0, 1, 2]).await;
    assert_eq!(told(&broker), [r#"{api="ListOffsets",error="UNKNOWN_TOPIC_OR_PARTITION"} 2"#]);
}

#[tokio::test]
async fn what_succeeds_is_no_error() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("counted", 1, &[]).await;
    assert_eq!(client.produce("counted", 0, batch(&[b"a"])).await.error_code, ErrorCode::NONE);
    let fetch = FetchRequest { max_wait_ms: 0, ..fetch_request("counted", 0, 0) };
    client.ask(12, fetch).await;
    assert!(told(&broker).is_empty(), "{:?}", told(&broker));
}

#[tokio::test]
async fn an_error_that_nobody_waits_for_is_counted_once() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.send(9, produce_request("unknown", 0, 0, batch(&[b"a"]))).await;
    client.closed().await;
    assert_eq!(told(&broker), [r#"{api="Produce",error="UNKNOWN_TOPIC_OR_PARTITION"} 1"#]);
}
