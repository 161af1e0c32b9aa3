//! `__consumer_offsets`: where groups and their offsets are kept, in Kafka's own format.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use mainstem_protocol::{
    ErrorCode, PartitionId, ProducerId, Text, Timestamp, TopicId,
    formats::consumer_groups,
    formats::offsets::{GroupMetadataKey, GroupMetadataValue, Key, OffsetCommitKey, OffsetCommitValue},
    records::{Batch, BatchBuilder, Compression, NewRecord, ProducerStamp},
};
use mainstem_storage::{
    AppendError, AppendGroup, Clock, Overrides, Store, Ticket,
    store::{NewTopic, Topic},
};
use tracing::warn;

use super::modern;
use crate::caps;

/// The topic's name.
pub(crate) const TOPIC: &str = "__consumer_offsets";

/// The log of groups.
pub(super) struct GroupLog {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    topic: TopicId,
    partitions: u32,
}

/// Records of one group that are stored together.
pub(super) type Records = Vec<(Key, Option<Bytes>)>;

/// Records for which room was made.
#[derive(Debug)]
pub(super) struct Made {
    records: Records,
    group: AppendGroup,
}

impl GroupLog {
    /// Opens the topic, which is created where it is not there yet. Blocks.
    ///
    /// # Errors
    /// Where the topic cannot be created.
    pub(super) fn open(store: Arc<Store>, clock: Arc<dyn Clock>, partitions: u32) -> Result<Self, String> {
        let existing = store.topics().named(TOPIC).map(|topic| (topic.id, topic.partitions.len() as u32));
        let (topic, partitions) = match existing {
            Some(existing) => existing,
            None => (create(&store, partitions)?, partitions),
        };
        Ok(Self { store, clock, topic, partitions })
    }

    /// The partition of a group.
    pub(super) fn partition(&self, group: &str) -> PartitionId {
        partition_of(group, self.partitions)
    }

    /// Gives records their place in the log: as a group for which room was made, where that is for the same records. Does
    /// not block.
    ///
    /// # Errors
    /// [`AppendError::NoRoom`] asks to wait for [`Self::make_room`].
    pub(super) fn append(
        &self,
        group: &str,
        records: &Records,
        made: Option<&Made>,
    ) -> Result<Ticket, AppendError> {
        match made.filter(|made| made.records == *records) {
            Some(made) => self.store.append(&made.group),
            None => self.store.append(&self.group(group, records)?),
        }
    }

    /// Makes room for records. Many of them are written ahead, and get their place with what is returned alone. Blocks.
    ///
    /// # Errors
    /// Where there can be none.
    pub(super) fn make_room(&self, group: &str, records: Records) -> Result<Made, AppendError> {
        let mut made = Made { group: self.group(group, &records)?, records };
        self.store.make_room(&mut made.group)?;
        Ok(made)
    }

    fn group(&self, group: &str, records: &Records) -> Result<AppendGroup, AppendError> {
        let batch = self.batch(records, &ProducerStamp::NONE).ok_or(AppendError::Empty)?;
        Ok(AppendGroup::single(self.topic, self.partition(group), batch))
    }

    /// Records as one batch; none where there are none, or a name is too long for the format.
    pub(super) fn batch(&self, records: &Records, stamp: &ProducerStamp) -> Option<Batch> {
        batch(records, stamp, self.clock.now())
    }

    /// The topic and the partition that keep a group.
    pub(super) fn place_of(&self, group: &str) -> Option<(Arc<Topic>, PartitionId)> {
        Some((self.store.topics().get(self.topic)?.clone(), self.partition(group)))
    }

    /// The offsets that open transactions have committed.
    pub(super) fn pending(&self, group: &Text) -> HashSet<OffsetCommitKey> {
        let prefix = OffsetCommitKey::prefix(group).ok();
        let found = prefix.map(|prefix| self.store.keyed_pending(self.topic, self.partition(group), &prefix));
        let offset = |key| match Key::from_bytes(key) {
            Ok(Key::Offset(key)) => Some(key),
            _ => None,
        };
        found.into_iter().flatten().filter_map(offset).collect()
    }

    /// Whether a transaction may commit these offsets besides those that it has. What is on its way to the log is not
    /// counted yet.
    pub(super) fn has_room(&self, group: &Text, producer: ProducerId, records: &Records) -> bool {
        let (topic, partition) = (self.topic, self.partition(group));
        if self.store.keyed_pending_count(topic, partition, producer) + records.len()
            <= caps::TRANSACTION_OFFSETS_MAX
        {
            return true;
        }
        let mut keys = self.store.keyed_pending_of(topic, partition, producer);
        keys.extend(records.iter().filter_map(|(key, _)| key.to_bytes().ok()));
        keys.len() <= caps::TRANSACTION_OFFSETS_MAX
    }

    /// The offset that a group has committed for a partition.
    pub(super) fn offset(
        &self,
        group: &Text,
        topic: &Text,
        partition: PartitionId,
    ) -> Option<OffsetCommitValue> {
        let key = Key::Offset(OffsetCommitKey { group: group.clone(), topic: topic.clone(), partition });
        let value = self.store.keyed_value(self.topic, self.partition(group), &key.to_bytes().ok()?)?;
        understood(OffsetCommitValue::from_bytes(value), group)
    }

