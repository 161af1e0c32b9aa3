//! OffsetFetch.

use std::collections::HashSet;

use mainstem_protocol::{
    ErrorCode, LeaderEpoch, Offset, PartitionId, Text, TopicId,
    formats::offsets::{OffsetCommitKey, OffsetCommitValue},
    messages::{
        OffsetFetchRequest, OffsetFetchResponse,
        offset_fetch::{
            OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
    },
};

use super::Coordinator;

/// From this version on a request asks for several groups (KIP-709).
const GROUPS_SINCE: i16 = 8;
/// From this version on topics come by id alone (KIP-848).
const IDS_SINCE: i16 = 10;

impl Coordinator {
    /// Answers when everything that was placed before it is decided.
    pub async fn offset_fetch(&self, version: i16, request: OffsetFetchRequest) -> OffsetFetchResponse {
        let stable = request.require_stable;
        if version >= GROUPS_SINCE {
            let mut groups = Vec::with_capacity(request.groups.len());
            for group in request.groups {
                groups.push(self.group_offsets(version, group, stable).await);
            }
            return OffsetFetchResponse { groups, ..Default::default() };
        }
        let group = self.group_offsets(version, single(request), stable).await;
        OffsetFetchResponse {
            topics: group.topics.into_iter().map(old_topic).collect(),
            error_code: group.error_code,
            ..Default::default()
        }
    }

    async fn group_offsets(
        &self,
        version: i16,
        request: OffsetFetchRequestGroup,
        stable: bool,
    ) -> OffsetFetchResponseGroup {
        let OffsetFetchRequestGroup { group_id, member_id, member_epoch, topics } = request;
        if let Some(slot) = self.in_memory(&group_id).or_else(|| self.existing(&group_id)) {
            if let Err(error_code) = slot.read(|group| group.check_fetch(member_id.as_ref(), member_epoch)) {
                return OffsetFetchResponseGroup { group_id, error_code, ..Default::default() };
            }
            slot.decided().await;
        }
        // Read before the offsets: a marker moves values from the pending ones to those that count under one lock, so
        // one that is folded in between makes a new offset look unstable. Read after them, an old offset would look
        // stable, and whoever starts there processes a batch twice.
        let pending = if stable { self.0.log.pending(&group_id) } else { HashSet::new() };
        let mut topics: Vec<_> = match topics {
            Some(topics) => {
                topics.into_iter().map(|topic| self.topic_offsets(version, &group_id, topic)).collect()
            }
            None => self.all_topic_offsets(&group_id),
        };
        if !pending.is_empty() {
            self.hide_unstable(&group_id, &pending, &mut topics);
        }
        OffsetFetchResponseGroup { group_id, topics, error_code: ErrorCode::NONE }
    }

    /// Who wants stable offsets waits for open transactions to end (KIP-447).
    fn hide_unstable(
        &self,
        group: &Text,
        pending: &HashSet<OffsetCommitKey>,
        topics: &mut [OffsetFetchResponseTopics],
    ) {
        for topic in topics {
            let by_id = || self.name_of(topic.topic_id).unwrap_or_default();
            let name = if topic.name.is_empty() { by_id() } else { topic.name.clone() };
            for found in topic.partitions.iter_mut().filter(|found| found.error_code.is_none()) {
                let partition = found.partition_index;
                let key = OffsetCommitKey { group: group.clone(), topic: name.clone(), partition };
                if pending.contains(&key) {
                    *found = absent(partition, ErrorCode::UNSTABLE_OFFSET_COMMIT);
                }
            }
        }
    }

    fn topic_offsets(
        &self,
        version: i16,
        group: &Text,
        topic: OffsetFetchRequestTopics,
    ) -> OffsetFetchResponseTopics {
        let OffsetFetchRequestTopics { name, topic_id, partition_indexes } = topic;
        let known = if version < IDS_SINCE { Some(name.clone()) } else { self.name_of(topic_id) };
        let partition = |partition| match &known {
            Some(name) => self.partition_offset(group, name, partition),
            None => absent(partition, ErrorCode::UNKNOWN_TOPIC_ID),
        };
        let partitions = partition_indexes.into_iter().map(partition).collect();
        OffsetFetchResponseTopics { name, topic_id, partitions }
    }

    fn partition_offset(
        &self,
        group: &Text,
        topic: &Text,
        partition: PartitionId,
    ) -> OffsetFetchResponsePartitions {
        match self.0.log.offset(group, topic, partition) {
            Some(value) => present(partition, value),
            // No offset is no error.
            None => absent(partition, ErrorCode::NONE),
        }
    }

    /// All that the group has committed, in the order of topics.
    fn all_topic_offsets(&self, group: &Text) -> Vec<OffsetFetchResponseTopics> {
        let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
        for (key, value) in self.0.log.offsets(group) {
            let partition = present(key.partition, value);
            match topics.last_mut().filter(|topic| topic.name == key.topic) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(OffsetFetchResponseTopics {
                    topic_id: self.id_of(&key.topic).unwrap_or(TopicId::ZERO),
                    name: key.topic,
                    partitions: vec![partition],
                }),
            }
        }
        topics
    }

    pub(super) fn name_of(&self, id: TopicId) -> Option<Text> {
        self.0.log.store().topics().get(id).map(|topic| topic.name.as_str().into())
    }

    fn id_of(&self, name: &Text) -> Option<TopicId> {
        self.0.log.store().topics().named(name).map(|topic| topic.id)
    }
}

fn present(partition: PartitionId, value: OffsetCommitValue) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: partition,
        committed_offset: value.offset,
        committed_leader_epoch: value.leader_epoch,
        metadata: Some(value.metadata),
        error_code: ErrorCode::NONE,
    }
}

fn absent(partition: PartitionId, error_code: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: partition,
        committed_offset: Offset::NONE,
        committed_leader_epoch: LeaderEpoch::NONE,
        metadata: Some(Text::new()),
        error_code,
    }
}

/// A request of old, which asks for one group.
fn single(request: OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topic = |topic: OffsetFetchRequestTopic| OffsetFetchRequestTopics {
        name: topic.name,
        partition_indexes: topic.partition_indexes,
        ..Default::default()
    };
    OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics: request.topics.map(|topics| topics.into_iter().map(topic).collect()),
        ..Default::default()
    }
}

fn old_topic(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |partition: OffsetFetchResponsePartitions| {
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
    };
    OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    }
}
