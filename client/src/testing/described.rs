//! What the fake broker tells of its groups and of its logs, and how it forgets groups.

use mainstem_protocol::{
    ErrorCode, PartitionId, Text,
    formats::consumer::PROTOCOL_TYPE,
    messages::{
        ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DeleteGroupsRequest,
        DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, DescribeLogDirsRequest,
        DescribeLogDirsResponse, ListGroupsRequest, ListGroupsResponse, OffsetDeleteRequest,
        OffsetDeleteResponse, consumer_group_describe,
        delete_groups::DeletableGroupResult,
        describe_groups::{DescribedGroup, DescribedGroupMember},
        describe_log_dirs::{DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic},
        list_groups::ListedGroup,
        offset_delete::{OffsetDeleteRequestTopic, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
        offset_fetch::{OffsetFetchResponsePartitions, OffsetFetchResponseTopics},
    },
    records::Batch,
};

use super::{State, group::Group, log::Log};

/// What kind of group every group here is (Kafka: `Group.GroupType`).
const CLASSIC: &str = "classic";

impl State {
    /// The groups that pass the filters; all of them are classic.
    pub(super) fn list_groups(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let passes = |filter: &[Text], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let groups = self.groups.iter().filter(|(_, group)| {
            passes(&request.states_filter, &group.state()) && passes(&request.types_filter, CLASSIC)
        });
        let groups = groups.map(|(id, group)| ListedGroup {
            group_id: id.clone(),
            protocol_type: Text::from_static(PROTOCOL_TYPE),
            group_state: group.state(),
            group_type: Text::from_static(CLASSIC),
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

    /// Deletes groups without members.
    pub(super) fn delete_groups(&mut self, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
        let results = request.groups_names.into_iter().map(|group_id| {
            let error_code = match self.groups.get(&group_id) {
                None => ErrorCode::GROUP_ID_NOT_FOUND,
                Some(group) if group.member_count() > 0 => ErrorCode::NON_EMPTY_GROUP,
                Some(_) => ErrorCode::NONE,
            };
            if error_code.is_none() {
                self.groups.remove(&group_id);
            }
            DeletableGroupResult { group_id, error_code }
        });
        DeleteGroupsResponse { throttle_time_ms: 0, results: results.collect() }
    }

    /// Deletes committed offsets; whoever is a member reads every topic.
    pub(super) fn delete_offsets(&mut self, request: &OffsetDeleteRequest) -> OffsetDeleteResponse {
        let Some(group) = self.groups.get_mut(&request.group_id) else {
            let error_code = ErrorCode::GROUP_ID_NOT_FOUND;
            return OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() };
        };
        let is_read = group.member_count() > 0;
        let error_code = if is_read { ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC } else { ErrorCode::NONE };
        let mut topics = Vec::new();
        for OffsetDeleteRequestTopic { name, partitions } in &request.topics {
            let indexes = partitions.iter().map(|partition| partition.partition_index);
            if !is_read {
                indexes.clone().for_each(|index| {
                    group.offsets.remove(&(name.clone(), index));
                });
            }
            let partition = |partition_index| OffsetDeleteResponsePartition { partition_index, error_code };
            let partitions = indexes.map(partition).collect();
            topics.push(OffsetDeleteResponseTopic { name: name.clone(), partitions });
        }
        OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() }
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

/// There are none of the newer protocol, as a broker says it that knows the protocol.
pub(super) fn no_modern_groups(request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse {
    let error_code = ErrorCode::GROUP_ID_NOT_FOUND;
    let groups = request.group_ids.into_iter().map(|group_id| consumer_group_describe::DescribedGroup {
        group_id,
        error_code,
        ..Default::default()
    });
    ConsumerGroupDescribeResponse { throttle_time_ms: 0, groups: groups.collect() }
}

fn describe(id: Text, group: &Group) -> DescribedGroup {
    let metadata = group.metadata().into_iter().map(|(_, _, metadata)| metadata);
    let members =
        group.assignments().zip(metadata).map(|((member, assignment), metadata)| DescribedGroupMember {
            member_id: member.clone(),
            member_metadata: metadata,
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
