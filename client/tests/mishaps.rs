//! Whatever happens to one answer on its way, no client hangs or ends for good: what it was asked for comes about or fails
//! with words, and the next thing that it is asked for comes about. Leaders, coordinators and nodes may move meanwhile.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

use std::{fmt::Display, time::Duration};

use bytes::Bytes;
use mainstem_client::{
    Admin, AdminConfig, Consumer, ConsumerConfig, ErrorCode, NewTopic, Offset, OffsetSpec, Producer,
    ProducerConfig, ProducerRecord, TcpTransport, TopicPartition, Transport,
    consumer::OffsetReset,
    protocol::ApiKey,
    testing::{FakeCluster, Mishap, Trouble},
};
use tokio::time::timeout;

/// A test that takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long an answer may take: what stalls costs a client that much.
const REQUEST: Duration = Duration::from_millis(300);

/// How long to go on trying.
const LIMIT: Duration = Duration::from_secs(5);

async fn cluster(nodes: i32) -> FakeCluster {
    let cluster = FakeCluster::start(nodes).await.unwrap();
    cluster.broker().create_topic("t", 1);
    cluster
}

fn place() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn admin(transport: &dyn Transport) -> Admin {
    Admin::new(transport, AdminConfig { request_timeout: REQUEST, timeout: LIMIT })
}

fn producer(transport: &dyn Transport) -> Producer {
    let config = ProducerConfig {
        request_timeout: REQUEST,
        delivery_timeout: LIMIT,
        max_block: LIMIT,
        ..ProducerConfig::default()
    };
    Producer::new(transport, config)
}

fn consumer(transport: &dyn Transport, group: Option<&str>) -> Consumer {
    let config = ConsumerConfig {
        group_id: group.map(Into::into),
        offset_reset: OffsetReset::Earliest,
        request_timeout: REQUEST,
        timeout: LIMIT,
        ..ConsumerConfig::default()
    };
    let mut consumer = Consumer::new(transport, config);
    match group {
        Some(_) => consumer.subscribe(["t"]).unwrap(),
        None => consumer.assign([place()]),
    }
    consumer
}

/// Stores a record by a producer of its own.
async fn stored(transport: &dyn Transport) -> Result<(), String> {
    let producer = producer(transport);
    let sent = producer.send(ProducerRecord::new("t").value("v")).await.map_err(|error| error.to_string())?;
    sent.await.map(drop).map_err(|error| error.to_string())
}

/// Everything that may happen to an answer.
fn mishaps() -> Vec<Mishap> {
    vec![
        Mishap::CloseBefore,
        Mishap::CloseAfter,
        Mishap::Stall,
        Mishap::Raw(Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        Mishap::Raw(Bytes::from_static(&[0xff; 64])),
        Mishap::Raw(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff])),
        Mishap::Raw(Bytes::from_static(&[0; 64])),
        Mishap::Garbage,
        Mishap::LieAboutLength(10),
        Mishap::LieAboutLength(-3),
        Mishap::LieAboutLength(1 << 30),
        Mishap::OtherCorrelation,
        Mishap::CutAt(2),
        Mishap::CutAt(9),
        Mishap::Drip { bytes: 1, pause: Duration::ZERO },
        Mishap::Delay(Duration::from_millis(30)),
    ]
}

/// Does a thing twice, with a mishap in the way of the first time: that ends with words at worst, and the second time it
/// comes about.
async fn survives<E: Display>(
    key: ApiKey,
    mut attempt: impl AsyncFnMut(&FakeCluster, &TcpTransport) -> Result<(), E>,
) {
    for mishap in mishaps() {
        let cluster = cluster(1).await;
        let transport = cluster.transport();
        cluster.broker().mishap(key, mishap.clone());
        let first = timeout(PATIENCE, attempt(&cluster, &transport)).await;
        let first = first.unwrap_or_else(|_| panic!("{key} {mishap:?}: hangs"));
        assert!(first.err().is_none_or(|error| !error.to_string().is_empty()));
        let second = timeout(PATIENCE, attempt(&cluster, &transport)).await;
        let second = second.unwrap_or_else(|_| panic!("{key} {mishap:?}: hangs the second time"));
        assert_eq!(second.map_err(|error| error.to_string()), Ok(()), "{key} {mishap:?}");
    }
}

#[tokio::test]
async fn producers_survive_what_happens_to_answers() {
    for key in [ApiKey::ApiVersions, ApiKey::Metadata, ApiKey::InitProducerId, ApiKey::Produce] {
        survives(key, async |_, transport| stored(transport).await).await;
    }
}

