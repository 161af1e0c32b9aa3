//! Records of a group as they stand in `__consumer_offsets`, in Kafka's format.

use std::time::Duration;

use bytes::Bytes;
use mainstem_protocol::{
    Text, Timestamp,
    formats::{
        consumer_groups::{
            ClassicMemberMetadata, ClassicProtocol, ConsumerGroupCurrentMemberAssignmentKey,
            ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataKey,
            ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey, ConsumerGroupMetadataValue,
            ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
            ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
            ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue, Key,
            TopicPartitions,
        },
        offsets,
    },
    wire::{DecodeError, EncodeError, Presence},
};

use super::{
    super::duration,
    Assignment, ClassicProfile, Compiled, Record, Resolved,
    member::{Current, Profile, State},
};
use crate::group::classic::Protocol;

impl Record {
    /// The record's key and value.
    ///
    /// # Errors
    /// Where a name is too long.
    pub(crate) fn stored(
        &self,
        group: &Text,
        now: Timestamp,
    ) -> Result<(offsets::Key, Option<Bytes>), EncodeError> {
        Ok((offsets::Key::ConsumerGroup(self.key(group.clone())), self.value(now).transpose()?))
    }

    fn key(&self, group_id: Text) -> Key {
        match self {
            Self::Epoch(_) => Key::Metadata(ConsumerGroupMetadataKey { group_id }),
            Self::TargetEpoch(_) => {
                Key::TargetMetadata(ConsumerGroupTargetAssignmentMetadataKey { group_id })
            }
            Self::Pattern(pattern, _) => Key::RegularExpression(ConsumerGroupRegularExpressionKey {
                group_id,
                regular_expression: pattern.clone(),
            }),
            Self::Member(id, _) => {
                Key::Member(ConsumerGroupMemberMetadataKey { group_id, member_id: id.clone() })
            }
            Self::Target(id, _) => {
                Key::TargetMember(ConsumerGroupTargetAssignmentMemberKey { group_id, member_id: id.clone() })
            }
            Self::Current(id, _) => Key::CurrentMember(ConsumerGroupCurrentMemberAssignmentKey {
                group_id,
                member_id: id.clone(),
            }),
        }
    }

    fn value(&self, now: Timestamp) -> Option<Result<Bytes, EncodeError>> {
        match self {
            Self::Epoch(epoch) => epoch.map(|(epoch, metadata_hash)| {
                ConsumerGroupMetadataValue { epoch, metadata_hash }
                    .to_bytes(ConsumerGroupMetadataValue::WRITTEN_VERSION)
            }),
            Self::TargetEpoch(epoch) => epoch.map(|assignment_epoch| {
                ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch }
                    .to_bytes(ConsumerGroupTargetAssignmentMetadataValue::WRITTEN_VERSION)
            }),
            Self::Pattern(_, resolved) => resolved.as_ref().map(|resolved| resolved_bytes(resolved, now)),
            Self::Member(_, profile) => profile.as_deref().map(profile_bytes),
            Self::Target(_, target) => target.as_ref().map(|target| {
                ConsumerGroupTargetAssignmentMemberValue { topic_partitions: topics(target) }
                    .to_bytes(ConsumerGroupTargetAssignmentMemberValue::WRITTEN_VERSION)
            }),
            Self::Current(_, current) => current.as_ref().map(current_bytes),
        }
    }
}

/// The keys of the records that make a group; those of members and the like are what every such key begins with. What a
/// member says of itself comes before what it has.
pub(crate) fn keys_of(group: &Text) -> impl Iterator<Item = Key> + use<> {
    let (group_id, none) = (group.clone(), Text::new());
    let member = ConsumerGroupMemberMetadataKey { group_id: group_id.clone(), member_id: none.clone() };
    let target =
        ConsumerGroupTargetAssignmentMemberKey { group_id: group_id.clone(), member_id: none.clone() };
    let current =
        ConsumerGroupCurrentMemberAssignmentKey { group_id: group_id.clone(), member_id: none.clone() };
    let pattern = ConsumerGroupRegularExpressionKey { group_id: group_id.clone(), regular_expression: none };
    [
        Key::Metadata(ConsumerGroupMetadataKey { group_id: group_id.clone() }),
        Key::TargetMetadata(ConsumerGroupTargetAssignmentMetadataKey { group_id }),
        Key::Member(member),
        Key::TargetMember(target),
        Key::CurrentMember(current),
        Key::RegularExpression(pattern),
    ]
    .into_iter()
}

/// The record that a key and a value make; none where it says nothing to this machine.
///
/// # Errors
/// Where the value is not of a known version.
pub(crate) fn stored_record(key: Key, value: Bytes) -> Result<Option<Record>, DecodeError> {
    let record = match key {
        Key::Metadata(_) => {
            let value = ConsumerGroupMetadataValue::from_bytes(value)?;
            Record::Epoch(Some((value.epoch, value.metadata_hash)))
        }
        // Kafka up to 4.0: the hash beside the epoch is what counts.
        Key::PartitionMetadata(_) => return Ok(None),
        Key::TargetMetadata(_) => {
            let value = ConsumerGroupTargetAssignmentMetadataValue::from_bytes(value)?;
            Record::TargetEpoch(Some(value.assignment_epoch))
        }
        Key::Member(key) => Record::Member(key.member_id, Some(Box::new(profile(value)?))),
        Key::TargetMember(key) => {
            let value = ConsumerGroupTargetAssignmentMemberValue::from_bytes(value)?;
            Record::Target(key.member_id, Some(assignment(value.topic_partitions)))
        }
        Key::CurrentMember(key) => Record::Current(key.member_id, Some(current(value)?)),
        Key::RegularExpression(key) => Record::Pattern(key.regular_expression, Some(resolved(value)?)),
    };
    Ok(Some(record))
}

