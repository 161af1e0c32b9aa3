//! What tools are told of a group (Kafka: `ConsumerGroup.asDescribedGroup`).

use mainstem_protocol::{
    Text, TopicId,
    messages::consumer_group_describe::{self as wire, DescribedGroup, TopicPartitions},
};

use super::{Assignment, Group, Member};

/// What Kafka calls a member that speaks the classic protocol.
const CLASSIC_MEMBER: i8 = 0;
/// What Kafka calls a member that speaks the newer protocol.
const MODERN_MEMBER: i8 = 1;

impl Group {
    /// The group with its members, for ConsumerGroupDescribe. Partitions of topics that are gone are left out.
    pub(crate) fn described(&self, name_of: impl Fn(TopicId) -> Option<Text>) -> DescribedGroup {
        let preferred = self.preferred_assignor(self.members.values());
        let assignor = preferred.unwrap_or_else(|| self.default_assignor());
        DescribedGroup {
            group_id: self.id.clone(),
            group_state: self.state().name().into(),
            group_epoch: self.epoch,
            assignment_epoch: self.target_epoch,
            assignor_name: assignor.name().into(),
            members: self.members.values().map(|member| self.described_member(member, &name_of)).collect(),
            ..DescribedGroup::default()
        }
    }

    fn described_member(&self, member: &Member, name_of: impl Fn(TopicId) -> Option<Text>) -> wire::Member {
        let profile = &member.profile;
        wire::Member {
            member_id: member.id.clone(),
            instance_id: profile.instance_id.clone(),
            rack_id: profile.rack_id.clone(),
            member_epoch: member.current.epoch,
            client_id: profile.client_id.clone(),
            client_host: profile.client_host.clone(),
            subscribed_topic_names: profile.topics.iter().cloned().collect(),
            subscribed_topic_regex: profile.pattern.clone(),
            assignment: described(&member.current.assigned, &name_of),
            target_assignment: described(&self.target(&member.id), &name_of),
            member_type: if member.is_classic() { CLASSIC_MEMBER } else { MODERN_MEMBER },
        }
    }
}

fn described(assignment: &Assignment, name_of: impl Fn(TopicId) -> Option<Text>) -> wire::Assignment {
    let topics = assignment.topics().filter_map(|(topic_id, partitions)| {
        let topic_name = name_of(topic_id)?;
        Some(TopicPartitions { topic_id, topic_name, partitions: partitions.iter().copied().collect() })
    });
    wire::Assignment { topic_partitions: topics.collect() }
}