#[tokio::test]
async fn one_producer_goes_on_behind_what_happened_to_an_answer() {
    for mishap in mishaps() {
        let cluster = cluster(1).await;
        let producer = producer(&cluster.transport());
        cluster.broker().mishap(ApiKey::Produce, mishap.clone());
        for number in 0..3 {
            let sent = producer.send(ProducerRecord::new("t").value("v")).await.unwrap();
            let sent = timeout(PATIENCE, sent).await.unwrap_or_else(|_| panic!("{mishap:?}: hangs"));
            assert!(number == 0 || sent.is_ok(), "{mishap:?}: {sent:?}");
        }
    }
}

#[tokio::test]
async fn consumers_survive_what_happens_to_answers() {
    for key in [ApiKey::Metadata, ApiKey::ListOffsets, ApiKey::Fetch] {
        survives(key, async |cluster, transport| {
            stored(cluster.broker()).await.unwrap();
            let mut consumer = consumer(transport, None);
            consumer.next().await.map(drop)
        })
        .await;
    }
}

#[tokio::test]
async fn members_of_groups_survive_what_happens_to_answers() {
    for key in [ApiKey::FindCoordinator, ApiKey::OffsetFetch, ApiKey::OffsetCommit] {
        survives(key, async |cluster, transport| {
            stored(cluster.broker()).await.unwrap();
            let mut consumer = consumer(transport, Some("g"));
            let read = consumer.next().await.map(drop).map_err(|error| error.to_string());
            let committed = consumer.commit_consumed().await.map_err(|error| error.to_string());
            consumer.close().await;
            read.and(committed)
        })
        .await;
    }
}

