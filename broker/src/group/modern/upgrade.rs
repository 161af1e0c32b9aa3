//! A classic group with members becomes one of the newer protocol when the first member of that joins it (Kafka:
//! `convertToConsumerGroup`, `ConsumerGroup.fromClassicGroup`).
//!
//! Each member has what the leader gave it, and its generation is its epoch; the newcomer makes the group's epoch rise, so
//! that everybody is told to join again. Who was not in a generation yet is not taken along: it has nothing, is told to
//! join again too, and comes in then. (Kafka takes it along; where it does not know its id yet, nobody speaks for that
//! member until its session ends.)

use std::time::Duration;

use mainstem_protocol::{
    ErrorCode, Text,
    formats::consumer::{self, Subscription, TopicPartitions},
};

use super::{
    Assignment, Catalogue, ClassicProfile, Group, Limits, Member, Record, Refusal,
    classic::decoded,
    member::{Current, Profile, State},
};
use crate::group::classic;

/// Partitions may have been given by rules that no assignor of the broker has. In Kafka's words.
const CUSTOM_ASSIGNOR: &str = "an unsupported custom assignor is in use. Please refer to the documentation or switch to \
                               a default assignor before re-attempting the upgrade";

/// A member with what it said when it joined, and what it was given.
struct Told<'a> {
    member: &'a classic::Member,
    subscription: Subscription,
    given: Vec<TopicPartitions>,
}

impl Group {
    /// The group that a classic one becomes, and the records that say so.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND where the policy, the group's protocol, its size or its members' metadata forbid it.
    pub(crate) fn upgraded_from(
        group: &classic::Group,
        limits: Limits,
        topics: &dyn Catalogue,
        now: Duration,
    ) -> Result<(Self, Vec<Record>), Refusal> {
        check(group, &limits)?;
        let told = told(group)?;
        let given = told.iter().flat_map(|told| decoded(&told.given, topics).iter().collect::<Vec<_>>());
        let (given, mut taken): (Assignment, _) = (given.collect(), Assignment::default());
        let mut members = Vec::new();
        for told in told {
            let assigned = held(&told, &given, topics).without(&taken);
            taken = taken.joined_with(&assigned);
            members.push(converted(told, assigned, group.generation));
        }
        let records = if members.is_empty() { Vec::new() } else { records(&members, group.generation) };
        let mut upgraded = Self::new(group.id.clone(), limits);
        records.iter().for_each(|record| upgraded.replay(record.clone(), now));
        upgraded.begin_sessions(now);
        Ok((upgraded, records))
    }
}

/// Kafka: `validateOnlineUpgrade`.
fn check(group: &classic::Group, limits: &Limits) -> Result<(), Refusal> {
    let is_too_large = group.members.len() > limits.members_max;
    let why = match () {
        () if !limits.may_upgrade => "online upgrade is disabled",
        () if !group.speaks_consumer() => "the group does not use the consumer embedded protocol",
        () if is_too_large => "the group size exceeds the consumer group maximum size",
        () => return Ok(()),
    };
    Err(refusal(&group.id, why))
}

fn refusal(id: &Text, why: &str) -> Refusal {
    let message = format!("Cannot upgrade classic group {id} to consumer group because {why}.");
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
}

fn told(group: &classic::Group) -> Result<Vec<Told<'_>>, Refusal> {
    let malformed = || refusal(&group.id, "the embedded consumer protocol is malformed");
    let mut all = Vec::new();
    for member in group.settled_members() {
        let subscription = Subscription::from_bytes(metadata(group, member)).map_err(|_| malformed())?;
        let given = match member.assignment.is_empty() {
            true => consumer::Assignment::default(),
            false => consumer::Assignment::from_bytes(member.assignment.clone()).map_err(|_| malformed())?,
        };
        if given.user_data.is_some_and(|data| !data.is_empty()) {
            return Err(refusal(&group.id, CUSTOM_ASSIGNOR));
        }
        let given = given.assigned_partitions;
        all.push(Told { member, subscription, given });
    }
    Ok(all)
}

/// What a member was given; and what it had when it joined and nobody was given, since a member that gives partitions back
/// one by one may still have them. (Kafka leaves those out, and may hand them to the newcomer too early.) The member is
/// told to join again, and then says whether that is so.
fn held(told: &Told<'_>, given: &Assignment, topics: &dyn Catalogue) -> Assignment {
    let claimed = decoded(&told.subscription.owned_partitions, topics).without(given);
    decoded(&told.given, topics).joined_with(&claimed)
}

/// What the member said for the group's protocol, which it may not know any more if it is joining again.
fn metadata(group: &classic::Group, member: &classic::Member) -> bytes::Bytes {
    let protocols = &member.profile.protocols;
    let chosen = protocols.iter().find(|protocol| Some(&protocol.name) == group.protocol.as_ref());
    chosen.or_else(|| protocols.first()).map(|protocol| protocol.metadata.clone()).unwrap_or_default()
}

fn converted(told: Told<'_>, assigned: Assignment, generation: i32) -> Member {
    let Told { member, subscription, given: _ } = told;
    let classic::Profile {
        instance_id,
        client_id,
        client_host,
        session_timeout,
        rebalance_timeout,
        protocols,
    } = member.profile.clone();
    let profile = Profile {
        instance_id,
        rack_id: subscription.rack_id.filter(|rack| !rack.is_empty()),
        client_id,
        client_host,
        topics: subscription.topics.into_iter().collect(),
        pattern: None,
        rebalance_timeout,
        assignor: None,
        classic: Some(ClassicProfile { session_timeout, protocols }),
    };
    let current = Current {
        state: State::Stable,
        epoch: generation,
        previous_epoch: generation,
        assigned,
        revoking: Assignment::default(),
    };
    Member { id: member.id.clone(), profile, current }
}

/// The order is Kafka's (`ConsumerGroup.createConsumerGroupRecords`).
fn records(members: &[Member], generation: i32) -> Vec<Record> {
    let profiles = members.iter().map(|m| Record::Member(m.id.clone(), Some(Box::new(m.profile.clone()))));
    let targets = members.iter().map(|m| Record::Target(m.id.clone(), Some(m.current.assigned.clone())));
    let current = members.iter().map(|m| Record::Current(m.id.clone(), Some(m.current.clone())));
    profiles
        // Of which topics it is made is found out with the first heartbeat.
        .chain([Record::Epoch(Some((generation, 0)))])
        .chain(targets)
        .chain([Record::TargetEpoch(Some(generation))])
        .chain(current)
        .collect()
}
