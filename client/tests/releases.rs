//! The client against brokers that speak what each release of Kafka does: everything works from 2.1 on, but for what the
//! brokers of a release cannot do, which is told with the release that can.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use mainstem_client::{
    Admin, AdminConfig, Compression, Consumer, ConsumerConfig, NewTopic, Offset, OffsetSpec, Producer,
    ProducerConfig, ProducerRecord, TcpConfig, TcpTransport, TopicPartition,
    admin::{Departure, GroupFilter},
    consumer::OffsetReset,
    protocol::ApiKey,
    testing::{FakeBroker, RELEASES, Release, Served, serve},
};
use tokio::time::timeout;

/// A test that takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker of a release, on a socket: what a version has no field for does not arrive.
async fn broker(release: Release) -> (FakeBroker, Served, TcpTransport) {
    let broker = FakeBroker::new();
    broker.speak_as(release);
    let newest = *release.versions(ApiKey::ApiVersions).end();
    let served = serve(&broker, newest).await.unwrap();
    let transport = TcpTransport::new(TcpConfig::bootstrap(&served.address));
    (broker, served, transport)
}

/// What a client says about each thing that it can do; nothing where it did it.
type Said = BTreeMap<&'static str, Option<String>>;

struct Trial {
    said: Said,
}

impl Trial {
    fn note<T, E: Display>(&mut self, what: &'static str, done: Result<T, E>) -> Option<T> {
        let (done, said) = match done {
            Ok(done) => (Some(done), None),
            Err(error) => (None, Some(error.to_string())),
        };
        self.said.insert(what, said);
        done
    }
}

fn place() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// Everything once.
async fn everything(transport: &TcpTransport) -> Said {
    let mut trial = Trial { said: Said::new() };
    let admin = Admin::new(transport, AdminConfig::default());
    let three = NewTopic { replication_factor: 1, ..NewTopic::new("t", 3) };
    trial.note("create a topic", admin.create_topic(three).await);
    trial.note("create a topic as the broker likes", admin.create_topic(NewTopic::new("u", -1)).await);
    records(transport, &mut trial).await;
    topics(&admin, &mut trial).await;
    groups(&admin, &mut trial).await;
    trial.said
}

async fn records(transport: &TcpTransport, trial: &mut Trial) {
    let config = ProducerConfig { compression: Compression::Zstd, ..ProducerConfig::default() };
    let producer = Producer::new(transport, config);
    let record = ProducerRecord::new("t").partition(0).value("v");
    let sent = producer.send(record).await.unwrap();
    trial.note("produce once", sent.receipt().await);
    let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::group("g") };
    let mut consumer = Consumer::new(transport, config);
    consumer.subscribe(["t"]).unwrap();
    let read = timeout(PATIENCE, consumer.next()).await.unwrap();
    let read = trial.note("consume in a group", read.map(|next| next.record.value));
    assert_eq!(read.flatten().as_deref(), Some(&b"v"[..]));
    trial.note("commit", consumer.commit_consumed().await);
    consumer.close().await;
}

async fn topics(admin: &Admin, trial: &mut Trial) {
    for (what, spec, expected) in [
        ("earliest", OffsetSpec::Earliest, 0),
        ("latest", OffsetSpec::Latest, 1),
        ("at a time", OffsetSpec::Timestamp(mainstem_client::Timestamp(1)), 0),
        ("largest time", OffsetSpec::MaxTimestamp, 0),
    ] {
        let found = trial.note(what, admin.list_offsets(&[(place(), spec)]).await);
        assert!(found.is_none_or(|found| found[&place()].offset == Offset(expected)), "{what}");
    }
    let cluster = trial.note("describe the cluster", admin.describe_cluster().await).unwrap();
    assert_eq!(&*cluster.cluster_id, "fake");
    trial.note("list topics", admin.list_topics().await);
    trial.note("describe settings", admin.describe_topic_configs("t").await);
    trial.note("log directories", admin.describe_log_dirs(cluster.controller, None).await);
}

