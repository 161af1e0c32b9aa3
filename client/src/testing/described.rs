//! What the fake broker tells of its groups and of its logs.

use mainstem_protocol::{
    PartitionId, Text,
    formats::consumer::PROTOCOL_TYPE,
    messages::{
        DescribeGroupsRequest, DescribeGroupsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse,
        ListGroupsResponse,
        describe_groups::{DescribedGroup, DescribedGroupMember},
        describe_log_dirs::{DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic},
        list_groups::ListedGroup,
        offset_fetch::{OffsetFetchResponsePartitions, OffsetFetchResponseTopics},
    },
    records::Batch,
};

use super::{State, group::Group, log::Log};

impl State {
    pub(super) fn list_groups(&self) -> ListGroupsResponse {
        let groups = self.groups.iter().map(|(id, group)| ListedGroup {
            group_id: id.clone(),
            protocol_type: Text::from_static(PROTOCOL_TYPE),
            group_state: group.state(),
            ..ListedGroup::default()
        });
        ListGroupsResponse { groups: groups.collect(), ..ListGroupsResponse::default() }
    }

    pub(super) fn describe_groups(&self, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
        let groups = request.groups.into_iter().map(|id| match self.groups.get(&id) {
            Some(group) => describe(id, group),
            None => {
                let group_state = Text::from_static("Dead");
                DescribedGroup { group_id: id, group_state, ..DescribedGroup::default() }
            }
        });
        DescribeGroupsResponse { groups: groups.collect(), ..DescribeGroupsResponse::default() }
    }

    /// Everything that a group has committed.
    pub(super) fn committed_by(&self, group: &str) -> Vec<OffsetFetchResponseTopics> {
        let offsets = self.groups.get(group).into_iter().flat_map(|group| &group.offsets);
        let topics = offsets.map(|((topic, partition), offset)| OffsetFetchResponseTopics {
            name: topic.clone(),
            partitions: vec![OffsetFetchResponsePartitions {
                partition_index: *partition,
                committed_offset: *offset,
                ..OffsetFetchResponsePartitions::default()
            }],
            ..OffsetFetchResponseTopics::default()
        });
        topics.collect()
    }

    pub(super) fn describe_log_dirs(&self, request: &DescribeLogDirsRequest) -> DescribeLogDirsResponse {
        let is_wanted = |topic: &Text, partition: PartitionId| {
            let wanted = request.topics.as_ref();
            wanted.is_none_or(|topics| {
                topics.iter().any(|each| each.topic == *topic && each.partitions.contains(&partition))
            })
        };
        let topics = self.topics.iter().map(|(topic, logs)| {
            let logs = logs.iter().zip(0..).map(|(log, index)| (log, PartitionId(index)));
            let wanted = logs.filter(|(_, partition)| is_wanted(topic, *partition));
            DescribeLogDirsTopic { name: topic.clone(), partitions: wanted.map(size).collect() }
        });
        let log_dir = Text::from_static("/memory");
        let result =
            DescribeLogDirsResult { log_dir, topics: topics.collect(), ..DescribeLogDirsResult::default() };
        DescribeLogDirsResponse { results: vec![result], ..DescribeLogDirsResponse::default() }
    }
}

fn describe(id: Text, group: &Group) -> DescribedGroup {
    let members = group.assignments().map(|(member, assignment)| DescribedGroupMember {
        member_id: member.clone(),
        member_assignment: assignment.clone(),
        ..DescribedGroupMember::default()
    });
    DescribedGroup {
        group_id: id,
        group_state: group.state(),
        protocol_type: Text::from_static(PROTOCOL_TYPE),
        protocol_data: group.protocol.clone(),
        members: members.collect(),
        ..DescribedGroup::default()
    }
}

fn size((log, partition): (&Log, PartitionId)) -> DescribeLogDirsPartition {
    let bytes: usize = log.batches.iter().map(Batch::bytes).map(|bytes| bytes.len()).sum();
    DescribeLogDirsPartition {
        partition_index: partition,
        partition_size: i64::try_from(bytes).unwrap_or(i64::MAX),
        ..DescribeLogDirsPartition::default()
    }
}
