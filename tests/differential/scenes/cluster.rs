//! What there is: APIs, brokers, directories of logs, coordinators; and requests whose bytes are spoilt.

use mainstem_protocol::{
    ApiKey, PartitionId, Text,
    messages::{
        ApiVersionsRequest, DescribeClusterRequest, DescribeLogDirsRequest, DescribeTopicPartitionsRequest,
        ElectLeadersRequest, ListConfigResourcesRequest, describe_log_dirs::DescribableLogDirTopic,
        describe_topic_partitions::TopicRequest, elect_leaders::TopicPartitions,
    },
};

use super::{administration, records, topics};
use crate::{plan::Plan, side::Name, socket::Spoilt};

pub(crate) fn scene(plan: &mut Plan) {
    topics::make(plan, Name::Own("a"), 2, &[]);
    for _ in 0..plan.chance.between(8, 14) {
        match plan.chance.below(9) {
            0 => versions(plan),
            1 => cluster(plan),
            2 | 3 => log_dirs(plan),
            4 => too_old_to_produce(plan),
            5 => records::list_offsets(plan),
            6 => described(plan),
            _ => topics::metadata(plan),
        }
        // Only requests that change nothing: where bytes are spoilt, nobody knows what they come to mean.
        if plan.chance.once_in(3) {
            let spoilt = plan.spoil(1);
            if let Some(step) = plan.steps.last_mut().filter(|step| step.is_harmless) {
                // Of a name that is not UTF-8 any more nothing shows, where the answer does not repeat it.
                let is_number = matches!(spoilt, Some(Spoilt::Number { .. }));
                step.spoilt = spoilt.filter(|_| !(is_number && step.hides_names));
            }
        }
    }
    administration::some(plan);
}

fn versions(plan: &mut Plan) {
    let version = plan.version(ApiKey::ApiVersions);
    let name = plan.chance.mostly(&["differential"], 6, &["a", "a-1.b"]);
    plan.add(version, move |_| ApiVersionsRequest {
        client_software_name: Text::from_static(name),
        client_software_version: Text::from_static("1.0"),
    })
    .is_harmless = true;
}

fn cluster(plan: &mut Plan) {
    let version = plan.version(ApiKey::DescribeCluster);
    let endpoint_type = plan.chance.mostly(&[1], 4, &[2, 0, 3]);
    let (operations, fenced) = (plan.chance.once_in(2), plan.chance.once_in(2));
    plan.add(version, move |_| DescribeClusterRequest {
        include_cluster_authorized_operations: operations,
        endpoint_type,
        include_fenced_brokers: fenced,
    })
    .is_harmless = true;
}

fn log_dirs(plan: &mut Plan) {
    let version = plan.version(ApiKey::DescribeLogDirs);
    let is_all = plan.chance.once_in(4);
    let count = plan.chance.mostly(&[1, 2], 8, &[0]);
    let asked: Vec<_> = (0..count).map(|_| (plan.topic(), plan.partition())).collect();
    let step = plan.add(version, move |side| {
        let topic = |(name, partition): &(Name, i32)| DescribableLogDirTopic {
            topic: side.name(*name),
            partitions: vec![PartitionId(*partition)],
        };
        DescribeLogDirsRequest { topics: if is_all { None } else { Some(asked.iter().map(topic).collect()) } }
    });
    step.is_harmless = true;
    step.hides_names = !is_all;
}

/// Partitions page by page, what has settings, and leaders that are elected again.
fn described(plan: &mut Plan) {
    let asked: Vec<_> = (0..plan.chance.one_of(&[1, 2])).map(|_| (plan.topic(), plan.partition())).collect();
    let limit = plan.chance.mostly(&[2000], 3, &[1, 0, -1]);
    match plan.chance.below(3) {
        0 => plan.add(0, move |side| DescribeTopicPartitionsRequest {
            topics: asked.iter().map(|(name, _)| TopicRequest { name: side.name(*name) }).collect(),
            response_partition_limit: limit,
            cursor: None,
        }),
        1 => {
            let version = plan.version(ApiKey::ListConfigResources);
            let types = plan.chance.one_of(&[&[2][..], &[4], &[16], &[99]]);
            plan.add(version, move |_| ListConfigResourcesRequest {
                resource_types: if version == 0 { Vec::new() } else { types.to_vec() },
            })
        }
        _ => {
            let version = plan.version(ApiKey::ElectLeaders);
            let election_type = plan.chance.mostly(&[0, 1], 6, &[2]);
            plan.add(version, move |side| {
                let topic = |(name, partition): &(Name, i32)| TopicPartitions {
                    topic: side.name(*name),
                    partitions: vec![PartitionId(*partition)],
                };
                let topic_partitions = Some(asked.iter().map(topic).collect());
                ElectLeadersRequest { election_type, topic_partitions, timeout_ms: 10_000 }
            })
        }
    };
}

/// Versions that are offered for old clients' sake and refused when they come (KAFKA-18659).
fn too_old_to_produce(plan: &mut Plan) {
    let old = plan.chance.one_of(&[0, 1, 2]);
    plan.add(3, |side| records::request(side, -1, &[])).spoilt = Some(Spoilt::Version(old));
}
