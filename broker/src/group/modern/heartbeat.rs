//! A heartbeat of a member that joins or stays (Kafka: `GroupMetadataManager.consumerGroupHeartbeat`).

use std::collections::BTreeSet;

use mainstem_protocol::{ErrorCode, Text, TopicId};

use super::{
    Assignment, Catalogue, Change, Group, Heartbeat, JOIN, LEAVE_FOR_A_WHILE, Member, Record, Refusal,
    assignor::{Candidate, Candidates, PartitionCounts},
    pattern,
    reconcile::Goal,
    subscription::{Patterns, metadata_hash, partition_counts, wanted},
};
use crate::caps;

/// What a member is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) member_id: Text,
    pub(crate) epoch: i32,
    /// What the member has, where that is to be told.
    pub(crate) assignment: Option<Assignment>,
}

/// A change in the making: the group as it is, and what is to become of it.
pub(super) struct Draft<'a> {
    pub(super) group: &'a Group,
    pub(super) topics: &'a dyn Catalogue,
    records: Vec<Record>,
    /// The member as it was, or as it comes in.
    before: Member,
    /// The member as it will be.
    pub(super) member: Member,
    /// The member that the other one comes in for.
    pub(super) replaced: Option<Text>,
    pub(super) epoch: i32,
    /// The patterns as they will be, where they were looked at.
    patterns: Option<Patterns>,
    counts: PartitionCounts,
}

impl Group {
    /// Handles a heartbeat of a member that joins or stays.
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn heartbeat(
        &self,
        beat: &Heartbeat,
        topics: &dyn Catalogue,
    ) -> Result<Change<Beat>, Refusal> {
        self.check_room(&beat.member_id)?;
        Ok(self.draft(beat, topics)?.finish(beat))
    }

    /// What is to become of the group with the member that joins or stays.
    pub(super) fn draft<'a>(
        &'a self,
        beat: &Heartbeat,
        topics: &'a dyn Catalogue,
    ) -> Result<Draft<'a>, Refusal> {
        let mut draft = Draft::begin(self, beat, topics)?;
        draft.update_member(beat)?;
        draft.update_epoch();
        let target = draft.update_target();
        draft.reconcile(&target, beat.owned.as_ref());
        Ok(draft)
    }

    pub(super) fn check_room(&self, member: &Text) -> Result<(), Refusal> {
        let max = self.limits.members_max;
        if self.members.len() < max || self.members.contains_key(member) {
            return Ok(());
        }
        let message = format!("The consumer group has reached its maximum capacity of {max} members.");
        Err(Refusal::new(ErrorCode::GROUP_MAX_SIZE_REACHED, message))
    }

    /// A member by its id.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID.
    pub(super) fn member(&self, id: &Text) -> Result<&Member, Refusal> {
        self.members.get(id).ok_or_else(|| {
            let message = format!("Member {id} is not a member of group {}.", self.id);
            Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
        })
    }

    /// The member that holds an instance id.
    pub(super) fn static_member(&self, instance_id: &Text) -> Option<&Member> {
        self.members.get(self.static_members.get(instance_id)?)
    }

    /// The member that holds an instance id, if it is the one that asks.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID where nobody holds it, FENCED_INSTANCE_ID where another member does.
    pub(super) fn holder(&self, instance_id: &Text, id: &Text) -> Result<&Member, Refusal> {
        let unknown = || {
            let message = format!("Instance id {instance_id} is unknown.");
            Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
        };
        let holder = self.static_member(instance_id).ok_or_else(unknown)?;
        if holder.id == *id {
            return Ok(holder);
        }
        let message =
            format!("Static member {id} with instance id {instance_id} was fenced by member {}.", holder.id);
        Err(Refusal::new(ErrorCode::FENCED_INSTANCE_ID, message))
    }
}

