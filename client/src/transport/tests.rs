//! The transport's suite, over the fake broker as it is and over TCP; and what only TCP has.

use std::{sync::Arc, time::Duration};

use mainstem_protocol::{
    ApiKey,
    messages::{MetadataRequest, ResponseBody},
};

use super::{Call, Lane, Node, TcpConfig, TcpTransport, Transport, TransportError};
use crate::testing::{FakeBroker, NODE, Trouble, serve, suite};

fn tcp(address: &str) -> TcpTransport {
    TcpTransport::new(TcpConfig::bootstrap(address))
}

async fn metadata(transport: &dyn Transport) -> Result<ResponseBody, TransportError> {
    let request = MetadataRequest::default().into();
    let timeout = Duration::from_secs(20);
    transport.call(Call { node: Node::Any, lane: Lane::General, version: 4, request, timeout }).await
}

#[tokio::test]
async fn fake_broker_passes_the_suite() {
    suite::run(FakeBroker::new().transport()).await;
}

#[tokio::test]
async fn tcp_passes_the_suite() {
    let served = serve(&FakeBroker::new(), 4).await.unwrap();
    suite::run(Arc::new(tcp(&served.address))).await;
}

#[tokio::test]
async fn broker_that_knows_only_an_old_api_versions_is_asked_again() {
    for newest in [0, 2, 3] {
        let served = serve(&FakeBroker::new(), newest).await.unwrap();
        let versions = tcp(&served.address).versions(Node::Any, ApiKey::Produce).await.unwrap();
        assert_eq!(versions, ApiKey::Produce.versions());
    }
}

#[tokio::test]
async fn lost_connection_is_opened_again() {
    let served = serve(&FakeBroker::new(), 4).await.unwrap();
    let transport = tcp(&served.address);
    metadata(&transport).await.unwrap();
    served.disconnect_all();
    // The loss may be noticed only by the next request; the one after it has a new connection.
    let _ = metadata(&transport).await;
    metadata(&transport).await.unwrap();
}

#[tokio::test]
async fn connection_lost_under_a_request_tells_whoever_waits() {
    let broker = FakeBroker::new();
    let served = serve(&broker, 4).await.unwrap();
    broker.trouble(ApiKey::Metadata, Trouble::LostBefore);
    let error = metadata(&tcp(&served.address)).await.unwrap_err();
    assert!(matches!(error, TransportError::Disconnected { .. }), "{error}");
    assert!(error.is_retriable() && !error.has_no_side_effects());
}

#[tokio::test]
async fn bootstrap_servers_are_tried_one_after_the_other() {
    let served = serve(&FakeBroker::new(), 4).await.unwrap();
    let transport = tcp(&format!("{},{}", refusing().await, served.address));
    metadata(&transport).await.unwrap();
}

#[test]
fn ipv6_addresses_are_dialled_in_brackets() {
    let address = |host: &str| super::BrokerAddress { id: NODE, host: host.to_owned(), port: 9092 };
    assert_eq!(address("::1").to_string(), "[::1]:9092");
    assert_eq!(address("broker.example").to_string(), "broker.example:9092");
}

#[tokio::test]
async fn refused_connection_names_the_address() {
    let address = refusing().await;
    let error = metadata(&tcp(&address)).await.unwrap_err();
    assert!(error.to_string().contains(&address), "{error}");
    assert!(error.is_retriable() && error.has_no_side_effects());
}

/// An address where nobody listens any more.
async fn refusing() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}
