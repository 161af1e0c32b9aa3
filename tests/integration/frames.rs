//! What is no request, what is too big, what nobody knows: a closed connection, or the right words, and a broker that
//! goes on.

use std::time::Duration;

use mainstem_protocol::{
    ApiKey, ErrorCode,
    header::decode_response,
    messages::{ApiVersionsRequest, ApiVersionsResponse, Message as _, MetadataRequest},
};

use crate::harness::{Client, TestBroker};

/// The broker closes this connection and serves the next one.
async fn closes(broker: &TestBroker, bytes: &[u8]) {
    let mut client = broker.connect().await;
    client.send_raw(bytes).await;
    assert_eq!(client.closed().await, b"", "nothing is answered");
    answers(&mut broker.connect().await).await;
}

async fn answers(client: &mut Client) {
    let response = client.ask(0, ApiVersionsRequest::default()).await;
    assert_eq!(response.error_code, ErrorCode::NONE);
}

/// Key, version, correlation id 7, no client id, then the body, in a frame.
/// A request with this body, from a client without a name.
pub(crate) fn frame(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut content =
        [&key.to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &[0xff, 0xff]].concat();
    content.extend_from_slice(body);
    [&i32::try_from(content.len()).unwrap().to_be_bytes()[..], &content].concat()
}

#[tokio::test]
async fn sizes_that_cannot_be_close_the_connection() {
    let broker = TestBroker::start().await;
    for size in [-1, 0, 7, i32::MAX, i32::MIN] {
        closes(&broker, &i32::to_be_bytes(size)).await;
    }
}

#[tokio::test]
async fn a_frame_above_the_limit_closes_the_connection() {
    let broker = TestBroker::start_with(|config| config.net.request_bytes_max = 1000).await;
    closes(&broker, &1001_i32.to_be_bytes()).await;
}

#[tokio::test]
async fn a_tls_greeting_closes_the_connection() {
    let broker = TestBroker::start().await;
    closes(&broker, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
}

#[tokio::test]
async fn unknown_keys_and_versions_close_the_connection() {
    let broker = TestBroker::start().await;
    closes(&broker, &frame(999, 0, b"")).await;
    closes(&broker, &frame(-1, 0, b"")).await;
    closes(&broker, &frame(ApiKey::Metadata as i16, 99, b"")).await;
    closes(&broker, &frame(ApiKey::Metadata as i16, -1, b"")).await;
    closes(&broker, &frame(ApiKey::Produce as i16, 2, b"")).await;
}

#[tokio::test]
async fn bodies_that_do_not_fit_close_the_connection() {
    let broker = TestBroker::start().await;
    let metadata = ApiKey::Metadata as i16;
    closes(&broker, &frame(metadata, 1, b"\0\0")).await;
    closes(&broker, &frame(metadata, 1, b"\x7f\xff\xff\xff")).await;
    closes(&broker, &frame(metadata, 9, b"\0\xff\xff\xff\xff\x0f")).await;
}

#[tokio::test]
async fn bytes_behind_a_request_are_ignored() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.send_raw(&frame(ApiKey::Metadata as i16, 1, b"\0\0\0\0and more")).await;
    let reply = client.receive_raw().await;
    assert!(decode_response(ApiKey::Metadata, 1, reply.slice(4..)).is_ok());
}

#[tokio::test]
async fn a_header_that_ends_early_closes_the_connection() {
    let broker = TestBroker::start().await;
    closes(&broker, b"\0\0\0\x0a\0\x03\0\x01\0\0\0\x07\0\x64").await;
}

#[tokio::test]
async fn api_versions_in_a_version_that_there_is_not_is_answered_in_version_0() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    for version in [99, -1] {
        client.send_raw(&frame(18, version, b"what the future brings")).await;
        let reply = client.receive_raw().await;
        assert_eq!(reply[..4], 7_i32.to_be_bytes());
        let response = ApiVersionsResponse::decode(reply.slice(4..), 0).unwrap();
        assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
        assert_eq!(response.api_keys.len(), 1);
    }
    answers(&mut client).await;
}

#[tokio::test]
async fn silence_closes_the_connection() {
    let broker = TestBroker::start_with(|config| config.net.idle_max = Duration::from_millis(50)).await;
    assert_eq!(broker.connect().await.closed().await, b"");
}

#[tokio::test]
async fn half_a_frame_and_silence_closes_the_connection() {
    let broker = TestBroker::start_with(|config| config.net.idle_max = Duration::from_millis(50)).await;
    let mut client = broker.connect().await;
    client.send_raw(&frame(18, 0, b"")[..6]).await;
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn a_frame_that_comes_byte_by_byte_is_answered() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    for byte in frame(18, 0, b"") {
        client.send_raw(&[byte]).await;
        tokio::task::yield_now().await;
    }
    let reply = client.receive_raw().await;
    assert!(decode_response(ApiKey::ApiVersions, 0, reply.slice(4..)).is_ok());
}

#[tokio::test]
async fn connections_above_the_limit_are_closed() {
    let broker = TestBroker::start_with(|config| config.net.connections_max_per_ip = 1).await;
    let mut first = broker.connect().await;
    answers(&mut first).await;
    assert_eq!(broker.connect().await.closed().await, b"");
    answers(&mut first).await;
}

#[tokio::test]
async fn every_advertised_version_of_metadata_is_answered() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    for version in ApiKey::Metadata.advertised() {
        let response = client.ask(version, MetadataRequest::default()).await;
        assert_eq!(response.brokers.len(), 1, "version {version}");
        assert_eq!(response.brokers[0].host, "127.0.0.1");
    }
}
