//! Answers that say no.

use mainstem_protocol::{
    ErrorCode, PartitionId, Text,
    messages::{
        add_partitions_to_txn::{AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult},
        create_topics::CreatableTopicResult,
        delete_groups::DeletableGroupResult,
        delete_topics::DeletableTopicResult,
        describe_groups::DescribedGroup,
        fetch::{FetchableTopicResponse, PartitionData},
        list_offsets::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        metadata::MetadataResponseTopic,
        offset_commit::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch::OffsetFetchResponseGroup,
        produce::{PartitionProduceResponse, TopicProduceResponse},
        txn_offset_commit::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic},
        *,
    },
};

/// The answer to a request that is refused with a code: it stands for each partition, topic or group where the answer
/// has no place for one code of its own. None for requests that no client of this crate sends.
#[must_use]
pub fn refusal(request: &RequestBody, code: ErrorCode) -> Option<ResponseBody> {
    let error_code = code;
    Some(match request {
        RequestBody::Produce(request) => produce(request, code).into(),
        RequestBody::Fetch(request) => fetch(request, code).into(),
        RequestBody::ListOffsets(request) => list_offsets(request, code).into(),
        RequestBody::Metadata(request) => metadata(request, code).into(),
        RequestBody::OffsetCommit(request) => offset_commit(request, code).into(),
        RequestBody::OffsetFetch(request) => offset_fetch(request, code).into(),
        RequestBody::FindCoordinator(request) => find_coordinator(request, code).into(),
        RequestBody::InitProducerId(_) => InitProducerIdResponse { error_code, ..Default::default() }.into(),
        RequestBody::JoinGroup(_) => JoinGroupResponse { error_code, ..Default::default() }.into(),
        RequestBody::SyncGroup(_) => SyncGroupResponse { error_code, ..Default::default() }.into(),
        RequestBody::Heartbeat(_) => HeartbeatResponse { error_code, ..Default::default() }.into(),
        RequestBody::LeaveGroup(_) => LeaveGroupResponse { error_code, ..Default::default() }.into(),
        RequestBody::ConsumerGroupHeartbeat(_) => {
            ConsumerGroupHeartbeatResponse { error_code, ..Default::default() }.into()
        }
        RequestBody::ListGroups(_) => ListGroupsResponse { error_code, ..Default::default() }.into(),
        RequestBody::DescribeGroups(request) => {
            let each = request.groups.iter().cloned();
            let groups = each.map(|group_id| DescribedGroup { group_id, error_code, ..Default::default() });
            DescribeGroupsResponse { groups: groups.collect(), ..Default::default() }.into()
        }
        RequestBody::ConsumerGroupDescribe(request) => {
            let each = request.group_ids.iter().cloned();
            let group = |group_id| consumer_group_describe::DescribedGroup {
                group_id,
                error_code,
                ..Default::default()
            };
            ConsumerGroupDescribeResponse { groups: each.map(group).collect(), ..Default::default() }.into()
        }
        RequestBody::DeleteGroups(request) => {
            let each = request.groups_names.iter().cloned();
            let results = each.map(|group_id| DeletableGroupResult { group_id, error_code });
            DeleteGroupsResponse { results: results.collect(), ..Default::default() }.into()
        }
        RequestBody::OffsetDelete(_) => OffsetDeleteResponse { error_code, ..Default::default() }.into(),
        RequestBody::AddPartitionsToTxn(request) => add_partitions(request, code).into(),
        RequestBody::AddOffsetsToTxn(_) => {
            AddOffsetsToTxnResponse { error_code, ..Default::default() }.into()
        }
        RequestBody::TxnOffsetCommit(request) => txn_offset_commit(request, code).into(),
        RequestBody::EndTxn(_) => EndTxnResponse { error_code, ..Default::default() }.into(),
        RequestBody::CreateTopics(request) => {
            let each = request.topics.iter().map(|topic| topic.name.clone());
            let topics = each.map(|name| CreatableTopicResult { name, error_code, ..Default::default() });
            CreateTopicsResponse { topics: topics.collect(), ..Default::default() }.into()
        }
        RequestBody::DeleteTopics(request) => delete_topics(request, code).into(),
        RequestBody::DescribeCluster(_) => {
            DescribeClusterResponse { error_code, ..Default::default() }.into()
        }
        RequestBody::DescribeLogDirs(_) => {
            DescribeLogDirsResponse { error_code, ..Default::default() }.into()
        }
        RequestBody::ApiVersions(_) => ApiVersionsResponse { error_code, ..Default::default() }.into(),
        _ => return None,
    })
}