    /// All offsets that a group has committed.
    pub(super) fn offsets(
        &self,
        group: &Text,
    ) -> impl Iterator<Item = (OffsetCommitKey, OffsetCommitValue)> + use<> {
        let prefix = OffsetCommitKey::prefix(group).ok();
        let found = prefix.map(|prefix| self.store.keyed_values(self.topic, self.partition(group), &prefix));
        found.into_iter().flatten().filter_map(|(key, value)| parse_offset(key, value))
    }

    /// A group as it was last stored.
    pub(super) fn metadata(&self, group: &Text) -> Option<GroupMetadataValue> {
        let key = Key::Group(GroupMetadataKey { group: group.clone() });
        let value = self.store.keyed_value(self.topic, self.partition(group), &key.to_bytes().ok()?)?;
        understood(GroupMetadataValue::from_bytes(value), group)
    }

    /// All that is stored of a group of the newer protocol; what a member says of itself comes before what it has.
    pub(super) fn consumer_group(
        &self,
        group: &Text,
    ) -> impl Iterator<Item = (consumer_groups::Key, Bytes)> + '_ {
        let partition = self.partition(group);
        let prefixes = modern::keys_of(group).filter_map(|key| prefix_of(&key));
        let found = prefixes.flat_map(move |prefix| self.store.keyed_values(self.topic, partition, &prefix));
        let group = group.clone();
        found.filter_map(move |(key, value)| match Key::from_bytes(key) {
            Ok(Key::ConsumerGroup(key)) if *key.group_id() == group => Some((key, value)),
            _ => None,
        })
    }

    /// Every key that the log holds, whether its value counts or an open transaction has written it; one may be there
    /// twice, and what cannot be read is passed over. The pending ones are read first, since a marker moves them to the
    /// others.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let pending = |partition| self.store.keyed_pending(self.topic, partition, &[]);
        let pending: Vec<_> = self.partition_ids().flat_map(pending).collect();
        pending
            .into_iter()
            .chain(self.values().map(|(key, _)| key))
            .filter_map(|key| Key::from_bytes(key).ok())
    }

    /// Every committed offset.
    pub(super) fn all_offsets(&self) -> impl Iterator<Item = (OffsetCommitKey, OffsetCommitValue)> + '_ {
        self.values().filter_map(|(key, value)| parse_offset(key, value))
    }

    /// All keys and values, partition by partition.
    fn values(&self) -> impl Iterator<Item = (Bytes, Bytes)> + '_ {
        self.partition_ids().flat_map(|partition| self.store.keyed_values(self.topic, partition, &[]))
    }

    fn partition_ids(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..self.partitions).map(|partition| PartitionId(partition as i32))
    }

    pub(super) fn store(&self) -> &Arc<Store> {
        &self.store
    }
}

/// The partition of a name: Java's hash of it, as everybody expects who reads the topics of coordinators.
pub(crate) fn partition_of(name: &str, partitions: u32) -> PartitionId {
    let hash =
        name.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Kafka's `Utils.abs` gives 0 for the one number that has no positive counterpart.
    let hash = hash.checked_abs().unwrap_or(0).unsigned_abs();
    PartitionId((hash % partitions) as i32)
}

fn create(store: &Store, partitions: u32) -> Result<TopicId, String> {
    let overrides: Overrides = [("cleanup.policy", "compact"), ("segment.bytes", "104857600")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let new = NewTopic { name: TOPIC.into(), partitions, overrides, keyed: true };
    let (topic, ticket) = store.create_topic(new).map_err(|error| error.to_string())?;
    ticket.wait().map_err(|error| error.to_string())?;
    Ok(topic)
}

/// What all keys begin with that are about the same group and of the same kind. A key's last name is empty here, and its
/// length is left out.
fn prefix_of(key: &consumer_groups::Key) -> Option<Bytes> {
    let bytes = key.to_bytes().ok()?;
    let names_group_alone = matches!(
        key,
        consumer_groups::Key::Metadata(_)
            | consumer_groups::Key::PartitionMetadata(_)
            | consumer_groups::Key::TargetMetadata(_)
    );
    Some(if names_group_alone { bytes } else { bytes.slice(..bytes.len().saturating_sub(size_of::<u16>())) })
}

fn parse_offset(key: Bytes, value: Bytes) -> Option<(OffsetCommitKey, OffsetCommitValue)> {
    match Key::from_bytes(key) {
        Ok(Key::Offset(key)) => {
            let value = understood(OffsetCommitValue::from_bytes(value), &key.group)?;
            Some((key, value))
        }
        _ => None,
    }
}

fn batch(records: &Records, stamp: &ProducerStamp, now: Timestamp) -> Option<Batch> {
    let mut builder = BatchBuilder::new(Compression::None);
    for (key, value) in records {
        let key = key.to_bytes().ok()?;
        let record =
            NewRecord { timestamp: now, key: Some(&key), value: value.as_deref(), ..NewRecord::default() };
        builder.append(&record).ok()?;
    }
    let mut bytes = builder.seal(stamp).ok()?;
    Batch::split_from(&mut bytes).ok()
}

/// A value that a newer or another program wrote is passed over, not guessed at.
fn understood<T, E: std::fmt::Display>(value: Result<T, E>, group: &str) -> Option<T> {
    value.inspect_err(|error| warn!(group, %error, "value in {TOPIC} is not understood")).ok()
}

/// The code that answers a request whose records got no place, or lost it.
pub(super) fn error_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::TooLarge { .. } => ErrorCode::INVALID_COMMIT_OFFSET_SIZE,
        // Clients look for the coordinator again, and then find it as it is by then.
        _ => ErrorCode::COORDINATOR_NOT_AVAILABLE,
    }
}