impl<'a> Draft<'a> {
    fn begin(group: &'a Group, beat: &Heartbeat, topics: &'a dyn Catalogue) -> Result<Self, Refusal> {
        let joins = beat.epoch == JOIN && !beat.keeps_id;
        let holder = beat.instance_id.as_ref().filter(|_| joins).and_then(|id| group.static_member(id));
        let existing = match &beat.instance_id {
            _ if holder.is_some() => holder,
            _ if joins => group.members.get(&beat.member_id),
            Some(instance_id) => Some(group.holder(instance_id, &beat.member_id)?),
            None => Some(group.member(&beat.member_id)?),
        };
        let known = existing.cloned().unwrap_or_else(|| Member::new(beat.member_id.clone()));
        let mut draft = Self {
            group,
            topics,
            records: Vec::new(),
            before: known.clone(),
            member: known,
            replaced: None,
            epoch: group.epoch,
            patterns: None,
            counts: PartitionCounts::new(),
        };
        match (holder, &beat.instance_id) {
            (Some(holder), Some(instance_id)) => draft.replace(holder, instance_id, beat)?,
            _ => check_epoch(&draft.member, beat)?,
        }
        Ok(draft)
    }

    /// A static member comes in for one that has left and said that it would be back. Where one of the two speaks the
    /// classic protocol, which knows no such words, the later one counts.
    fn replace(&mut self, holder: &Member, instance_id: &Text, beat: &Heartbeat) -> Result<(), Refusal> {
        let id = &beat.member_id;
        let must_have_left = beat.classic.is_none() && !holder.is_classic();
        if must_have_left && holder.current.epoch != LEAVE_FOR_A_WHILE {
            let message = format!(
                "Static member {id} with instance id {instance_id} cannot join the group because the instance id \
                 is owned by {} member.",
                holder.id
            );
            return Err(Refusal::new(ErrorCode::UNRELEASED_INSTANCE_ID, message));
        }
        let member = holder.returned_as(id.clone());
        self.records.extend(Record::removal(&holder.id));
        self.records.push(Record::Member(id.clone(), Some(Box::new(member.profile.clone()))));
        self.records.push(Record::Target(id.clone(), Some(self.group.target(&holder.id))));
        self.records.push(Record::Current(id.clone(), Some(member.current.clone())));
        self.replaced = Some(holder.id.clone());
        (self.before, self.member) = (member.clone(), member);
        Ok(())
    }

    /// The members as they will be.
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> + Clone {
        let others = self.group.members.values();
        let others =
            others.filter(|other| other.id != self.member.id && self.replaced.as_ref() != Some(&other.id));
        others.chain([&self.member])
    }

    /// Takes in what the member says of itself.
    fn update_member(&mut self, beat: &Heartbeat) -> Result<(), Refusal> {
        self.member.profile = self.before.profile.told(beat);
        let is_new = !self.group.members.contains_key(&self.member.id) && self.replaced.is_none();
        if is_new || self.member.profile != self.before.profile {
            let profile = Box::new(self.member.profile.clone());
            self.records.push(Record::Member(self.member.id.clone(), Some(profile)));
        }
        self.check_pattern()?;
        if self.must_look_at_topics() {
            let patterns = self.group.resolve(self.members(), self.topics);
            self.counts = partition_counts(self.members(), &patterns, self.topics);
            self.patterns = Some(patterns);
        }
        Ok(())
    }

    /// A pattern that nobody in the group has must be one.
    fn check_pattern(&self) -> Result<(), Refusal> {
        let new = self.member.pattern().filter(|pattern| !self.group.patterns.contains_key(*pattern));
        let Some(new) = new else { return Ok(()) };
        if self.group.patterns.len() >= caps::GROUP_PATTERNS_MAX {
            let message =
                format!("The group has {} patterns already, which is the most.", caps::GROUP_PATTERNS_MAX);
            return Err(Refusal::new(ErrorCode::INVALID_REGULAR_EXPRESSION, message));
        }
        pattern::check(new, self.topics)
    }

    fn has_other_wishes(&self) -> bool {
        let (before, now) = (&self.before.profile, &self.member.profile);
        before.topics != now.topics || before.pattern != now.pattern
    }

    /// Whether the topics of the group may be others than they were at the last heartbeat, or are needed anyway.
    fn must_look_at_topics(&self) -> bool {
        let group = self.group;
        let has_other_topics = group.topics_version != Some(self.topics.version());
        // A group that is new has to leave epoch 0.
        let is_due = group.epoch == JOIN || group.epoch > group.target_epoch;
        is_due || has_other_topics || self.has_other_wishes()
    }

