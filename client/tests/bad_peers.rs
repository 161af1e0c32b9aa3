//! Whatever is at an address where a broker should be, each client ends with an error that says what to try.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

use std::{fmt::Display, ops::RangeInclusive, time::Duration};

use mainstem_client::{
    Admin, AdminConfig, Consumer, ConsumerConfig, Producer, ProducerConfig, ProducerRecord, TcpConfig,
    TcpTransport, TopicPartition, Transport,
    consumer::OffsetReset,
    protocol::{ApiKey, messages::FindCoordinatorResponse},
    testing::{FakeBroker, Trouble, serve},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, timeout},
};

/// A test that takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What somebody at an address does.
struct Peer {
    says: &'static [u8],
    hangs_up: bool,
}

impl Peer {
    const fn saying(says: &'static [u8]) -> Self {
        Self { says, hangs_up: true }
    }

    const fn silent_behind(says: &'static [u8]) -> Self {
        Self { says, hangs_up: false }
    }

    /// Does it to whoever connects.
    async fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        #[expect(clippy::disallowed_methods, reason = "it lives as long as the test")]
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                // What is not read would make the hanging up a reset. Whoever asked may have hung up.
                let _ = socket.read(&mut [0; 512]).await;
                let _ = socket.write_all(self.says).await;
                if !self.hangs_up {
                    kept.push(socket);
                }
            }
        });
        address
    }
}

/// The errors of a producer, a consumer and an admin.
async fn errors(transport: &dyn Transport) -> [String; 3] {
    let ended =
        timeout(PATIENCE, async { tokio::join!(sent(transport), polled(transport), listed(transport)) });
    ended.await.unwrap().into()
}

async fn sent(transport: &dyn Transport) -> String {
    let producer = Producer::new(transport, ProducerConfig::default());
    match producer.send(ProducerRecord::new("t").value("v")).await {
        Ok(ticket) => said(ticket.await),
        Err(error) => error.to_string(),
    }
}

async fn polled(transport: &dyn Transport) -> String {
    let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    let mut consumer = Consumer::new(transport, config);
    consumer.assign([TopicPartition::new("t", 0)]);
    said(consumer.poll(PATIENCE).await)
}

async fn listed(transport: &dyn Transport) -> String {
    said(Admin::new(transport, AdminConfig::default()).list_topics().await)
}

fn said<T, E: Display>(result: Result<T, E>) -> String {
    result.err().map_or_else(|| "no error".to_owned(), |error| error.to_string())
}

fn tcp(address: &str) -> TcpTransport {
    let bootstrap_timeout = Duration::from_millis(200);
    TcpTransport::new(TcpConfig { bootstrap_timeout, ..TcpConfig::bootstrap(address) })
}

/// A broker with the topic `t`, and one record in it.
async fn broker() -> FakeBroker {
    let broker = FakeBroker::new();
    broker.create_topic("t", 1);
    let producer = Producer::new(&broker, ProducerConfig::default());
    producer.send(ProducerRecord::new("t").value("v")).await.unwrap().await.unwrap();
    broker
}

#[tokio::test]
async fn whoever_is_no_broker_is_named_with_what_to_try() {
    let cases = [
        (Peer::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "use the port of the Kafka listener"),
        (Peer::silent_behind(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "use the port of the Kafka listener"),
        (Peer::saying(&[21, 3, 3, 0, 2, 2, 10]), "use a plaintext listener"),
        (Peer::saying(b"SSH-2.0-OpenSSH_9.2\r\n"), "use the port of the Kafka listener"),
        (Peer::saying(b"220 mail.example ESMTP\r\n"), "check the address and the port"),
        (Peer::saying(b"\r\n\r\n\r\n"), "check the address and the port"),
        // A frame of the right size, and nothing in it that a broker would write.
        (Peer::saying(&[0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]), "check the address and the port"),
        // Sizes that no response has: negative, none, two gigabytes.
        (Peer::silent_behind(&[0xff; 64]), "check the address and the port"),
        (Peer::silent_behind(&[0; 64]), "check the address and the port"),
        (Peer::silent_behind(&[0x7f, 0xff, 0xff, 0xff, 0, 0]), "check the address and the port"),
    ];
    for (peer, advice) in cases {
        let says = peer.says;
        let address = peer.start().await;
        for error in errors(&tcp(&address)).await {
            assert!(error.contains(&address) && error.contains(advice), "{says:x?}: {error}");
        }
    }
}

#[tokio::test]
async fn whoever_is_not_there_or_says_nothing_is_given_up_soon() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let addresses = [
        gone,
        Peer::saying(b"").start().await,
        Peer::silent_behind(b"").start().await,
        // The sizes of an answer that never comes, or not to its end.
        Peer::silent_behind(&[0, 0]).start().await,
        Peer::silent_behind(&[0, 0, 1, 0, 0, 0, 0, 4]).start().await,
        Peer::saying(&[0, 0, 1, 0, 0, 0, 0, 4]).start().await,
        "no-such-host.invalid:9092".to_owned(),
    ];
    for address in addresses {
        for error in errors(&tcp(&address)).await {
            assert!(error.contains(&format!("no broker at {address} within ")), "{error}");
            assert!(error.contains("check that one is running"), "{error}");
        }
    }
}

#[tokio::test]
async fn broker_whose_api_versions_nobody_knows_is_of_another_version() {
    let served = serve(&broker().await, -1).await.unwrap();
    for error in errors(&tcp(&served.address)).await {
        assert!(error.contains("does not support ApiVersions"), "{error}");
        assert!(error.contains("use a broker of Kafka 2.1 or newer, or a newer client"), "{error}");
    }
}

/// What clients say to a broker that offers other versions of an API than they speak, over TCP and without it; virtual
/// time tells that the latter do not try for long.
async fn of_another_version(key: ApiKey, offered: RangeInclusive<i16>) -> Vec<String> {
    let broker = broker().await;
    broker.offer(key, offered);
    let before = Instant::now();
    let mut said = errors(&broker).await.to_vec();
    assert!(before.elapsed() < Duration::from_secs(5), "{key}");
    tokio::time::resume();
    let served = serve(&broker, 4).await.unwrap();
    said.extend(errors(&tcp(&served.address)).await);
    tokio::time::pause();
    said
}

#[tokio::test(start_paused = true)]
async fn broker_without_a_common_version_is_told_by_whoever_needs_the_api() {
    let producer = [0, 3];
    let consumer = [1, 4];
    let cases = [
        (ApiKey::Metadata, vec![0, 1, 2, 3, 4, 5]),
        (ApiKey::Produce, producer.to_vec()),
        (ApiKey::InitProducerId, producer.to_vec()),
        (ApiKey::ListOffsets, consumer.to_vec()),
        (ApiKey::Fetch, consumer.to_vec()),
    ];
    for (key, concerned) in cases {
        for offered in [90..=99, -9..=-1] {
            let said = of_another_version(key, offered).await;
            for index in concerned.clone() {
                let error = &said[index];
                assert!(error.contains(&format!("the broker does not support {key} ")), "{index}: {error}");
                assert!(error.contains("use a broker of Kafka 2.1 or newer"), "{index}: {error}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answers_to_something_else_are_errors_at_once() {
    for key in [ApiKey::Metadata, ApiKey::Fetch] {
        let broker = broker().await;
        broker.trouble(key, Trouble::Answer(FindCoordinatorResponse::default().into()));
        let error = polled(&broker).await;
        assert!(error.contains(&format!("{key} was answered with FindCoordinator")), "{error}");
    }
}
