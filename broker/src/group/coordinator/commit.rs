//! OffsetCommit.

use std::sync::Arc;

use mainstem_protocol::{
    ErrorCode, PartitionId, Text, Timestamp, TopicId,
    formats::offsets::{Key, OffsetCommitKey, OffsetCommitValue},
    messages::{
        OffsetCommitRequest, OffsetCommitResponse,
        offset_commit::{
            OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponsePartition,
            OffsetCommitResponseTopic,
        },
    },
};
use mainstem_storage::{AppendError, Ticket};

use super::{Coordinator, Slot, slot::Storing};
use crate::{
    group::log::{Made, Records, error_code},
    task::OnFailure,
};

/// From this version on topics come by id alone (KIP-848).
const IDS_SINCE: i16 = 10;
/// From this version on a group that is not there has a code of its own (KIP-848).
const GROUP_NOT_FOUND_SINCE: i16 = 9;

/// The one version of stored offsets that have a time of their own to go.
const EXPIRING_VERSION: i16 = 1;

/// Why a commit got no place yet.
enum NoPlace {
    Refused(ErrorCode),
    NoRoom,
    /// A topic has been deleted since it was looked at.
    TopicGone,
}

/// What of a request may be committed.
pub(super) struct Accepted {
    topics: Vec<TopicId>,
    pub(super) records: Records,
}

impl Coordinator {
    /// Answers when the offsets are stored.
    pub async fn offset_commit(&self, version: i16, request: OffsetCommitRequest) -> OffsetCommitResponse {
        loop {
            let (mut response, accepted) = self.check_partitions(version, &request);
            if accepted.records.is_empty() {
                return response;
            }
            match self.commit(version, &request, &accepted).await {
                Ok(()) => return response,
                Err(NoPlace::Refused(error)) => {
                    refuse_accepted(&mut response, error);
                    return response;
                }
                Err(NoPlace::NoRoom | NoPlace::TopicGone) => {}
            }
        }
    }

