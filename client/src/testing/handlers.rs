//! What the fake broker answers.

use std::{ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, PartitionId, Text, Timestamp, TopicId,
    messages::{
        create_topics::CreatableTopicResult,
        delete_topics::DeletableTopicResult,
        fetch::{FetchRequest, FetchableTopicResponse, PartitionData},
        join_group::{JoinGroupRequest, JoinGroupResponseMember},
        leave_group::MemberResponse,
        list_offsets::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        offset_commit::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch::{
            OffsetFetchRequestGroup, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
            OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
        produce::{PartitionProduceResponse, TopicProduceResponse},
        *,
    },
    records::Records,
};

use super::{FakeBroker, State, described::no_modern_groups, log::Log, modern::topic_id};
use crate::consumer::IsolationLevel;

/// How long a join waits for the other members, whatever they ask for.
const REBALANCE: Duration = Duration::from_secs(60);

/// The APIs that the fake broker has no answer to.
const NOT_ANSWERED: &[ApiKey] = &[
    ApiKey::AlterConfigs,
    ApiKey::ElectLeaders,
    ApiKey::ListConfigResources,
    ApiKey::DescribeTopicPartitions,
];

/// The versions of an API that the fake broker answers; an empty range for none.
#[expect(clippy::reversed_empty_ranges, reason = "there is no version")]
pub(super) fn answered(key: ApiKey) -> RangeInclusive<i16> {
    if NOT_ANSWERED.contains(&key) { 0..=-1 } else { key.advertised() }
}

impl FakeBroker {
    pub(super) async fn handle(&self, version: i16, request: RequestBody) -> ResponseBody {
        match request {
            RequestBody::Fetch(request) => self.fetch(version, &request).await.into(),
            RequestBody::JoinGroup(request) => self.join(version, request).await.into(),
            RequestBody::SyncGroup(request) => self.sync(request).await.into(),
            RequestBody::Produce(request) => self.change(|state| state.produce(version, request)).into(),
            RequestBody::EndTxn(request) => self.change(|state| state.end_txn(version, &request)).into(),
            RequestBody::TxnOffsetCommit(request) => {
                self.change(|state| state.txn_offset_commit(version, request)).into()
            }
            other => self.change(|state| state.answer(other)),
        }
    }

    async fn fetch(&self, version: i16, request: &FetchRequest) -> FetchResponse {
        assert!(version <= 12, "the fake broker knows topics by name");
        let limit = Duration::from_millis(request.max_wait_ms.unsigned_abs().into());
        let wanted = usize::try_from(request.min_bytes).unwrap_or(0);
        let found = self.wait_for(limit, |state| {
            let response = state.fetch(request);
            let partitions = || response.responses.iter().flat_map(|topic| &topic.partitions);
            let bytes: usize = partitions().filter_map(|data| data.records.as_ref()).map(Records::len).sum();
            let failed = partitions().any(|data| !data.error_code.is_none());
            (failed || bytes >= wanted).then_some(response)
        });
        match found.await {
            Some(response) => response,
            None => self.state().fetch(request),
        }
    }

    async fn join(&self, version: i16, request: JoinGroupRequest) -> JoinGroupResponse {
        let member_id = self.change(|state| {
            let group = state.groups.entry(request.group_id.clone()).or_default();
            group.check_instance(&request.member_id, request.group_instance_id.as_ref())?;
            group.check_id(&request.member_id)?;
            let is_new = request.member_id.is_empty();
            if is_new {
                state.next_member += 1;
            }
            let id = if is_new {
                Text::from(format!("member-{}", state.next_member))
            } else {
                request.member_id.clone()
            };
            // A static member is told from others by its name.
            if !is_new || version < 4 || request.group_instance_id.is_some() {
                group.join(id.clone(), request.group_instance_id.clone(), protocols(&request));
            } else {
                group.expect(id.clone());
            }
            Ok(id)
        });
        let member_id = match member_id {
            Ok(member_id) => member_id,
            Err(error_code) => return JoinGroupResponse { error_code, ..JoinGroupResponse::default() },
        };
        if request.member_id.is_empty() && version >= 4 && request.group_instance_id.is_none() {
            let error_code = ErrorCode::MEMBER_ID_REQUIRED;
            return JoinGroupResponse { error_code, member_id, ..JoinGroupResponse::default() };
        }
        let joined = self
            .wait_for(REBALANCE, |state| state.groups.get_mut(&request.group_id)?.joined(&member_id))
            .await;
        self.change(|state| state.joined(&request.group_id, member_id, joined.flatten()))
    }

    async fn sync(&self, request: SyncGroupRequest) -> SyncGroupResponse {
        let (group_id, id) = (request.group_id.clone(), request.member_id.clone());
        self.change(|state| {
            let Some(group) = state.groups.get_mut(&group_id) else { return };
            if group.leader() == id && group.generation == request.generation_id {
                let assignments = request.assignments.into_iter();
                group.assign(assignments.map(|each| (each.member_id, each.assignment)).collect());
            }
        });
        let look = |state: &mut State| state.groups.get(&group_id)?.assignment(&id, request.generation_id);
        match self.wait_for(REBALANCE, look).await {
            Some(Ok(assignment)) => SyncGroupResponse { assignment, ..SyncGroupResponse::default() },
            Some(Err(error_code)) => SyncGroupResponse { error_code, ..SyncGroupResponse::default() },
            None => SyncGroupResponse {
                error_code: ErrorCode::REBALANCE_IN_PROGRESS,
                ..SyncGroupResponse::default()
            },
        }
    }
}

fn protocols(request: &JoinGroupRequest) -> Vec<(Text, Bytes)> {
    let protocols = request.protocols.iter();
    protocols.map(|protocol| (protocol.name.clone(), protocol.metadata.clone())).collect()
}

impl State {
    fn answer(&mut self, request: RequestBody) -> ResponseBody {
        match request {
            RequestBody::Metadata(request) => self.metadata(&request).into(),
            RequestBody::ListOffsets(request) => self.list_offsets(&request).into(),
            RequestBody::CreateTopics(request) => self.create_topics(request).into(),
            RequestBody::DeleteTopics(request) => self.delete_topics(request).into(),
            RequestBody::CreatePartitions(request) => self.create_partitions(request).into(),
            RequestBody::IncrementalAlterConfigs(request) => self.alter_configs(request).into(),
            RequestBody::InitProducerId(request) => self.init_producer_id(&request).into(),
            RequestBody::FindCoordinator(request) => self.find_coordinator(request).into(),
            RequestBody::Heartbeat(request) => self.heartbeat(&request).into(),
            RequestBody::LeaveGroup(request) => self.leave(&request).into(),
            RequestBody::OffsetCommit(request) => self.offset_commit(request).into(),
            RequestBody::OffsetFetch(request) => self.offset_fetch(&request).into(),
            RequestBody::DescribeCluster(_) => self.describe_cluster().into(),
            RequestBody::DescribeConfigs(request) => self.describe_configs(request).into(),
            RequestBody::AddPartitionsToTxn(request) => self.add_partitions_to_txn(&request).into(),
            RequestBody::AddOffsetsToTxn(request) => self.add_offsets_to_txn(&request).into(),
            RequestBody::ListTransactions(request) => self.list_transactions(&request).into(),
            RequestBody::DescribeTransactions(request) => self.describe_transactions(request).into(),
            RequestBody::DescribeProducers(request) => self.describe_producers(request).into(),
            RequestBody::WriteTxnMarkers(request) => self.write_txn_markers(request).into(),
            RequestBody::DeleteRecords(request) => self.delete_records(request).into(),
            RequestBody::ApiVersions(_) => {
                let finalized_features = self.finalized_features();
                ApiVersionsResponse { finalized_features, ..Default::default() }.into()
            }
            RequestBody::OffsetForLeaderEpoch(_) => OffsetForLeaderEpochResponse::default().into(),
            RequestBody::ListGroups(request) => self.list_groups(&request).into(),
            RequestBody::DeleteGroups(request) => self.delete_groups(request).into(),
            RequestBody::OffsetDelete(request) => self.delete_offsets(&request).into(),
            RequestBody::ConsumerGroupHeartbeat(request) => self.modern_heartbeat(request).into(),
            RequestBody::ConsumerGroupDescribe(request) => no_modern_groups(request).into(),
            RequestBody::DescribeGroups(request) => self.describe_groups(request).into(),
            RequestBody::DescribeLogDirs(request) => self.describe_log_dirs(&request).into(),
            RequestBody::Fetch(_) | RequestBody::JoinGroup(_) | RequestBody::SyncGroup(_) => {
                unreachable!("these wait, and are answered elsewhere")
            }
            RequestBody::Produce(_) | RequestBody::EndTxn(_) | RequestBody::TxnOffsetCommit(_) => {
                unreachable!("these depend on the version, and are answered elsewhere")
            }
            other => unreachable!("{} is among those that are not offered", other.key()),
        }
    }

    fn modern_heartbeat(&mut self, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        let topics = self.topics.iter().map(|(name, logs)| (name.clone(), (topic_id(name), logs.len())));
        let topics = topics.collect();
        self.modern_groups.entry(request.group_id.clone()).or_default().heartbeat(request, &topics)
    }

    fn produce(&mut self, version: i16, request: ProduceRequest) -> ProduceResponse {
        let acks = request.acks;
        let id = request.transactional_id;
        let mut responses = Vec::new();
        for topic in request.topic_data {
            let partitions = topic.partition_data.into_iter();
            let partition_responses = partitions
                .map(|data| {
                    let checked = self.check_transaction(version, id.as_ref(), &topic.name, &data);
                    self.append(&topic.name, data.index, data.records.unwrap_or_default(), checked)
                })
                .collect();
            let response =
                TopicProduceResponse { name: topic.name, partition_responses, ..Default::default() };
            responses.push(response);
        }
        if acks == 0 {
            ProduceResponse::default()
        } else {
            ProduceResponse { responses, ..Default::default() }
        }
    }

    fn append(
        &mut self,
        topic: &str,
        index: i32,
        records: Records,
        checked: Result<(), ErrorCode>,
    ) -> PartitionProduceResponse {
        let log = self.log_mut(topic, PartitionId(index)).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let bytes = records.bytes().map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR);
        let appended = checked.and(log).and_then(|log| log.append(bytes?));
        let (error_code, base_offset) = match appended {
            Ok(offset) => (ErrorCode::NONE, offset),
            Err(code) => (code, Offset::NONE),
        };
        PartitionProduceResponse { index, error_code, base_offset, ..Default::default() }
    }

    fn fetch(&self, request: &FetchRequest) -> FetchResponse {
        let topics = request.topics.iter().map(|topic| FetchableTopicResponse {
            topic: topic.topic.clone(),
            topic_id: TopicId::ZERO,
            partitions: topic
                .partitions
                .iter()
                .map(|wanted| {
                    let limit = usize::try_from(wanted.partition_max_bytes).unwrap_or(0);
                    let log = self.log(&topic.topic, wanted.partition);
                    partition_data(log, wanted.partition, wanted.fetch_offset, limit, request.isolation_level)
                })
                .collect(),
        });
        FetchResponse { responses: topics.collect(), ..FetchResponse::default() }
    }

    fn list_offsets(&self, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|wanted| {
                    let log = self.log(&topic.name, wanted.partition_index);
                    listed(log, wanted.partition_index, wanted.timestamp, request.isolation_level)
                })
                .collect(),
        });
        ListOffsetsResponse { throttle_time_ms: 0, topics: topics.collect() }
    }

    fn create_topics(&mut self, request: CreateTopicsRequest) -> CreateTopicsResponse {
        let created = request.topics.into_iter().map(|topic| {
            let error_code = match self.topics.contains_key(&topic.name) {
                true => ErrorCode::TOPIC_ALREADY_EXISTS,
                false => ErrorCode::NONE,
            };
            let partitions = usize::try_from(topic.num_partitions).unwrap_or(1);
            let logs = || (0..partitions).map(|_| Log::default()).collect();
            self.topics.entry(topic.name.clone()).or_insert_with(logs);
            CreatableTopicResult { name: topic.name, error_code, error_message: None, ..Default::default() }
        });
        CreateTopicsResponse { throttle_time_ms: 0, topics: created.collect() }
    }

    fn delete_topics(&mut self, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
        let named = request.topics.into_iter().filter_map(|topic| topic.name);
        let responses = named.chain(request.topic_names).map(|name| {
            self.configs.remove(&name);
            let error_code = match self.topics.remove(&name) {
                Some(_) => ErrorCode::NONE,
                None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            };
            DeletableTopicResult { name: Some(name), error_code, ..Default::default() }
        });
        DeleteTopicsResponse { throttle_time_ms: 0, responses: responses.collect() }
    }

    fn joined(&self, group: &str, member_id: Text, joined: Option<(i32, Text)>) -> JoinGroupResponse {
        let (Some((generation_id, leader)), Some(group)) = (joined, self.groups.get(group)) else {
            let error_code = ErrorCode::REBALANCE_IN_PROGRESS;
            return JoinGroupResponse { error_code, member_id, ..Default::default() };
        };
        // Whoever was thrown out while it waited is no member of what came of it.
        if !group.ids().contains(&member_id) {
            let error_code = ErrorCode::UNKNOWN_MEMBER_ID;
            return JoinGroupResponse { error_code, member_id, ..Default::default() };
        }
        let everybody = group.metadata().into_iter();
        let member = |(member_id, group_instance_id, metadata)| JoinGroupResponseMember {
            member_id,
            group_instance_id,
            metadata,
        };
        JoinGroupResponse {
            generation_id,
            protocol_type: Some(Text::from_static("consumer")),
            protocol_name: Some(group.protocol.clone()),
            members: if leader == member_id { everybody.map(member).collect() } else { Vec::new() },
            leader,
            member_id,
            ..JoinGroupResponse::default()
        }
    }

    fn heartbeat(&self, request: &HeartbeatRequest) -> HeartbeatResponse {
        let group = self.groups.get(&request.group_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID);
        let checked = group.and_then(|group| {
            group.check_instance(&request.member_id, request.group_instance_id.as_ref())?;
            group.check(&request.member_id, request.generation_id)
        });
        HeartbeatResponse { throttle_time_ms: 0, error_code: checked.err().unwrap_or_default() }
    }

    fn leave(&mut self, request: &LeaveGroupRequest) -> LeaveGroupResponse {
        let group = self.groups.entry(request.group_id.clone()).or_default();
        if request.members.is_empty() {
            let error_code = group.leave(&request.member_id);
            return LeaveGroupResponse { error_code, ..Default::default() };
        }
        let members = request.members.iter().map(|member| MemberResponse {
            member_id: member.member_id.clone(),
            group_instance_id: None,
            error_code: group.leave(&member.member_id),
        });
        LeaveGroupResponse { members: members.collect(), ..Default::default() }
    }

    fn offset_commit(&mut self, request: OffsetCommitRequest) -> OffsetCommitResponse {
        let epoch = request.generation_id_or_member_epoch;
        let modern = self.modern_groups.get(&request.group_id);
        let group = self.groups.entry(request.group_id).or_default();
        let checked = match modern {
            Some(modern) => modern.check_commit(&request.member_id, epoch),
            None => group.check_commit(&request.member_id, epoch),
        };
        let topics = request.topics.into_iter().map(|topic| OffsetCommitResponseTopic {
            partitions: topic
                .partitions
                .iter()
                .map(|partition| {
                    if checked.is_ok() {
                        let key = (topic.name.clone(), partition.partition_index);
                        group.offsets.insert(key.clone(), partition.committed_offset);
                        group.said.insert(key, partition.committed_metadata.clone().unwrap_or_default());
                    }
                    OffsetCommitResponsePartition {
                        partition_index: partition.partition_index,
                        error_code: checked.err().unwrap_or_default(),
                    }
                })
                .collect(),
            name: topic.name,
            topic_id: TopicId::ZERO,
        });
        OffsetCommitResponse { throttle_time_ms: 0, topics: topics.collect() }
    }

    /// Up to version 7 one group is asked about, and answered in another place.
    fn offset_fetch(&self, request: &OffsetFetchRequest) -> OffsetFetchResponse {
        let groups = request.groups.iter().map(|wanted| {
            let topics = wanted.topics.iter().flatten();
            let named = topics.map(|topic| (&topic.name, &topic.partition_indexes));
            OffsetFetchResponseGroup {
                group_id: wanted.group_id.clone(),
                topics: self.committed_offsets(&wanted.group_id, wanted.topics.as_ref().map(|_| named)),
                error_code: self.check_fetch(wanted).err().unwrap_or_default(),
            }
        });
        let topics = request.topics.iter().flatten();
        let named = topics.map(|topic| (&topic.name, &topic.partition_indexes));
        let topics = self.committed_offsets(&request.group_id, request.topics.as_ref().map(|_| named));
        let old = |topic: OffsetFetchResponseTopics| OffsetFetchResponseTopic {
            partitions: topic.partitions.into_iter().map(old_partition).collect(),
            name: topic.name,
        };
        OffsetFetchResponse {
            groups: groups.collect(),
            topics: topics.into_iter().map(old).collect(),
            ..Default::default()
        }
    }

    /// Whether the member that asks, if it says that it is one, is in its epoch.
    fn check_fetch(&self, wanted: &OffsetFetchRequestGroup) -> Result<(), ErrorCode> {
        let group = self.modern_groups.get(&wanted.group_id);
        match (&wanted.member_id, group) {
            (Some(member), Some(group)) => group.check_commit(member, wanted.member_epoch),
            _ => Ok(()),
        }
    }

    fn committed_offsets<'a>(
        &self,
        group: &Text,
        named: Option<impl Iterator<Item = (&'a Text, &'a Vec<PartitionId>)>>,
    ) -> Vec<OffsetFetchResponseTopics> {
        let Some(named) = named else { return self.committed_by(group) };
        let topics = named.map(|(name, indexes)| OffsetFetchResponseTopics {
            name: name.clone(),
            topic_id: TopicId::ZERO,
            partitions: indexes.iter().map(|index| self.committed_offset(group, name, *index)).collect(),
        });
        topics.collect()
    }

    fn committed_offset(
        &self,
        group: &str,
        topic: &Text,
        partition: PartitionId,
    ) -> OffsetFetchResponsePartitions {
        let (group, key) = (self.groups.get(group), (topic.clone(), partition));
        let offset = group.and_then(|group| group.offsets.get(&key));
        OffsetFetchResponsePartitions {
            partition_index: partition,
            committed_offset: offset.copied().unwrap_or(Offset::NONE),
            metadata: Some(group.and_then(|group| group.said.get(&key)).cloned().unwrap_or_default()),
            ..Default::default()
        }
    }
}

