//! A group at work on topics of its own, whose records are kept as the log keeps them.

mod bad_input;
mod classic;
mod mixed;
mod patterns;
mod rules;
mod schedules;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{
    ErrorCode, PartitionId, Text, Timestamp, TopicId,
    formats::offsets::Key,
    messages::{ConsumerGroupHeartbeatRequest, consumer_group_heartbeat::TopicPartitions},
};

use super::*;

pub(super) const SESSION: Duration = Duration::from_secs(45);
pub(super) const REBALANCE: Duration = Duration::from_secs(30);

/// Topics that come, grow and go.
#[derive(Clone, Debug, Default)]
pub(super) struct Topics {
    version: u64,
    created: u8,
    topics: BTreeMap<String, (TopicId, u32)>,
}

impl Topics {
    pub(super) fn set(&mut self, name: &str, partitions: u32) {
        self.version += 1;
        let next = TopicId([self.created + 1; 16]);
        let topic = self.topics.entry(name.to_owned()).or_insert((next, 0));
        self.created += u8::from(topic.0 == next);
        topic.1 = partitions;
    }

    pub(super) fn delete(&mut self, name: &str) {
        self.version += 1;
        self.topics.remove(name);
    }
}

impl Catalogue for Topics {
    fn version(&self) -> u64 {
        self.version
    }

    fn topic(&self, name: &str) -> Option<(TopicId, u32)> {
        self.topics.get(name).copied()
    }

    fn each_name(&self, found: &mut dyn FnMut(&str)) {
        self.topics.keys().for_each(|name| found(name));
    }
}

/// A group with its topics, its clock and its log.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    pub(super) group: Group,
    pub(super) topics: Topics,
    pub(super) now: Duration,
    /// The last values by key.
    log: BTreeMap<Bytes, Bytes>,
}

pub(super) fn limits() -> Limits {
    Limits {
        session_timeout: SESSION,
        members_max: 100,
        assignors: Assignor::ALL.to_vec(),
        may_upgrade: true,
        classic_members_max: Some(100),
    }
}

/// What a member says that joins.
pub(super) fn joining(id: &str, topics: &[&str]) -> Heartbeat {
    Heartbeat {
        member_id: id.into(),
        epoch: JOIN,
        rebalance_timeout: Some(REBALANCE),
        topics: Some(topics.iter().map(|name| Text::from(*name)).collect()),
        owned: Some(Assignment::default()),
        ..Heartbeat::default()
    }
}

/// What a member says that is there and has nothing to say.
pub(super) fn staying(id: &str, epoch: i32) -> Heartbeat {
    Heartbeat { member_id: id.into(), epoch, ..Heartbeat::default() }
}

/// What a member says that tells what it has.
pub(super) fn owning(id: &str, epoch: i32, owned: &Assignment) -> Heartbeat {
    Heartbeat { owned: Some(owned.clone()), ..staying(id, epoch) }
}

impl Bench {
    /// A group nobody is in, and a topic `t` of six partitions.
    pub(super) fn new() -> Self {
        let mut topics = Topics::default();
        topics.set("t", 6);
        Self { group: Group::new("g".into(), limits()), topics, now: Duration::ZERO, log: BTreeMap::new() }
    }

    /// Partitions of a topic.
    pub(super) fn of(&self, topic: &str, partitions: impl IntoIterator<Item = i32>) -> Assignment {
        let (id, _) = self.topics.topic(topic).unwrap();
        partitions.into_iter().map(|partition| (id, PartitionId(partition))).collect()
    }

    pub(super) fn beat(&mut self, beat: &Heartbeat) -> Result<Beat, ErrorCode> {
        let change = if beat.epoch < JOIN {
            self.group.leave(beat, &self.topics)
        } else {
            self.group.heartbeat(beat, &self.topics)
        };
        change.map(|change| self.apply(change)).map_err(|refusal| refusal.error)
    }

    pub(super) fn tick(&mut self) {
        let change = self.group.tick(self.now, &self.topics);
        self.apply(change);
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.tick();
    }

    fn apply<A>(&mut self, change: Change<A>) -> A {
        for record in &change.records {
            let (key, value) = record.stored(&self.group.id, Timestamp(0)).unwrap();
            let key = key.to_bytes().unwrap();
            match value {
                Some(value) => drop(self.log.insert(key, value)),
                None => drop(self.log.remove(&key)),
            }
        }
        self.group.apply(change, self.now)
    }

    /// The group as the log has it.
    pub(super) fn restored(&self) -> Group {
        let record = |(key, value): (&Bytes, &Bytes)| match Key::from_bytes(key.clone()) {
            Ok(Key::ConsumerGroup(key)) => stored_record(key, value.clone()).unwrap(),
            _ => None,
        };
        Group::restored("g".into(), limits(), self.log.iter().filter_map(record), self.now)
    }

    pub(super) fn member(&self, id: &str) -> &Member {
        &self.group.members[id]
    }

    pub(super) fn assigned(&self, id: &str) -> Assignment {
        self.member(id).current.assigned.clone()
    }

    /// Everybody gives back at once and asks until nothing changes any more.
    pub(super) fn settle(&mut self) {
        for _ in 0..10 {
            for id in self.group.members.keys().cloned().collect::<Vec<_>>() {
                let current = self.group.members[&id].current.clone();
                self.beat(&owning(&id, current.epoch, &current.assigned)).unwrap();
            }
        }
        assert_eq!(self.group.state(), State::Stable);
    }
}

/// Two groups are the same but for what is not stored.
pub(super) fn assert_same(left: &Group, right: &Group) {
    assert_eq!((left.epoch, left.target_epoch), (right.epoch, right.target_epoch));
    assert_eq!((&left.members, &left.targets), (&right.members, &right.targets));
    assert_eq!((&left.patterns, left.metadata_hash), (&right.patterns, right.metadata_hash));
    assert_eq!((&left.static_members, &left.owners), (&right.static_members, &right.owners));
}

/// A request as a member of the newest version sends it when it joins.
pub(super) fn request() -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "a".into(),
        rebalance_timeout_ms: 1000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

pub(super) fn read(request: ConsumerGroupHeartbeatRequest, version: i16) -> Result<Heartbeat, Refusal> {
    Heartbeat::read(request, version, Client::default(), &Assignor::ALL, || "fresh".into())
}

pub(super) fn owned(topic: TopicId, partitions: &[i32]) -> Vec<TopicPartitions> {
    let partitions = partitions.iter().map(|partition| PartitionId(*partition)).collect();
    vec![TopicPartitions { topic_id: topic, partitions }]
}
