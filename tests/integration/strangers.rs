//! Peers that speak something else, or begin and do not end: each is closed with a reason that metrics tell, and the
//! broker goes on.

use std::time::Duration;

use mainstem_protocol::{ErrorCode, messages::ApiVersionsRequest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::harness::{Client, TestBroker, batch};

async fn answers(broker: &TestBroker) {
    let response = broker.connect().await.ask(0, ApiVersionsRequest::default()).await;
    assert_eq!(response.error_code, ErrorCode::NONE);
}

/// How many requests were refused for this reason.
async fn refused(broker: &TestBroker, reason: &str) -> u64 {
    let mut http = TcpStream::connect(broker.broker().http().unwrap()).await.unwrap();
    http.write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut page = String::new();
    http.read_to_string(&mut page).await.unwrap();
    let series = format!("mainstem_requests_refused_total{{reason=\"{reason}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.trim().parse().unwrap())
}

/// Says it on a connection of its own, and waits until that is closed.
async fn says(broker: &TestBroker, bytes: &[u8]) {
    let mut client = broker.connect().await;
    client.send_raw(bytes).await;
    assert_eq!(client.closed().await, b"", "nothing is answered");
    answers(broker).await;
}

#[tokio::test]
async fn other_protocols_are_told_from_malformed_requests() {
    let broker = TestBroker::start().await;
    says(&broker, b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n").await;
    says(&broker, b"POST /topics HTTP/1.1\r\n\r\n").await;
    says(&broker, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    assert_eq!(refused(&broker, "other protocol").await, 3);
    says(&broker, b"\xff\xfe\xfd\xfc garbage").await;
    says(&broker, b"\0\0\0\x10 more garbage....").await;
    assert_eq!(refused(&broker, "malformed").await + refused(&broker, "unknown").await, 2);
    says(&broker, &i32::MAX.to_be_bytes()).await;
    assert_eq!(refused(&broker, "too large").await, 1);
}

async fn impatient() -> TestBroker {
    TestBroker::start_with(|config| config.net.request_receive_max = Duration::from_millis(100)).await
}

#[tokio::test]
async fn a_request_that_does_not_end_is_closed_in_time() {
    let broker = impatient().await;
    says(&broker, &(50_i32 << 20).to_be_bytes()).await;
    says(&broker, &[&1000_i32.to_be_bytes()[..], &[0; 100]].concat()).await;
    assert_eq!(refused(&broker, "too slow").await, 2);
}

#[tokio::test]
async fn silence_between_requests_is_no_slow_request() {
    let broker = impatient().await;
    let mut client = broker.connect().await;
    client.ask(0, ApiVersionsRequest::default()).await;
    // Longer than any request may take: the slow one is closed, this one is not.
    says(&broker, &(50_i32 << 20).to_be_bytes()).await;
    client.ask(0, ApiVersionsRequest::default()).await;
}

#[tokio::test]
async fn a_request_that_drips_is_closed_though_it_is_never_silent() {
    let broker = impatient().await;
    let mut client = broker.connect().await;
    client.send_raw(&1_000_000_i32.to_be_bytes()).await;
    let socket = client.socket();
    let dripping = async {
        while socket.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, dripping).await.expect("the connection is closed");
    assert_eq!(refused(&broker, "too slow").await, 1);
}

#[tokio::test]
async fn large_requests_come_through_whatever_their_sizes() {
    let broker = TestBroker::start().await;
    let mut client: Client = broker.connect().await;
    client.create_topic("sizes", 1, &[("max.message.bytes", "4000000")]).await;
    let mut sizes = vec![10, 20_000, 700_000, 3_000_000, 5, 16_384, 16_380, 90_000];
    sizes.extend((0..40).map(|number| 16_200 + number * 10));
    for size in sizes {
        let produced = client.produce("sizes", 0, batch(&[&vec![7; size]])).await;
        assert_eq!(produced.error_code, ErrorCode::NONE, "{size} bytes");
    }
}