#[tokio::test]
async fn admins_survive_what_happens_to_answers() {
    survives(ApiKey::FindCoordinator, async |_, transport| {
        admin(transport).alter_group_offsets("g", &[(place(), Offset::ZERO)]).await
    })
    .await;
    survives(ApiKey::ListGroups, async |_, transport| admin(transport).list_groups().await.map(drop)).await;
    survives(ApiKey::DescribeCluster, async |_, transport| {
        admin(transport).describe_cluster().await.map(drop)
    })
    .await;
    survives(ApiKey::ListOffsets, async |_, transport| {
        admin(transport).list_offsets(&[(place(), OffsetSpec::Latest)]).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_stalled_request_takes_its_connection_with_it_and_is_sent_again() {
    let cluster = cluster(1).await;
    cluster.broker().mishap(ApiKey::ListGroups, Mishap::Stall);
    admin(&cluster.transport()).list_groups().await.unwrap();
    assert_eq!(cluster.broker().asked(ApiKey::ListGroups), 2);
}

#[tokio::test]
async fn every_refusal_that_may_pass_is_tried_again() {
    let cluster = cluster(1).await;
    let codes = [
        (ApiKey::Produce, ErrorCode::NOT_LEADER_OR_FOLLOWER),
        (ApiKey::Produce, ErrorCode::NOT_ENOUGH_REPLICAS),
        (ApiKey::Produce, ErrorCode::REQUEST_TIMED_OUT),
        (ApiKey::InitProducerId, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
        (ApiKey::Metadata, ErrorCode::LEADER_NOT_AVAILABLE),
    ];
    for (key, code) in codes {
        cluster.broker().trouble(key, Trouble::Code(code));
        assert_eq!(timeout(PATIENCE, stored(&cluster.transport())).await.unwrap(), Ok(()), "{key} {code}");
    }
    let codes = [
        (ApiKey::ListOffsets, ErrorCode::UNKNOWN_LEADER_EPOCH),
        (ApiKey::Fetch, ErrorCode::NOT_LEADER_OR_FOLLOWER),
        (ApiKey::FindCoordinator, ErrorCode::COORDINATOR_NOT_AVAILABLE),
        (ApiKey::OffsetFetch, ErrorCode::NOT_COORDINATOR),
        (ApiKey::JoinGroup, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
        (ApiKey::SyncGroup, ErrorCode::NOT_COORDINATOR),
    ];
    for (key, code) in codes {
        cluster.broker().trouble(key, Trouble::Code(code));
        let mut consumer = consumer(&cluster.transport(), Some("g"));
        consumer.next().await.unwrap_or_else(|error| panic!("{key} {code}: {error}"));
        consumer.close().await;
    }
}

#[tokio::test]
async fn records_follow_a_leader_that_moves() {
    let cluster = cluster(3).await;
    let transport = cluster.transport();
    let (producer, mut consumer) = (producer(&transport), consumer(&transport, None));
    for number in 0..6 {
        cluster.broker().move_leader("t", 0, cluster.node(number % 3));
        producer.send(ProducerRecord::new("t").value("v")).await.unwrap().await.unwrap();
        let next = timeout(PATIENCE, consumer.next()).await.unwrap().unwrap();
        assert_eq!(next.record.offset, Offset(i64::try_from(number).unwrap()));
    }
}

#[tokio::test]
async fn groups_follow_a_coordinator_that_moves() {
    let cluster = cluster(3).await;
    let transport = cluster.transport();
    let producer = producer(&transport);
    let mut consumer = consumer(&transport, Some("g"));
    for number in 0..3 {
        cluster.broker().move_coordinator("g", cluster.node(number));
        producer.send(ProducerRecord::new("t").value("v")).await.unwrap().await.unwrap();
        timeout(PATIENCE, consumer.next()).await.unwrap().unwrap();
        timeout(PATIENCE, consumer.commit_consumed()).await.unwrap().unwrap();
        assert_eq!(cluster.broker().committed("g", "t", 0), Some(i64::try_from(number).unwrap() + 1));
    }
}

#[tokio::test]
async fn a_client_goes_back_to_where_it_began_when_all_brokers_that_it_knew_are_gone() {
    let mut cluster = cluster(3).await;
    let (first, others) = (cluster.node(0), [cluster.node(1), cluster.node(2)]);
    // Of the three nodes the client is told one; it learns of the others there.
    let config = mainstem_client::TcpConfig {
        reconnect_backoff: Duration::from_millis(5),
        reconnect_backoff_max: Duration::from_millis(50),
        ..mainstem_client::TcpConfig::bootstrap(cluster.address(first).unwrap())
    };
    let transport = TcpTransport::new(config);
    let admin = admin(&transport);
    cluster.broker().forget_node(first);
    admin.create_topic(NewTopic { replication_factor: 1, ..NewTopic::new("u", 1) }).await.unwrap();
    for node in others {
        cluster.stop_node(node);
        cluster.broker().forget_node(node);
        cluster.start_node(node).await.unwrap();
    }
    let found = admin.list_offsets(&[(TopicPartition::new("u", 0), OffsetSpec::Latest)]).await.unwrap();
    assert_eq!(found[&TopicPartition::new("u", 0)].offset, Offset::ZERO);
}

#[tokio::test]
async fn a_broker_that_left_its_cluster_sends_clients_back_to_where_they_began() {
    let cluster = cluster(1).await;
    cluster.broker().trouble(ApiKey::Metadata, Trouble::Code(ErrorCode::REBOOTSTRAP_REQUIRED));
    assert_eq!(admin(&cluster.transport()).list_topics().await.unwrap().len(), 1);
    assert_eq!(cluster.broker().asked(ApiKey::Metadata), 2);
}

#[tokio::test]
async fn what_happens_is_counted() {
    let cluster = cluster(1).await;
    let producer = producer(&cluster.transport());
    cluster.broker().trouble(ApiKey::Produce, Trouble::Code(ErrorCode::NOT_ENOUGH_REPLICAS));
    cluster.broker().mishap(ApiKey::Metadata, Mishap::CloseBefore);
    for _ in 0..3 {
        producer.send(ProducerRecord::new("t").value(vec![b'x'; 1000])).await.unwrap().await.unwrap();
    }
    let metrics = producer.metrics();
    let produced = &metrics.produced;
    assert_eq!((produced.records, produced.batches, produced.batches_retried), (3, 3, 1));
    assert_eq!((produced.bytes, produced.compression_rate()), (produced.uncompressed_bytes, Some(1.0)));
    assert_eq!(produced.queue_time.count, 3);
    assert_eq!((metrics.errors["NOT_ENOUGH_REPLICAS"], metrics.errors["DISCONNECTED"]), (1, 1));
    assert_eq!(metrics.requests["Produce"].count, 4);
    assert!(metrics.traffic.outgoing_bytes > 4000 && metrics.traffic.connections_created >= 2);
    let mut consumer = consumer(&cluster.transport(), Some("g"));
    consumer.next().await.unwrap();
    let consumed = consumer.metrics().consumed;
    assert_eq!((consumed.records, consumed.rebalances, consumed.lag["t-0"]), (1, 1, 2));
    assert!(consumed.bytes > 1000);
}