fn produce(request: &ProduceRequest, error_code: ErrorCode) -> ProduceResponse {
    let topics = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.clone(),
        partition_responses: topic
            .partition_data
            .iter()
            .map(|data| PartitionProduceResponse { index: data.index, error_code, ..Default::default() })
            .collect(),
        ..Default::default()
    });
    ProduceResponse { responses: topics.collect(), ..Default::default() }
}

fn fetch(request: &FetchRequest, error_code: ErrorCode) -> FetchResponse {
    let refused =
        |partition_index: PartitionId| PartitionData { partition_index, error_code, ..Default::default() };
    let topics = request.topics.iter().map(|topic| FetchableTopicResponse {
        topic: topic.topic.clone(),
        partitions: topic.partitions.iter().map(|wanted| refused(wanted.partition)).collect(),
        ..Default::default()
    });
    FetchResponse { responses: topics.collect(), ..Default::default() }
}

fn list_offsets(request: &ListOffsetsRequest, error_code: ErrorCode) -> ListOffsetsResponse {
    let refused = |partition_index: PartitionId| ListOffsetsPartitionResponse {
        partition_index,
        error_code,
        ..Default::default()
    };
    let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(|wanted| refused(wanted.partition_index)).collect(),
    });
    ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
}

fn metadata(request: &MetadataRequest, error_code: ErrorCode) -> MetadataResponse {
    let topics = request.topics.iter().flatten().map(|topic| MetadataResponseTopic {
        name: topic.name.clone(),
        error_code,
        ..Default::default()
    });
    MetadataResponse { topics: topics.collect(), error_code, ..Default::default() }
}

fn offset_commit(request: &OffsetCommitRequest, error_code: ErrorCode) -> OffsetCommitResponse {
    let refused =
        |partition_index: PartitionId| OffsetCommitResponsePartition { partition_index, error_code };
    let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(|wanted| refused(wanted.partition_index)).collect(),
        ..Default::default()
    });
    OffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}

fn add_partitions(
    request: &AddPartitionsToTxnRequest,
    partition_error_code: ErrorCode,
) -> AddPartitionsToTxnResponse {
    let refused = |partition_index: PartitionId| AddPartitionsToTxnPartitionResult {
        partition_index,
        partition_error_code,
    };
    let topics = request.v3_and_below_topics.iter().map(|topic| AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition: topic.partitions.iter().copied().map(refused).collect(),
    });
    AddPartitionsToTxnResponse { results_by_topic_v3_and_below: topics.collect(), ..Default::default() }
}

fn txn_offset_commit(request: &TxnOffsetCommitRequest, error_code: ErrorCode) -> TxnOffsetCommitResponse {
    let refused =
        |partition_index: PartitionId| TxnOffsetCommitResponsePartition { partition_index, error_code };
    let topics = request.topics.iter().map(|topic| TxnOffsetCommitResponseTopic {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(|wanted| refused(wanted.partition_index)).collect(),
    });
    TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}

fn offset_fetch(request: &OffsetFetchRequest, error_code: ErrorCode) -> OffsetFetchResponse {
    let groups = request.groups.iter().map(|group| OffsetFetchResponseGroup {
        group_id: group.group_id.clone(),
        error_code,
        ..Default::default()
    });
    OffsetFetchResponse { error_code, groups: groups.collect(), ..Default::default() }
}

fn find_coordinator(request: &FindCoordinatorRequest, error_code: ErrorCode) -> FindCoordinatorResponse {
    let each = request.coordinator_keys.iter().cloned();
    let coordinators =
        each.map(|key: Text| find_coordinator::Coordinator { key, error_code, ..Default::default() });
    FindCoordinatorResponse { error_code, coordinators: coordinators.collect(), ..Default::default() }
}

fn delete_topics(request: &DeleteTopicsRequest, error_code: ErrorCode) -> DeleteTopicsResponse {
    let named = request.topics.iter().filter_map(|topic| topic.name.clone());
    let responses = named.chain(request.topic_names.iter().cloned()).map(|name| DeletableTopicResult {
        name: Some(name),
        error_code,
        ..Default::default()
    });
    DeleteTopicsResponse { responses: responses.collect(), ..Default::default() }
}