    /// The group's epoch rises when members, wishes or topics change.
    fn update_epoch(&mut self) {
        let Some(patterns) = &self.patterns else { return };
        let (records, matches_others) = self.group.pattern_records(patterns);
        self.records.extend(records);
        let hash = metadata_hash(&self.counts);
        let rises = self.epoch == JOIN
            || self.has_other_wishes()
            || matches_others
            || hash != self.group.metadata_hash;
        if rises {
            self.epoch += 1;
            self.records.push(Record::Epoch(Some((self.epoch, hash))));
        }
    }

    /// Makes a new target where the group's epoch has risen, and says what the member is to have.
    fn update_target(&mut self) -> Assignment {
        if self.epoch <= self.group.target_epoch {
            return self.target_so_far();
        }
        let preferred = self.group.preferred_assignor(self.members());
        let assignor = preferred.unwrap_or_else(|| self.group.default_assignor());
        let mut targets = assignor.assign(&self.candidates(), &self.counts);
        for (id, target) in &targets {
            let is_replacement = *id == self.member.id && self.replaced.is_some();
            if is_replacement || self.group.targets.get(id) != Some(target) {
                self.records.push(Record::Target(id.clone(), Some(target.clone())));
            }
        }
        self.records.push(Record::TargetEpoch(Some(self.epoch)));
        targets.remove(&self.member.id).unwrap_or_default()
    }

    /// What the member, or the one that it comes in for, is to have by the target that stands.
    fn target_so_far(&self) -> Assignment {
        self.group.target(self.replaced.as_ref().unwrap_or(&self.member.id))
    }

    fn candidates(&self) -> Candidates {
        let candidate = |member: &Member| {
            let is_own = member.id == self.member.id;
            let assignment = if is_own { self.target_so_far() } else { self.group.target(&member.id) };
            let instance_id = member.profile.instance_id.clone();
            (member.id.clone(), Candidate { instance_id, topics: self.wanted(member), assignment })
        };
        self.members().map(candidate).collect()
    }

    fn wanted(&self, member: &Member) -> BTreeSet<TopicId> {
        wanted(member, self.patterns.as_ref().unwrap_or(&self.group.patterns), self.topics)
    }

    fn target_epoch(&self) -> i32 {
        self.epoch.max(self.group.target_epoch)
    }

    fn reconcile(&mut self, target: &Assignment, owned: Option<&Assignment>) {
        let (epoch, has_other_wishes) = (self.target_epoch(), self.has_other_wishes());
        if !has_other_wishes && self.member.is_reconciled_to(epoch) {
            return;
        }
        let wanted = self.wanted(&self.member);
        let goal = Goal { epoch, target, wanted: &wanted, has_other_wishes, owned };
        let current = self.group.reconcile(&self.member, &goal);
        if current != self.member.current {
            self.records.push(Record::Current(self.member.id.clone(), Some(current.clone())));
            self.member.current = current;
        }
    }

    pub(super) fn finish(self, beat: &Heartbeat) -> Change<Beat> {
        let current = self.member.current;
        let is_told = beat.is_full() || current.assigned != self.before.current.assigned;
        let answer = Beat {
            member_id: self.member.id.clone(),
            epoch: current.epoch,
            assignment: is_told.then_some(current.assigned),
        };
        Change {
            records: self.records,
            answer,
            heard: Some(self.member.id),
            looked_at: Some(self.topics.version()),
            timer: None,
            successor: None,
        }
    }
}

/// A member whose answer got lost comes with the epoch before; it may have no more than it was told to have.
fn check_epoch(member: &Member, beat: &Heartbeat) -> Result<(), Refusal> {
    let (known, sent) = (&member.current, beat.epoch);
    // Who was fenced joins again.
    if sent == JOIN || sent == known.epoch {
        return Ok(());
    }
    let owns_no_more = || beat.owned.as_ref().is_some_and(|owned| owned.is_subset_of(&known.assigned));
    if sent < known.epoch && sent == known.previous_epoch && owns_no_more() {
        return Ok(());
    }
    let kind = if sent > known.epoch { "greater" } else { "smaller" };
    let message = format!(
        "The consumer group member has a {kind} member epoch ({sent}) than the one known by the group coordinator \
         ({}). The member must abandon all its partitions and rejoin.",
        known.epoch
    );
    Err(Refusal::new(ErrorCode::FENCED_MEMBER_EPOCH, message))
}