fn profile_bytes(profile: &Profile) -> Result<Bytes, EncodeError> {
    let Profile {
        instance_id,
        rack_id,
        client_id,
        client_host,
        topics,
        pattern,
        rebalance_timeout,
        assignor,
        classic,
    } = profile.clone();
    let value = ConsumerGroupMemberMetadataValue {
        instance_id,
        rack_id,
        client_id,
        client_host,
        subscribed_topic_names: topics.into_iter().collect(),
        subscribed_topic_regex: pattern,
        rebalance_timeout_ms: millis(rebalance_timeout),
        server_assignor: assignor,
        classic_member_metadata: Presence(classic.map(classic_metadata)),
    };
    value.to_bytes(ConsumerGroupMemberMetadataValue::WRITTEN_VERSION)
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

fn classic_metadata(classic: ClassicProfile) -> ClassicMemberMetadata {
    let ClassicProfile { session_timeout, protocols } = classic;
    let protocol = |Protocol { name, metadata }| ClassicProtocol { name, metadata };
    ClassicMemberMetadata {
        session_timeout_ms: millis(session_timeout),
        supported_protocols: protocols.into_iter().map(protocol).collect(),
    }
}

fn classic_profile(metadata: ClassicMemberMetadata) -> ClassicProfile {
    let ClassicMemberMetadata { session_timeout_ms, supported_protocols } = metadata;
    let protocol = |ClassicProtocol { name, metadata }| Protocol { name, metadata };
    ClassicProfile {
        session_timeout: duration(session_timeout_ms),
        protocols: supported_protocols.into_iter().map(protocol).collect(),
    }
}

fn profile(value: Bytes) -> Result<Profile, DecodeError> {
    let value = ConsumerGroupMemberMetadataValue::from_bytes(value)?;
    Ok(Profile {
        instance_id: value.instance_id,
        rack_id: value.rack_id,
        client_id: value.client_id,
        client_host: value.client_host,
        topics: value.subscribed_topic_names.into_iter().collect(),
        pattern: value.subscribed_topic_regex,
        rebalance_timeout: duration(value.rebalance_timeout_ms),
        assignor: value.server_assignor,
        classic: value.classic_member_metadata.0.map(classic_profile),
    })
}

fn current_bytes(current: &Current) -> Result<Bytes, EncodeError> {
    let value = ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: current.epoch,
        previous_member_epoch: current.previous_epoch,
        state: match current.state {
            State::Stable => 0,
            State::Unrevoked => 1,
            State::Unreleased => 2,
        },
        assigned_partitions: topics(&current.assigned),
        partitions_pending_revocation: topics(&current.revoking),
    };
    value.to_bytes(ConsumerGroupCurrentMemberAssignmentValue::WRITTEN_VERSION)
}

fn current(value: Bytes) -> Result<Current, DecodeError> {
    let value = ConsumerGroupCurrentMemberAssignmentValue::from_bytes(value)?;
    Ok(Current {
        // What another program may have meant by another state: the way to the target is gone again.
        state: match value.state {
            0 => State::Stable,
            1 => State::Unrevoked,
            _ => State::Unreleased,
        },
        epoch: value.member_epoch,
        previous_epoch: value.previous_member_epoch,
        assigned: assignment(value.assigned_partitions),
        revoking: assignment(value.partitions_pending_revocation),
    })
}

fn resolved_bytes(resolved: &Resolved, now: Timestamp) -> Result<Bytes, EncodeError> {
    let value = ConsumerGroupRegularExpressionValue {
        topics: resolved.topics.iter().cloned().collect(),
        version: resolved.version.cast_signed(),
        timestamp: now,
    };
    value.to_bytes(ConsumerGroupRegularExpressionValue::WRITTEN_VERSION)
}

fn resolved(value: Bytes) -> Result<Resolved, DecodeError> {
    let value = ConsumerGroupRegularExpressionValue::from_bytes(value)?;
    let (topics, version) = (value.topics.into_iter().collect(), value.version.cast_unsigned());
    Ok(Resolved { topics, version, compiled: Compiled::default() })
}

fn topics(assignment: &Assignment) -> Vec<TopicPartitions> {
    let topic = |(topic_id, partitions): (_, &std::collections::BTreeSet<_>)| TopicPartitions {
        topic_id,
        partitions: partitions.iter().copied().collect(),
    };
    assignment.topics().map(topic).collect()
}

fn assignment(topics: Vec<TopicPartitions>) -> Assignment {
    let partitions = |TopicPartitions { topic_id, partitions }| {
        partitions.into_iter().map(move |partition| (topic_id, partition))
    };
    topics.into_iter().flat_map(partitions).collect()
}
