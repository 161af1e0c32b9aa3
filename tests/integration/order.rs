//! Who waits for whom: replies in the order of requests, fetches until there is something.

use mainstem_protocol::{
    ErrorCode, Offset,
    messages::{ApiVersionsRequest, FetchRequest, ProduceRequest},
};

use crate::harness::{TestBroker, at, batch, bytes_of, fetch_request, fetched, produce_request, produced};

#[tokio::test]
async fn replies_come_in_the_order_of_requests() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("order", 1, &[]).await;
    let mut sent = Vec::new();
    for _ in 0..50 {
        sent.push(client.send(9, produce_request("order", 0, -1, batch(&[b"a", b"b"]))).await);
    }
    let last = client.send(0, ApiVersionsRequest::default()).await;
    for (index, sent) in (0..).zip(sent) {
        let (received, response) = client.receive::<ProduceRequest>(9).await;
        assert_eq!((received, produced(response).base_offset), (sent, Offset(2 * index)));
    }
    assert_eq!(client.receive::<ApiVersionsRequest>(0).await.0, last);
}

#[tokio::test]
async fn without_acks_nothing_is_said() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("silent", 1, &[]).await;
    client.send(9, produce_request("silent", 0, 0, batch(&[b"a"]))).await;
    let asked = client.send(12, fetch_request_waiting("silent", 0)).await;
    let (received, response) = client.receive::<FetchRequest>(12).await;
    assert_eq!(received, asked, "the first reply is that to the fetch");
    assert_eq!(bytes_of(&fetched(response)), at(&batch(&[b"a"]), 0));
}

#[tokio::test]
async fn without_acks_an_error_closes_the_connection() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.send(9, produce_request("unknown", 0, 0, batch(&[b"a"]))).await;
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn a_parked_fetch_wakes_when_something_comes() {
    let broker = TestBroker::start().await;
    let (mut reader, mut writer) = (broker.connect().await, broker.connect().await);
    writer.create_topic("wake", 1, &[]).await;
    reader.send(12, fetch_request_waiting("wake", 0)).await;
    // The reader's own connection shows that the fetch has begun: it holds up what comes behind it.
    reader.send(0, ApiVersionsRequest::default()).await;
    assert_eq!(writer.produce("wake", 0, batch(&[b"a"])).await.error_code, ErrorCode::NONE);
    let (_, response) = reader.receive::<FetchRequest>(12).await;
    assert_eq!(bytes_of(&fetched(response)), at(&batch(&[b"a"]), 0));
    reader.receive::<ApiVersionsRequest>(0).await;
}

#[tokio::test]
async fn a_parked_fetch_ends_with_its_time() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("empty", 1, &[]).await;
    let request = FetchRequest { max_wait_ms: 20, ..fetch_request("empty", 0, 0) };
    let data = fetched(client.ask(12, request).await);
    assert_eq!((data.error_code, data.high_watermark), (ErrorCode::NONE, Offset(0)));
}

#[tokio::test]
async fn a_fetch_waits_for_as_many_bytes_as_it_asks_for() {
    let broker = TestBroker::start().await;
    let (mut reader, mut writer) = (broker.connect().await, broker.connect().await);
    writer.create_topic("many", 1, &[]).await;
    let one = batch(&[b"a"]);
    let min_bytes = i32::try_from(2 * one.len()).unwrap();
    reader.send(12, FetchRequest { min_bytes, ..fetch_request_waiting("many", 0) }).await;
    writer.produce("many", 0, one.clone()).await;
    writer.produce("many", 0, one.clone()).await;
    let (_, response) = reader.receive::<FetchRequest>(12).await;
    assert_eq!(bytes_of(&fetched(response)).len(), 2 * one.len());
}

#[tokio::test]
async fn shutdown_ends_parked_fetches() {
    let broker = TestBroker::start().await;
    let mut client = broker.connect().await;
    client.create_topic("parked", 1, &[]).await;
    client.send(12, fetch_request_waiting("parked", 0)).await;
    broker.shutdown().await;
    assert_eq!(client.closed().await, b"");
}

fn fetch_request_waiting(topic: &str, offset: i64) -> FetchRequest {
    FetchRequest { max_wait_ms: 60_000, ..fetch_request(topic, 0, offset) }
}