fn old_partition(partition: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    let OffsetFetchResponsePartitions {
        partition_index,
        committed_offset,
        committed_leader_epoch,
        metadata,
        error_code,
    } = partition;
    OffsetFetchResponsePartition {
        partition_index,
        committed_offset,
        committed_leader_epoch,
        metadata,
        error_code,
    }
}

fn partition_data(
    log: Option<&Log>,
    partition_index: PartitionId,
    at: Offset,
    limit: usize,
    isolation: i8,
) -> PartitionData {
    let aborted = log.filter(|_| isolation == IsolationLevel::ReadCommitted.id()).map(|log| log.aborted(at));
    let read = log
        .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        .and_then(|log| log.read(at.0, log.end_for(isolation), limit));
    let end = log.map_or(Offset::NONE, |log| Offset(log.end));
    let (error_code, records) = match read {
        Ok(bytes) => (ErrorCode::NONE, Records::Bytes(bytes)),
        Err(code) => (code, Records::EMPTY),
    };
    PartitionData {
        partition_index,
        error_code,
        high_watermark: end,
        last_stable_offset: log.map_or(Offset::NONE, |log| Offset(log.stable_end())),
        log_start_offset: log.map_or(Offset::NONE, |log| Offset(log.start)),
        aborted_transactions: aborted,
        records: Some(records),
        ..Default::default()
    }
}

fn listed(
    log: Option<&Log>,
    partition_index: PartitionId,
    timestamp: Timestamp,
    isolation: i8,
) -> ListOffsetsPartitionResponse {
    let Some(log) = log else {
        let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        return ListOffsetsPartitionResponse { partition_index, error_code, ..Default::default() };
    };
    let (found, offset) = log.list(timestamp.0, isolation);
    ListOffsetsPartitionResponse {
        partition_index,
        timestamp: Timestamp(found),
        offset: Offset(offset),
        ..Default::default()
    }
}
