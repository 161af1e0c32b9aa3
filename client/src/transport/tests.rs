//! The transport's suite, over the fake broker as it is and over TCP; and what only TCP has.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use mainstem_protocol::{
    ApiKey,
    messages::{MetadataRequest, ResponseBody},
};

use super::{Call, Lane, Node, Stranger, TcpConfig, TcpTransport, Transport, TransportError};
use crate::{
    Admin, AdminConfig, Cluster,
    testing::{FakeBroker, NODE, Trouble, interrupted, serve, suite},
};

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

/// Somebody who says the same to whoever connects, and then hangs up.
async fn says(greeting: &'static [u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    crate::task::spawn("stranger", async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            // What is not read would make the hanging up a reset. Whoever asked may have hung up.
            let _ = socket.read(&mut [0; 512]).await;
            let _ = socket.write_all(greeting).await;
            let _ = socket.shutdown().await;
        }
    });
    address
}

#[tokio::test]
async fn strangers_are_told_apart_and_the_error_says_what_to_try() {
    let garbage: &[u8] = &[0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    let cases: [(&[u8], Stranger, &str); 5] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Stranger::Http, "port of the Kafka listener"),
        (&[21, 3, 3, 0, 2, 2, 10], Stranger::Tls, "use a plaintext listener"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Stranger::Ssh, "port of the Kafka listener"),
        (garbage, Stranger::Unknown, "check the address and the port"),
        (&[0xff; 64], Stranger::Unknown, "check the address and the port"),
    ];
    for (greeting, expected, advice) in cases {
        let address = says(greeting).await;
        let error = metadata(&tcp(&address)).await.unwrap_err();
        assert!(
            matches!(error, TransportError::NotKafka { stranger, .. } if stranger == expected),
            "{error}"
        );
        assert!(error.to_string().contains(&address) && error.to_string().contains(advice), "{error}");
        assert!(!error.is_retriable() && error.has_no_side_effects());
    }
}

#[tokio::test]
async fn whoever_hangs_up_or_says_nothing_is_given_up_for_good() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bootstrap_timeout = Duration::from_millis(100);
    for address in [refusing().await, says(b"").await, silent.local_addr().unwrap().to_string()] {
        let config = TcpConfig { bootstrap_timeout, ..TcpConfig::bootstrap(&address) };
        let admin = Admin::new(&TcpTransport::new(config), AdminConfig::default());
        // An admin goes on trying for a minute, unless it learns that this is in vain.
        let error = admin.list_topics().await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("no broker at {address} within ")), "{error}");
        assert!(error.ends_with("check that one is running and that the address is its own"), "{error}");
    }
}

#[tokio::test]
async fn a_cluster_that_was_reached_once_is_worth_waiting_for() {
    let served = serve(&FakeBroker::new(), 4).await.unwrap();
    let transport = tcp(&served.address);
    metadata(&transport).await.unwrap();
    served.disconnect_all();
    drop(served);
    // The listener's task ends as soon as it has its turn.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let error = metadata(&transport).await.unwrap_err();
    assert!(error.is_retriable(), "{error}");
}

#[tokio::test]
async fn api_that_the_broker_does_not_offer_is_named_with_the_broker_to_use() {
    let error = TransportError::Unsupported { key: ApiKey::Produce };
    let said = error.to_string();
    assert!(
        said.contains("Produce") && said.ends_with("use a broker of Kafka 2.1 or newer, or a newer client"),
        "{said}"
    );
}

/// Somebody who takes connections and says nothing; and how many came.
async fn silent() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    crate::task::spawn("silent", async move {
        let mut sockets = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            counted.fetch_add(1, Relaxed);
            sockets.push(socket);
        }
    });
    (address, count)
}

#[tokio::test]
async fn a_call_takes_no_longer_than_it_may_though_no_connection_comes_about() {
    let (address, _) = silent().await;
    let cluster = Cluster::new(Arc::new(tcp(&address)), Duration::from_secs(20));
    let limit = Duration::from_millis(20);
    let called = cluster.call(Node::Any, Lane::General, MetadataRequest::default(), limit).await;
    assert!(matches!(called, Err(TransportError::TimedOut { timeout_ms: 20, .. })), "{called:?}");
}

#[tokio::test]
async fn nobody_is_dialled_for_those_who_have_given_up() {
    let (address, count) = silent().await;
    let connect_timeout = Duration::from_millis(100);
    let transport = TcpTransport::new(TcpConfig { connect_timeout, ..TcpConfig::bootstrap(&address) });
    for _ in 0..20 {
        assert!(interrupted(1, transport.versions(Node::Any, ApiKey::Produce)).await.is_none());
    }
    let error = transport.versions(Node::Any, ApiKey::Produce).await.unwrap_err();
    assert!(matches!(error, TransportError::Connect { .. }), "{error}");
    assert_eq!(count.load(Relaxed), 1);
}

/// An address where nobody listens any more.
async fn refusing() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A way to an address on which connections are counted; what comes in says that one of them has ended.
async fn watched(target: String) -> (String, tokio::sync::mpsc::Receiver<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (ended, ends) = tokio::sync::mpsc::channel(16);
    crate::task::spawn("watched", async move {
        while let Ok((mut here, _)) = listener.accept().await {
            let mut there = tokio::net::TcpStream::connect(&target).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
            let _ = ended.send(()).await;
        }
    });
    (address, ends)
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_opened_again_when_it_is_needed() {
    let served = serve(&FakeBroker::new(), 4).await.unwrap();
    let (address, mut ends) = watched(served.address.clone()).await;
    let connections_max_idle = Duration::from_millis(20);
    let transport = TcpTransport::new(TcpConfig { connections_max_idle, ..TcpConfig::bootstrap(&address) });
    for _ in 0..2 {
        metadata(&transport).await.unwrap();
        ends.recv().await.unwrap();
    }
}
