//! Topics: made, told of, deleted, made again, grown.

use mainstem_protocol::{
    ApiKey, PartitionId, Text, TopicId,
    messages::{
        CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest,
        create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic},
        create_topics::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
        delete_topics::DeleteTopicState,
        metadata::MetadataRequestTopic,
    },
};

use crate::{
    plan::{ODD_TOPICS, Plan, TOPICS},
    side::Name,
};

pub(crate) fn scene(plan: &mut Plan) {
    for _ in 0..plan.chance.between(6, 14) {
        match plan.chance.below(10) {
            0..=3 => create(plan),
            4 | 5 => delete(plan),
            6 => grow(plan),
            _ => metadata(plan),
        }
    }
}

/// Makes a topic as it should be.
pub(crate) fn make(
    plan: &mut Plan,
    name: Name,
    partitions: i32,
    configs: &'static [(&'static str, &'static str)],
) {
    let version = plan.version(ApiKey::CreateTopics);
    plan.add(version, move |side| {
        let config = |(name, value): &(&'static str, &'static str)| CreatableTopicConfig {
            name: Text::from_static(name),
            value: Some(Text::from_static(value)),
        };
        let topic = CreatableTopic {
            name: side.name(name),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false }
    });
}

#[derive(Clone, Debug)]
struct Wanted {
    name: Name,
    partitions: i32,
    replicas: i16,
    assignments: Vec<(i32, Vec<i32>)>,
    configs: Vec<(&'static str, Option<&'static str>)>,
}

const CONFIGS: &[(&str, Option<&str>)] = &[
    ("retention.ms", Some("100000")),
    ("cleanup.policy", Some("compact")),
    ("compression.type", Some("zstd")),
    ("max.message.bytes", Some("1000")),
    ("message.timestamp.type", Some("LogAppendTime")),
];

const WRONG_CONFIGS: &[(&str, Option<&str>)] = &[
    ("retention.ms", Some("soon")),
    ("retention.ms", Some("-2")),
    ("retention.ms", None),
    ("cleanup.policy", Some("burn")),
    ("min.insync.replicas", Some("0")),
    ("segment.bytes", Some("1")),
    ("no.such.setting", Some("1")),
    ("", Some("1")),
    ("compression.type", Some("")),
];

impl Wanted {
    fn any(plan: &mut Plan) -> Self {
        let Plan { chance, .. } = plan;
        let assigned = chance.once_in(8);
        let assignments: &[&[(i32, &[i32])]] = &[
            &[(0, &[1])],
            &[(0, &[1]), (1, &[1])],
            &[(1, &[1])],
            &[(0, &[1]), (0, &[1])],
            &[(0, &[])],
            &[(0, &[7])],
            &[(0, &[1, 1])],
            &[(-1, &[1])],
        ];
        let chosen = chance.one_of(assignments);
        let count = chance.mostly(&[0, 0, 1], 6, &[2]);
        Self {
            name: chance.mostly(TOPICS, 5, ODD_TOPICS),
            partitions: if assigned && !chance.once_in(4) {
                -1
            } else {
                chance.mostly(&[1, 3, -1], 8, &[0, -2, i32::MIN])
            },
            replicas: if assigned && !chance.once_in(4) {
                -1
            } else {
                chance.mostly(&[1, -1], 8, &[0, 2, -2, i16::MAX])
            },
            assignments: if assigned {
                chosen.iter().map(|(at, to)| (*at, to.to_vec())).collect()
            } else {
                Vec::new()
            },
            configs: chance.several(count, |chance| chance.mostly(CONFIGS, 4, WRONG_CONFIGS)),
        }
    }

    fn topic(&self, name: Text) -> CreatableTopic {
        let assignment = |(at, to): &(i32, Vec<i32>)| CreatableReplicaAssignment {
            partition_index: PartitionId(*at),
            broker_ids: to.iter().copied().map(Into::into).collect(),
        };
        let config = |(name, value): &(&'static str, Option<&'static str>)| CreatableTopicConfig {
            name: Text::from_static(name),
            value: value.map(Text::from_static),
        };
        CreatableTopic {
            name,
            num_partitions: self.partitions,
            replication_factor: self.replicas,
            assignments: self.assignments.iter().map(assignment).collect(),
            configs: self.configs.iter().map(config).collect(),
        }
    }
}

