//! What is stored of a group, and how it becomes the group again (Kafka: the `replay` methods of
//! `GroupMetadataManager`).

use std::time::Duration;

use mainstem_protocol::Text;

use super::{
    Assignment, Group, Resolved,
    member::{Current, Member, Profile, State},
};

/// A fact about a group; none takes the fact back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// The group's epoch, and the hash of the topics that it was made for.
    Epoch(Option<(i32, i64)>),
    /// What a member says of itself.
    Member(Text, Option<Box<Profile>>),
    /// The topics that a pattern matches.
    Pattern(Text, Option<Resolved>),
    /// The target's epoch.
    TargetEpoch(Option<i32>),
    /// What a member is to have.
    Target(Text, Option<Assignment>),
    /// What a member has.
    Current(Text, Option<Current>),
}

impl Record {
    /// The records that take a member out; the order is Kafka's.
    pub(super) fn removal(member: &Text) -> [Self; 3] {
        [
            Self::Current(member.clone(), None),
            Self::Target(member.clone(), None),
            Self::Member(member.clone(), None),
        ]
    }
}

impl Group {
    /// Makes a fact part of the group.
    pub(super) fn replay(&mut self, record: Record, now: Duration) {
        match record {
            Record::Epoch(epoch) => (self.epoch, self.metadata_hash) = epoch.unwrap_or_default(),
            Record::TargetEpoch(epoch) => self.target_epoch = epoch.unwrap_or_default(),
            Record::Member(id, Some(profile)) => self.set_profile(&id, *profile),
            Record::Member(id, None) => self.remove(&id),
            Record::Pattern(pattern, Some(resolved)) => drop(self.patterns.insert(pattern, resolved)),
            Record::Pattern(pattern, None) => drop(self.patterns.remove(&pattern)),
            Record::Target(id, Some(target)) => drop(self.targets.insert(id, target)),
            Record::Target(id, None) => drop(self.targets.remove(&id)),
            Record::Current(id, current) => self.set_current(&id, current.unwrap_or_default(), now),
        }
    }

    fn set_profile(&mut self, id: &Text, profile: Profile) {
        if let Some(instance_id) = &profile.instance_id {
            self.static_members.insert(instance_id.clone(), id.clone());
        }
        // What one protocol waits for the other does not know.
        if profile.classic.is_some() {
            self.revocations.remove(id);
        } else {
            self.joins.remove(id);
            self.syncs.remove(id);
        }
        self.member_mut(id).profile = profile;
    }

    fn set_current(&mut self, id: &Text, current: Current, now: Duration) {
        let before = std::mem::replace(&mut self.member_mut(id).current, current.clone());
        self.release(id, &before);
        let owned = current.assigned.iter().chain(current.revoking.iter());
        self.owners.extend(owned.map(|partition| (partition, id.clone())));
        self.watch_revocation(id, &current, now);
    }

    /// The time to give back runs from when the member is told. One of the classic protocol is told to join again, and
    /// has a time for that.
    fn watch_revocation(&mut self, id: &Text, current: &Current, now: Duration) {
        let must_give_back = current.state == State::Unrevoked && current.epoch >= 0;
        match self.members.get(id).filter(|member| must_give_back && !member.is_classic()) {
            Some(member) => {
                let deadline = now + member.profile.rebalance_timeout;
                self.revocations.insert(id.clone(), (deadline, current.epoch));
            }
            None => drop(self.revocations.remove(id)),
        }
    }

    /// What a member had is nobody's, unless somebody else has it already.
    fn release(&mut self, id: &Text, current: &Current) {
        for partition in current.assigned.iter().chain(current.revoking.iter()) {
            if self.owners.get(&partition) == Some(id) {
                self.owners.remove(&partition);
            }
        }
    }

    fn remove(&mut self, id: &Text) {
        let Some(member) = self.members.remove(id) else { return };
        self.release(id, &member.current);
        if let Some(instance_id) = &member.profile.instance_id
            && self.static_members.get(instance_id) == Some(id)
        {
            self.static_members.remove(instance_id);
        }
        self.sessions.remove(id);
        self.revocations.remove(id);
        self.joins.remove(id);
        self.syncs.remove(id);
    }

    fn member_mut(&mut self, id: &Text) -> &mut Member {
        self.members.entry(id.clone()).or_insert_with(|| Member::new(id.clone()))
    }
}
