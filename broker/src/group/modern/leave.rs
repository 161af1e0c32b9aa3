//! Members that go: they say so, fall silent, or do not give back what was taken from them.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{ErrorCode, Text, Timestamp, formats::offsets::Key};

use super::{
    Beat, Catalogue, Change, Group, Heartbeat, LEAVE_FOR_A_WHILE, Member, Record, Refusal,
    member::Current,
    subscription::{Patterns, metadata_hash, partition_counts},
};

impl Group {
    /// Handles a heartbeat of a member that leaves.
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn leave(&self, beat: &Heartbeat, topics: &dyn Catalogue) -> Result<Change<Beat>, Refusal> {
        let member = match &beat.instance_id {
            Some(instance_id) => self.holder(instance_id, &beat.member_id)?,
            None => self.member(&beat.member_id)?,
        };
        let answer = Beat { member_id: member.id.clone(), epoch: beat.epoch, assignment: None };
        if beat.instance_id.is_some() && beat.epoch == LEAVE_FOR_A_WHILE {
            return Ok(Change { records: vec![left_for_a_while(member)], ..Change::new(answer) });
        }
        Ok(self.without(&BTreeSet::from([member.id.clone()]), topics, answer))
    }

    /// Takes members out that somebody else names, each by its id, or by its instance and perhaps its id. The answer has a
    /// code for each.
    pub(crate) fn take_out(
        &self,
        members: &[(&Text, Option<&Text>)],
        topics: &dyn Catalogue,
    ) -> Change<Vec<ErrorCode>> {
        let named = |(id, instance_id): &(&Text, Option<&Text>)| match instance_id {
            Some(instance_id) if id.is_empty() => {
                self.static_member(instance_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
            }
            Some(instance_id) => self.holder(instance_id, id).map_err(|refusal| refusal.error),
            None => self.member(id).map_err(|refusal| refusal.error),
        };
        let found: Vec<_> = members.iter().map(named).collect();
        let gone: BTreeSet<Text> = found.iter().flatten().map(|member| member.id.clone()).collect();
        let codes = found.into_iter().map(|found| found.err().unwrap_or_default()).collect();
        self.without(&gone, topics, codes)
    }

    /// Lets time pass: who was silent for a session, or has not given back in time, is out; so is a member of the
    /// classic protocol that did not join again, or ask for its assignment, in time.
    pub(crate) fn tick(&self, now: Duration, topics: &dyn Catalogue) -> Change<()> {
        let silent = self.sessions.iter().filter(|(_, expires)| **expires <= now).map(|(id, _)| id);
        let late = self.revocations.iter().filter(|(id, (deadline, epoch))| {
            let is_same = self.members.get(*id).is_some_and(|member| member.current.epoch == *epoch);
            *deadline <= now && is_same
        });
        let classic = self.joins.iter().chain(&self.syncs).filter(|(_, deadline)| **deadline <= now);
        let late = late.map(|(id, _)| id).chain(classic.map(|(id, _)| id));
        self.without(&silent.chain(late).cloned().collect(), topics, ())
    }

    /// Takes members out. Where only members of the classic protocol are left, so is the group (Kafka:
    /// `consumerGroupFenceMembers`).
    fn without<A>(&self, gone: &BTreeSet<Text>, topics: &dyn Catalogue, answer: A) -> Change<A> {
        if gone.is_empty() {
            return Change::new(answer);
        }
        match self.downgraded_without(gone, topics) {
            Some(successor) => {
                Change { records: self.deletion(), successor: Some(successor), ..Change::new(answer) }
            }
            None => Change { records: self.fence(gone, topics), ..Change::new(answer) },
        }
    }

    /// The records that take members out. The others learn of it when a new target is made, with the next heartbeat.
    fn fence(&self, gone: &BTreeSet<Text>, topics: &dyn Catalogue) -> Vec<Record> {
        let mut records: Vec<Record> = gone.iter().flat_map(Record::removal).collect();
        let stay = || self.members.values().filter(|member| !gone.contains(&member.id));
        let kept: BTreeSet<&Text> = stay().filter_map(Member::pattern).collect();
        let (kept, dropped): (Patterns, Patterns) =
            self.patterns.clone().into_iter().partition(|(pattern, _)| kept.contains(pattern));
        records.extend(dropped.into_keys().map(|pattern| Record::Pattern(pattern, None)));
        let hash = metadata_hash(&partition_counts(stay(), &kept, topics));
        records.push(Record::Epoch(Some((self.epoch + 1, hash))));
        records
    }

    /// The keys that take the whole group out of the log.
    pub(crate) fn tombstones(&self) -> Vec<(Key, Option<Bytes>)> {
        self.deletion().iter().filter_map(|record| record.stored(&self.id, Timestamp::NONE).ok()).collect()
    }

    /// The records that take the whole group out (Kafka: `ConsumerGroup.createGroupTombstoneRecords`).
    pub(super) fn deletion(&self) -> Vec<Record> {
        let members = || self.members.keys().cloned();
        let current = members().map(|id| Record::Current(id, None));
        let targets = members().map(|id| Record::Target(id, None));
        let profiles = members().map(|id| Record::Member(id, None));
        let patterns = self.patterns.keys().map(|pattern| Record::Pattern(pattern.clone(), None));
        current
            .chain(targets)
            .chain([Record::TargetEpoch(None)])
            .chain(profiles)
            .chain(patterns)
            .chain([Record::Epoch(None)])
            .collect()
    }
}

/// It keeps what it has until its session ends, and gives back at once what was taken from it.
fn left_for_a_while(member: &Member) -> Record {
    let current =
        Current { epoch: LEAVE_FOR_A_WHILE, revoking: Default::default(), ..member.current.clone() };
    Record::Current(member.id.clone(), Some(current))
}