fn create(plan: &mut Plan) {
    let version = plan.version(ApiKey::CreateTopics);
    let count = plan.chance.mostly(&[1, 1, 2], 10, &[0, 3]);
    let mut wanted: Vec<_> = (0..count).map(|_| Wanted::any(plan)).collect();
    if plan.chance.once_in(10) {
        wanted.extend(wanted.first().cloned());
    }
    let validate_only = plan.chance.once_in(6);
    let timeout_ms = plan.chance.mostly(&[10_000], 1, &[10_000]);
    plan.add(version, move |side| {
        let topics = wanted.iter().map(|topic| topic.topic(side.name(topic.name))).collect();
        CreateTopicsRequest { topics, timeout_ms, validate_only }
    });
}

fn delete(plan: &mut Plan) {
    let version = plan.version(ApiKey::DeleteTopics);
    let count = plan.chance.mostly(&[1, 1, 2], 10, &[0, 3]);
    let names: Vec<_> = (0..count).map(|_| plan.topic()).collect();
    let by = plan.chance.below(6);
    plan.add(version, move |side| {
        let state = |name: &Name| match by {
            0 | 1 => DeleteTopicState { name: None, topic_id: side.topic_id(*name) },
            2 => DeleteTopicState { name: None, topic_id: side.id_before(*name, 1) },
            _ => DeleteTopicState { name: Some(side.name(*name)), topic_id: TopicId::ZERO },
        };
        DeleteTopicsRequest {
            topics: names.iter().map(state).collect(),
            topic_names: names.iter().map(|name| side.name(*name)).collect(),
            timeout_ms: 10_000,
        }
    });
}

/// Deletes a topic as it should be.
pub(crate) fn delete_named(plan: &mut Plan, name: Name) {
    let version = plan.version(ApiKey::DeleteTopics);
    plan.add(version, move |side| DeleteTopicsRequest {
        topics: vec![DeleteTopicState { name: Some(side.name(name)), topic_id: TopicId::ZERO }],
        topic_names: vec![side.name(name)],
        timeout_ms: 10_000,
    });
}

fn grow(plan: &mut Plan) {
    let version = plan.version(ApiKey::CreatePartitions);
    let count = plan.chance.mostly(&[1], 6, &[0, 2]);
    let topics: Vec<_> =
        (0..count).map(|_| (plan.topic(), plan.chance.mostly(&[2, 3, 4, 5], 5, &[0, 1, -1, 6]))).collect();
    let assigned: Option<&[&[i32]]> = plan.chance.mostly(
        &[None],
        6,
        &[Some(&[][..]), Some(&[&[1]]), Some(&[&[1], &[1]]), Some(&[&[]]), Some(&[&[9]])],
    );
    let validate_only = plan.chance.once_in(6);
    plan.add(version, move |side| {
        let assignment = |to: &&[i32]| CreatePartitionsAssignment {
            broker_ids: to.iter().copied().map(Into::into).collect(),
        };
        let topic = |(name, count): &(Name, i32)| CreatePartitionsTopic {
            name: side.name(*name),
            count: *count,
            assignments: assigned.map(|all| all.iter().map(assignment).collect()),
        };
        let topics = topics.iter().map(topic).collect();
        CreatePartitionsRequest { topics, timeout_ms: 10_000, validate_only }
    });
}

pub(crate) fn metadata(plan: &mut Plan) {
    let version = plan.version(ApiKey::Metadata);
    let count = plan.chance.mostly(&[1, 1, 2], 8, &[0, 3]);
    let names: Vec<_> = (0..count).map(|_| plan.topic()).collect();
    let (by, is_all) = (plan.chance.below(6), plan.chance.once_in(8));
    let (ours, theirs) = (plan.chance.once_in(3), plan.chance.once_in(3));
    plan.add(version, move |side| {
        let topic = |name: &Name| match by {
            0 if version >= 12 => MetadataRequestTopic { name: None, topic_id: side.topic_id(*name) },
            1 if version >= 12 => MetadataRequestTopic { name: None, topic_id: side.id_before(*name, 1) },
            _ => MetadataRequestTopic { name: Some(side.name(*name)), topic_id: TopicId::ZERO },
        };
        MetadataRequest {
            topics: if is_all && version > 0 { None } else { Some(names.iter().map(topic).collect()) },
            // Before version 4 there is no choice.
            allow_auto_topic_creation: false,
            include_cluster_authorized_operations: ours,
            include_topic_authorized_operations: theirs,
        }
    })
    .is_harmless = version >= 4;
}