async fn groups(admin: &Admin, trial: &mut Trial) {
    let listed = trial.note("list groups", admin.list_groups().await).unwrap();
    assert_eq!(listed.iter().map(|group| &*group.id).collect::<Vec<_>>(), ["g"]);
    let by_state = GroupFilter { states: vec!["Empty".into()], ..GroupFilter::default() };
    trial.note("list groups by state", admin.list_groups_by(&by_state).await);
    let by_type = GroupFilter { types: vec!["classic".into()], ..GroupFilter::default() };
    trial.note("list groups by type", admin.list_groups_by(&by_type).await);
    let described = trial.note("describe a group", admin.describe_group("g").await).unwrap();
    assert_eq!((&*described.state, &*described.group_type), ("Empty", "classic"));
    let committed = trial.note("list offsets of a group", admin.list_group_offsets("g").await).unwrap();
    assert_eq!(committed[&place()].offset, Offset(1));
    trial.note("set offsets of a group", admin.alter_group_offsets("g", &[(place(), Offset::ZERO)]).await);
    trial.note("delete offsets of a group", admin.delete_group_offsets("g", &[place()]).await);
    // Whoever is no member cannot be taken out; that the group says so is what is asked here.
    let gone = |error: mainstem_client::admin::RemoveMembersError| error.to_string();
    let member = admin.remove_members("g", &[Departure::Member("m".into())]).await.map_err(gone).unwrap_err();
    assert_eq!(member, "group g has no member m");
    let instance = admin.remove_members("g", &[Departure::Instance("i".into())]).await.map_err(gone);
    let instance =
        instance.or_else(|said| if said == "group g has no member i" { Ok(()) } else { Err(said) });
    trial.note("remove static members", instance);
    trial.note("delete a group", admin.delete_group("g").await);
    trial.note("delete a topic", admin.delete_topic("t").await);
}

/// What only newer brokers can do, and from when on.
const SINCE: [(&str, Release); 6] = [
    ("create a topic as the broker likes", Release(2, 4)),
    ("delete offsets of a group", Release(2, 4)),
    ("remove static members", Release(2, 4)),
    ("list groups by state", Release(2, 6)),
    ("largest time", Release(3, 0)),
    ("list groups by type", Release(3, 8)),
];

#[tokio::test]
async fn every_release_from_2_1_on_does_what_it_can_and_the_rest_is_told() {
    for release in RELEASES {
        let (_broker, _served, transport) = broker(release).await;
        let said = timeout(PATIENCE, everything(&transport)).await.unwrap();
        for (what, error) in said {
            let since = SINCE.iter().find(|(newer, _)| *newer == what).map(|(_, since)| *since);
            match since.filter(|since| release < *since) {
                None => assert_eq!(error, None, "{release}: {what}"),
                Some(since) => {
                    let error = error.unwrap_or_else(|| panic!("{release}: {what}: done"));
                    assert!(error.contains(&format!("Kafka {since} or newer")), "{release}: {what}: {error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn requests_are_sent_in_versions_that_the_broker_offers() {
    for release in RELEASES {
        let (broker, _served, transport) = broker(release).await;
        timeout(PATIENCE, everything(&transport)).await.unwrap();
        let asked = broker.requests();
        assert!(asked.iter().any(|(key, _)| *key == ApiKey::Produce));
        for (key, version) in asked {
            assert!(release.versions(key).contains(&version), "{release}: {key} version {version}");
        }
    }
}

/// What the oldest versions of group requests have no field for, the client does not depend on.
#[tokio::test]
async fn a_group_of_two_rebalances_on_the_oldest_broker() {
    let (broker, _served, transport) = broker(RELEASES[0]).await;
    broker.create_topic("t", 2);
    let mut members = Vec::new();
    for _ in 0..2 {
        let mut member = Consumer::new(&transport, ConsumerConfig::group("g"));
        member.subscribe(["t"]).unwrap();
        members.push(member);
    }
    let shared = async {
        while members.iter().any(|member| member.assignment().len() != 1) {
            for member in &mut members {
                member.poll(Duration::from_millis(20)).await.unwrap();
            }
        }
    };
    timeout(PATIENCE, shared).await.unwrap();
    for member in members {
        member.close().await;
    }
    assert_eq!(broker.members("g"), 0);
}

#[tokio::test]
async fn a_static_member_is_refused_where_it_would_be_taken_for_another_one() {
    for release in [Release(2, 1), Release(2, 2), Release(2, 3)] {
        let (broker, _served, transport) = broker(release).await;
        broker.create_topic("t", 1);
        let config = ConsumerConfig { group_instance_id: Some("first".into()), ..ConsumerConfig::group("g") };
        let mut member = Consumer::new(&transport, config);
        member.subscribe(["t"]).unwrap();
        let polled = timeout(PATIENCE, member.poll(PATIENCE)).await.unwrap();
        match polled.map_err(|error| error.to_string()) {
            Ok(_) => assert!(release >= Release(2, 3), "{release}"),
            Err(error) => {
                assert!(error.contains("static members") && release < Release(2, 3), "{release}: {error}")
            }
        }
    }
}
