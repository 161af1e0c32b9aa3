//! A group whose last member of the newer protocol goes becomes a classic one (Kafka: `convertToClassicGroup`,
//! `ClassicGroup.fromConsumerGroup`).
//!
//! The classic group begins with what its members have, and they are to join again. Kafka remembers the latter in memory
//! alone, and after a restart such a group would stand still with partitions that nobody reads; here it is stored without
//! a leader, which says the same. Nor does Kafka begin with what members have, but with the target: if the group goes
//! over once more before they have joined, somebody else may be given what they still read.

use std::collections::BTreeSet;

use mainstem_protocol::{Text, formats::consumer::PROTOCOL_TYPE};

use super::{Catalogue, ClassicProfile, Group, Member, classic::encoded, heartbeat::Draft, member::Profile};
use crate::group::classic::{self, Stored, common_protocol};

impl Group {
    /// The classic group that is left when these members go; none where one of the newer protocol stays, or there was
    /// none, or the policy has it otherwise.
    pub(super) fn downgraded_without(&self, gone: &BTreeSet<Text>, topics: &dyn Catalogue) -> Option<Stored> {
        let going = gone.iter().filter_map(|id| self.members.get(id));
        let stay = || self.members.values().filter(|member| !gone.contains(&member.id));
        if going.into_iter().all(Member::is_classic) || !self.may_be_classic(stay()) {
            return None;
        }
        Some(self.classic_of(stay(), None, topics))
    }

    /// Whether these members make a classic group.
    fn may_be_classic<'a>(&self, mut members: impl Iterator<Item = &'a Member> + Clone) -> bool {
        let count = members.clone().count();
        let is_allowed = self.limits.classic_members_max.is_some_and(|max| count <= max);
        is_allowed && count > 0 && members.all(Member::is_classic)
    }

    fn classic_of<'a>(
        &self,
        members: impl Iterator<Item = &'a Member> + Clone,
        leader: Option<Text>,
        topics: &dyn Catalogue,
    ) -> Stored {
        let protocols = members.clone().filter_map(|member| member.profile.classic.as_ref());
        let protocol = common_protocol(protocols.map(|classic| &*classic.protocols));
        let member = |member: &Member| {
            let held = member.current.assigned.clone().joined_with(&member.current.revoking);
            let held = encoded(&held, &member.profile, topics);
            Some((member.id.clone(), classic_profile(&member.profile)?, held))
        };
        Stored {
            generation: self.epoch,
            protocol_type: Some(PROTOCOL_TYPE.into()),
            protocol,
            leader,
            members: members.filter_map(member).collect(),
        }
    }
}

impl Draft<'_> {
    /// The classic group that is left when the static member that joins takes the place of the last one of the newer
    /// protocol (Kafka: `validateOnlineDowngradeWithReplacedMember`). Nobody else need be told anything where all have
    /// what they are to have and this one can be told to lead without assigning anew: somebody has to watch the topics
    /// from now on. (Kafka lets nobody know that it leads.)
    pub(super) fn downgraded(&self, may_skip_assignment: bool) -> Option<Stored> {
        let group = self.group;
        let replaced = self.replaced.as_ref().and_then(|id| group.members.get(id));
        if replaced.is_none_or(Member::is_classic) || !group.may_be_classic(self.members()) {
            return None;
        }
        let is_settled =
            self.epoch == group.epoch && self.members().all(|member| member.is_reconciled_to(group.epoch));
        let leader = (is_settled && may_skip_assignment).then(|| self.member.id.clone());
        Some(group.classic_of(self.members(), leader, self.topics))
    }
}

fn classic_profile(profile: &Profile) -> Option<classic::Profile> {
    let Profile { instance_id, client_id, client_host, rebalance_timeout, classic, .. } = profile.clone();
    let ClassicProfile { session_timeout, protocols } = classic?;
    Some(classic::Profile {
        instance_id,
        client_id,
        client_host,
        session_timeout,
        rebalance_timeout,
        protocols,
    })
}
