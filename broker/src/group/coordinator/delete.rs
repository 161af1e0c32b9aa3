//! DeleteGroups and OffsetDelete, and the offsets of topics that are deleted (Kafka:
//! `GroupCoordinatorShard.deleteGroups`, `OffsetMetadataManager.deleteOffsets` and `onPartitionsDeleted`).

use std::collections::BTreeSet;

use mainstem_protocol::{
    ErrorCode, PartitionId, Text, Timestamp,
    formats::offsets::{Key, OffsetCommitKey, OffsetCommitValue},
    messages::{
        DeleteGroupsRequest, DeleteGroupsResponse, OffsetDeleteRequest, OffsetDeleteResponse,
        delete_groups::DeletableGroupResult,
        offset_delete::{OffsetDeleteRequestTopic, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
    },
};
use tokio::sync::oneshot;
use tracing::warn;

use super::{
    Coordinator, Group,
    end::{Ending, Tombstones},
};
use crate::{group::log::Records, task::OnFailure};

impl Coordinator {
    /// Deletes groups without members, each with all its offsets in one append. Answers when that is stored.
    pub async fn delete_groups(&self, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
        let mut begun = Vec::with_capacity(request.groups_names.len());
        let mut seen = BTreeSet::new();
        for id in request.groups_names.into_iter().filter(|id| seen.insert(id.clone())) {
            let deletion = self.begin_delete(&id).await;
            begun.push((id, deletion));
        }
        let mut results = Vec::with_capacity(begun.len());
        for (group_id, deletion) in begun {
            let deleted = match deletion {
                Ok(ending) => self.finish_end(ending).await,
                Err(error) => Err(error),
            };
            results.push(DeletableGroupResult { group_id, error_code: deleted.err().unwrap_or_default() });
        }
        DeleteGroupsResponse { results, ..Default::default() }
    }

    async fn begin_delete(&self, id: &Text) -> Result<Ending, ErrorCode> {
        let slot = self.existing(id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        let plan = |group: &Group| {
            group.check_delete()?;
            let mut records = self.tombstones_of(id, |_| true, |_| true);
            records.extend(group.tombstones());
            Ok(Tombstones { records, is_last: true })
        };
        self.begin_end(id, slot, plan).await
    }

    /// Tombstones of the committed offsets that go, and of those that an open transaction has committed for one of the
    /// topics: behind its tombstone such an offset will not count.
    ///
    /// The pending ones are read first: a marker moves them to those that count, so a key may be found in both, never in
    /// neither. What counts decides over such a key.
    fn tombstones_of(
        &self,
        id: &Text,
        of: impl Fn(&OffsetCommitKey) -> bool,
        goes: impl Fn(&OffsetCommitValue) -> bool,
    ) -> Records {
        let mut pending = self.0.log.pending(id);
        let mut gone = Vec::new();
        for (key, value) in self.0.log.offsets(id) {
            pending.remove(&key);
            if of(&key) && goes(&value) {
                gone.push(key);
            }
        }
        gone.extend(pending.into_iter().filter(of));
        gone.into_iter().map(|key| (Key::Offset(key), None)).collect()
    }

    /// Deletes committed offsets of partitions that no member reads. Answers when that is stored.
    pub async fn offset_delete(&self, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
        let OffsetDeleteRequest { group_id, topics } = request;
        let mut topics: Vec<_> = topics.into_iter().map(|topic| self.deletable(topic)).collect();
        match self.delete_offsets(&group_id, &mut topics).await {
            Ok(()) => OffsetDeleteResponse { topics, ..Default::default() },
            Err(error_code) => OffsetDeleteResponse { error_code, ..Default::default() },
        }
    }

    /// A topic with what may be said of its partitions without knowing the group.
    fn deletable(&self, topic: OffsetDeleteRequestTopic) -> OffsetDeleteResponseTopic {
        let topics = self.0.log.store().topics();
        let known = topics.named(&topic.name);
        let partitions = topic.partitions.iter().map(|partition| {
            let partition_index = partition.partition_index;
            let is_known = known.as_ref().is_some_and(|topic| topic.partition(partition_index).is_some());
            let error_code = if is_known { ErrorCode::NONE } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
            OffsetDeleteResponsePartition { partition_index, error_code }
        });
        OffsetDeleteResponseTopic { partitions: partitions.collect(), name: topic.name }
    }

    async fn delete_offsets(
        &self,
        id: &Text,
        topics: &mut [OffsetDeleteResponseTopic],
    ) -> Result<(), ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        let slot = self.existing(id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        let plan = |group: &Group| {
            group.check_offset_delete()?;
            topics.iter_mut().for_each(|topic| refuse_subscribed(group, topic));
            let asked = topics.iter().flat_map(accepted);
            let keys =
                asked.map(|(topic, partition)| OffsetCommitKey { group: id.clone(), topic, partition });
            let is_there = |key: &OffsetCommitKey| self.0.log.offset(id, &key.topic, key.partition).is_some();
            let records = keys.filter(is_there).map(|key| (Key::Offset(key), None)).collect();
            Ok(Tombstones { records, is_last: false })
        };
        self.end(id, slot, plan).await
    }

    /// Forgets what was committed for topics that are not there any more. What is begun is ended, even where nobody waits
    /// for it any longer.
    pub async fn topics_deleted(&self, names: BTreeSet<Text>) {
        let (coordinator, deleted_at, (ended, end)) = (self.clone(), self.0.clock.now(), oneshot::channel());
        self.0.tasks.spawn("offsets of deleted topics", OnFailure::Log, async move {
            coordinator.forget_topics(&names, deleted_at).await;
            ended.send(()).ok();
        });
        end.await.ok();
    }

    /// What was committed after the deletion is of a topic that was made anew under the name.
    pub(super) async fn forget_topics(&self, names: &BTreeSet<Text>, deleted_at: Timestamp) {
        let of = |key: &OffsetCommitKey| names.contains(&key.topic);
        let goes = |value: &OffsetCommitValue| value.commit_timestamp <= deleted_at;
        let slots: Vec<_> = self.groups().values().cloned().collect();
        for slot in slots {
            slot.decided().await;
        }
        let mut begun = Vec::new();
        let wanted = names.clone();
        let ids = self.off_reactor("groups of deleted topics", move |this| this.groups_with(&wanted)).await;
        for id in ids.unwrap_or_default() {
            let Some(slot) = self.existing(&id) else { continue };
            let plan =
                |_: &Group| Ok(Tombstones { records: self.tombstones_of(&id, of, goes), is_last: false });
            begun.push((id.clone(), self.begin_end(&id, slot, plan).await));
        }
        for (id, ending) in begun {
            let ended = match ending {
                Ok(ending) => self.finish_end(ending).await,
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                warn!(group = id.as_ref() as &str, %error, "offsets of a deleted topic stay for now");
            }
        }
    }

    /// Those that have committed something for one of the topics, be it in a transaction that is open.
    fn groups_with(&self, topics: &BTreeSet<Text>) -> BTreeSet<Text> {
        let group = |key| match key {
            Key::Offset(key) if topics.contains(&key.topic) => Some(key.group),
            _ => None,
        };
        self.0.log.keys().filter_map(group).collect()
    }

    /// Forgets what was committed for topics whose deletion was cut short by the end of the process.
    pub(super) async fn forget_lost_topics(self) {
        let lost = self.off_reactor("topics of offsets", Self::lost_topics).await.unwrap_or_default();
        if !lost.is_empty() {
            self.forget_topics(&lost, self.0.clock.now()).await;
        }
    }

    fn lost_topics(&self) -> BTreeSet<Text> {
        let topics = self.0.log.store().topics();
        let lost = |key| match key {
            Key::Offset(key) => Some(key.topic).filter(|topic| topics.named(topic).is_none()),
            _ => None,
        };
        self.0.log.keys().filter_map(lost).collect()
    }
}

/// What is known is either read by a member, or may go.
fn refuse_subscribed(group: &Group, topic: &mut OffsetDeleteResponseTopic) {
    let error =
        if group.is_subscribed(&topic.name) { ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC } else { ErrorCode::NONE };
    let known = |partition: &&mut OffsetDeleteResponsePartition| {
        partition.error_code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    };
    topic.partitions.iter_mut().filter(known).for_each(|partition| partition.error_code = error);
}

fn accepted(topic: &OffsetDeleteResponseTopic) -> impl Iterator<Item = (Text, PartitionId)> {
    let partitions = topic.partitions.iter().filter(|partition| partition.error_code.is_none());
    partitions.map(|partition| (topic.name.clone(), partition.partition_index))
}