    /// What may be committed becomes records, what may not an error code.
    pub(super) fn check_partitions(
        &self,
        version: i16,
        request: &OffsetCommitRequest,
    ) -> (OffsetCommitResponse, Accepted) {
        let (mut records, mut ids) = (Records::new(), Vec::new());
        let topics = request.topics.iter().map(|topic| {
            let known = self.topic(version, topic);
            ids.extend(known.as_ref().map(|(id, ..)| *id));
            let partition = |partition: &OffsetCommitRequestPartition| {
                let checked = known.as_ref().map_err(|error| *error).and_then(|(_, name, partitions)| {
                    self.check_partition(partition, *partitions)?;
                    records.push(self.record(request, name, partition)?);
                    Ok(())
                });
                OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: checked.err().unwrap_or_default(),
                }
            };
            OffsetCommitResponseTopic {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                partitions: topic.partitions.iter().map(partition).collect(),
            }
        });
        let topics = topics.collect();
        (OffsetCommitResponse { throttle_time_ms: 0, topics }, Accepted { topics: ids, records })
    }

    /// The id, the name and the number of partitions of a topic.
    fn topic(
        &self,
        version: i16,
        topic: &OffsetCommitRequestTopic,
    ) -> Result<(TopicId, Text, u32), ErrorCode> {
        let topics = self.0.log.store().topics();
        let (found, missing) = if version >= IDS_SINCE {
            (topics.get(topic.topic_id), ErrorCode::UNKNOWN_TOPIC_ID)
        } else {
            (topics.named(&topic.name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        };
        let topic = found.ok_or(missing)?;
        Ok((topic.id, topic.name.as_str().into(), topic.partitions.len() as u32))
    }

    fn check_partition(
        &self,
        partition: &OffsetCommitRequestPartition,
        partitions: u32,
    ) -> Result<(), ErrorCode> {
        let PartitionId(index) = partition.partition_index;
        if u32::try_from(index).is_ok_and(|index| index < partitions) {
            let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
            let fits = fits(metadata, self.0.settings.offset_metadata_bytes_max);
            return if fits { Ok(()) } else { Err(ErrorCode::OFFSET_METADATA_TOO_LARGE) };
        }
        Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }

    fn record(
        &self,
        request: &OffsetCommitRequest,
        topic: &Text,
        partition: &OffsetCommitRequestPartition,
    ) -> Result<(Key, Option<bytes::Bytes>), ErrorCode> {
        let key = OffsetCommitKey {
            group: request.group_id.clone(),
            topic: topic.clone(),
            partition: partition.partition_index,
        };
        let commit_timestamp = self.0.clock.now();
        let value = OffsetCommitValue {
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: partition.committed_metadata.clone().unwrap_or_default(),
            commit_timestamp,
            expire_timestamp: expiry(commit_timestamp, request.retention_time_ms),
            ..Default::default()
        };
        let has_expiry = value.expire_timestamp != Timestamp::NONE;
        let version = if has_expiry { EXPIRING_VERSION } else { OffsetCommitValue::WRITTEN_VERSION };
        let value = value.to_bytes(version);
        value.map(|value| (Key::Offset(key), Some(value))).map_err(|_| ErrorCode::INVALID_REQUEST)
    }

    async fn commit(
        &self,
        version: i16,
        request: &OffsetCommitRequest,
        accepted: &Accepted,
    ) -> Result<(), NoPlace> {
        let slot = self.commit_slot(version, request).map_err(NoPlace::Refused)?;
        let committed = self.commit_plainly(version, &slot, request, accepted).await;
        if committed.is_err() {
            self.end_if_empty(&request.group_id, slot).await;
        }
        committed
    }

    async fn commit_plainly(
        &self,
        version: i16,
        slot: &Arc<Slot>,
        request: &OffsetCommitRequest,
        accepted: &Accepted,
    ) -> Result<(), NoPlace> {
        let refused = NoPlace::Refused;
        let mut made = None;
        let (ticket, number) = loop {
            match self.place_commit(version, slot, request, accepted, made.as_ref()) {
                Ok(placed) => break placed,
                Err(NoPlace::NoRoom) => {
                    let room = self.make_room(&request.group_id, &accepted.records).await;
                    made = Some(room.map_err(|error| refused(error_code(&error)))?);
                }
                Err(no_place) => return Err(no_place),
            }
        };
        let committed = self.watch_commit(Arc::clone(slot), ticket, number).await;
        committed.unwrap_or(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE)).map_err(refused)
    }

    /// A group that was made for offsets that are refused must not stay.
    pub(super) async fn end_if_empty(&self, id: &Text, slot: Arc<Slot>) {
        if slot.read(|group| group.is_empty()) {
            self.end_unused(id, slot).await;
        }
    }

    /// The group that the offsets are for. An offset that comes from no member makes a group of its own.
    fn commit_slot(&self, version: i16, request: &OffsetCommitRequest) -> Result<Arc<Slot>, ErrorCode> {
        let is_member = request.generation_id_or_member_epoch >= 0;
        match self.existing(&request.group_id) {
            Some(slot) => Ok(slot),
            None if !is_member => self.existing_or_new(&request.group_id),
            None if version >= GROUP_NOT_FOUND_SINCE => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            None => Err(ErrorCode::ILLEGAL_GENERATION),
        }
    }

    /// Member, generation and topics are checked as the place is given: what comes later cannot pass it.
    fn place_commit(
        &self,
        version: i16,
        slot: &Slot,
        request: &OffsetCommitRequest,
        accepted: &Accepted,
        made: Option<&Made>,
    ) -> Result<(Ticket, u64), NoPlace> {
        let now = self.now();
        slot.place(|group| {
            let OffsetCommitRequest { member_id, group_instance_id, generation_id_or_member_epoch, .. } =
                request;
            if self.is_any_gone(accepted) {
                return Err(NoPlace::TopicGone);
            }
            let (instance_id, generation) = (group_instance_id.as_ref(), *generation_id_or_member_epoch);
            let checked = group.check_commit(member_id, instance_id, generation, version, now);
            checked.map_err(NoPlace::Refused)?;
            self.0.log.append(&request.group_id, &accepted.records, made).map_err(|error| match error {
                AppendError::NoRoom => NoPlace::NoRoom,
                error => NoPlace::Refused(error_code(&error)),
            })
        })
    }

    /// Whether a topic has been deleted since it was accepted. Asked while the group is held, it cannot pass the tombstones
    /// of that topic's offsets.
    pub(super) fn is_any_gone(&self, accepted: &Accepted) -> bool {
        let topics = self.0.log.store().topics();
        accepted.topics.iter().any(|id| topics.get(*id).is_none())
    }

    /// Waits in a task of its own: whoever asked may go, but what was placed must be told as decided.
    pub(super) fn watch_commit(&self, slot: Arc<Slot>, ticket: Ticket, number: u64) -> Storing {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.0.tasks.spawn("offset commit", OnFailure::Log, async move {
            let committed = ticket.await.map(drop).map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE);
            slot.decide(number);
            // Whoever asked may have gone.
            let _ = sender.send(committed);
        });
        receiver
    }
}

/// The group is asked before anybody looks at metadata, as in Kafka (`OffsetMetadataManager.commitOffset`).
pub(super) fn refuse_accepted(response: &mut OffsetCommitResponse, error: ErrorCode) {
    let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    let codes = [ErrorCode::NONE, ErrorCode::OFFSET_METADATA_TOO_LARGE];
    for partition in partitions.filter(|partition| codes.contains(&partition.error_code)) {
        partition.error_code = error;
    }
}

/// When an offset is to go, where the commit says how long it stays; versions 2 to 4 can (Kafka:
/// `OffsetMetadataManager.expireTimestampMs`).
const fn expiry(now: Timestamp, retention_ms: i64) -> Timestamp {
    match retention_ms {
        -1 => Timestamp::NONE,
        retention_ms => Timestamp(now.0.saturating_add(retention_ms)),
    }
}

/// Whether metadata is as short as it must be. Kafka counts as Java does, in UTF-16, of which there is never more than of
/// bytes.
fn fits(metadata: &str, max: usize) -> bool {
    metadata.len() <= max || metadata.encode_utf16().count() <= max
}
