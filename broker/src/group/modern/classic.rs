//! Members that speak the classic protocol in a group of the newer one (Kafka: the methods `classicGroup…ToConsumerGroup`
//! of `GroupMetadataManager`).
//!
//! To such a member its epoch is a generation. It is never the leader: what it is to have comes with SyncGroup from the
//! broker. It learns that there is something new when a heartbeat tells it to join again, and by joining says what it
//! still has. So its JoinGroup is the full heartbeat of the newer protocol, and three times are kept for it: to be heard
//! of, to join again, to ask for its assignment.

use std::time::Duration;

use bytes::Bytes;
use mainstem_protocol::{
    ErrorCode, Text,
    formats::consumer::{self, PROTOCOL_TYPE, Subscription},
    messages::Message,
};

use super::{
    Assignment, Catalogue, Change, ClassicProfile, Client, Group, Heartbeat, JOIN, Member, Refusal,
    heartbeat::Draft,
    member::{Profile, State},
    subscription::{metadata_hash, partition_counts},
};
use crate::group::classic::{self, JoinAnswer, JoinRequest, Protocol, Stored, SyncAnswer, SyncRequest};

/// What a member does next, or has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// It was told to join again; the time runs from the first time that it was told.
    MustJoin,
    /// It has joined, and must ask for its assignment.
    Joined,
    /// It has asked for its assignment.
    Synced,
}

impl Group {
    /// Handles a JoinGroup (Kafka: `classicGroupJoinToConsumerGroup`).
    ///
    /// # Errors
    /// The code to answer; MEMBER_ID_REQUIRED asks to come again with the id that the request has ready.
    pub(crate) fn join(
        &self,
        request: &JoinRequest,
        topics: &dyn Catalogue,
    ) -> Result<Change<JoinAnswer>, Refusal> {
        let is_unknown = request.member_id.is_empty();
        let id = if is_unknown { &request.fresh_id } else { &request.member_id };
        self.check_room(id)?;
        self.check_protocols(request)?;
        if is_unknown && request.requires_known_id {
            return Err(refusal(ErrorCode::MEMBER_ID_REQUIRED));
        }
        let beat = as_heartbeat(request, id, topics)?;
        self.check_claims(&beat)?;
        let draft = self.draft(&beat, topics)?;
        Ok(match draft.downgraded(request.may_skip_assignment) {
            Some(successor) => {
                let answer = downgraded_answer(id, &successor);
                Change { records: self.deletion(), successor: Some(successor), ..Change::new(answer) }
            }
            None => joined(draft, &beat),
        })
    }

    /// Whether a member that joins has a protocol that all others of its kind know (Kafka:
    /// `ConsumerGroup.supportsClassicProtocols`).
    fn check_protocols(&self, request: &JoinRequest) -> Result<(), Refusal> {
        let knows = |classic: &ClassicProfile, name: &Text| classic.protocols.iter().any(|p| p.name == *name);
        let is_common = |protocol: &Protocol| {
            let mut others = self.members.values().filter_map(|member| member.profile.classic.as_ref());
            others.all(|classic| knows(classic, &protocol.name))
        };
        let is_consumer = request.protocol_type == PROTOCOL_TYPE;
        if is_consumer && request.profile.protocols.iter().any(is_common) {
            return Ok(());
        }
        Err(refusal(ErrorCode::INCONSISTENT_GROUP_PROTOCOL))
    }

    /// Who has partitions was a member. If it is none any more, others may have them by now, so it must give them up
    /// before it comes in anew. (Kafka takes it for a new member, which reads on until it has its assignment.)
    fn check_claims(&self, beat: &Heartbeat) -> Result<(), Refusal> {
        let claims = beat.owned.as_ref().is_some_and(|owned| !owned.is_empty());
        if claims && beat.instance_id.is_none() {
            self.member(&beat.member_id)?;
        }
        Ok(())
    }

    /// Handles a Heartbeat (Kafka: `classicGroupHeartbeatToConsumerGroup`). The answer is REBALANCE_IN_PROGRESS where the
    /// member is to join again.
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn heartbeat_classic(
        &self,
        id: &Text,
        instance_id: Option<&Text>,
        generation: i32,
        topics: &dyn Catalogue,
    ) -> Result<Change<ErrorCode>, Refusal> {
        let member = self.classic_member(id, instance_id, generation)?;
        let heard = Some(member.id.clone());
        let unseen = self.unseen_topics(topics);
        if !self.must_join(member) && unseen != Some(true) {
            let looked_at = unseen.map(|_| topics.version());
            return Ok(Change { heard, looked_at, ..Change::new(ErrorCode::NONE) });
        }
        let timer = Some((member.id.clone(), Timer::MustJoin));
        Ok(Change { heard, timer, ..Change::new(ErrorCode::REBALANCE_IN_PROGRESS) })
    }

    /// Whether joining again brings the member further: there is a new epoch, it has something to give back, or all that
    /// it still waits for is free.
    fn must_join(&self, member: &Member) -> bool {
        let current = &member.current;
        current.epoch < self.epoch
            || match current.state {
                State::Stable => false,
                State::Unrevoked => true,
                State::Unreleased => !self.waits_for_others(member),
            }
    }

    /// Whether the topics of the group are others than it knows; none where it has looked at these already. Where members
    /// have patterns, they are of the newer protocol, and notice it. (In Kafka only those do, and a group that they have
    /// left, but that may not become a classic one, notices nothing.)
    fn unseen_topics(&self, topics: &dyn Catalogue) -> Option<bool> {
        let is_unseen = self.patterns.is_empty() && self.topics_version != Some(topics.version());
        is_unseen.then(|| {
            let counts = partition_counts(self.members.values(), &self.patterns, topics);
            metadata_hash(&counts) != self.metadata_hash
        })
    }

    fn waits_for_others(&self, member: &Member) -> bool {
        let missing = self.target(&member.id).without(&member.current.assigned);
        missing.iter().any(|partition| self.owners.contains_key(&partition))
    }

    /// Handles a SyncGroup (Kafka: `classicGroupSyncToConsumerGroup`).
    ///
    /// # Errors
    /// The code to answer.
    pub(crate) fn sync(
        &self,
        request: &SyncRequest,
        topics: &dyn Catalogue,
    ) -> Result<Change<SyncAnswer>, Refusal> {
        let SyncRequest { member_id, instance_id, generation, protocol_type, protocol, assignments: _ } =
            request;
        let member = self.classic_member(member_id, instance_id.as_ref(), *generation)?;
        let name = member.profile.classic.as_ref().and_then(|classic| classic.protocols.first());
        let name = name.map(|protocol| &protocol.name);
        let differs = protocol_type.as_ref().is_some_and(|kind| kind != PROTOCOL_TYPE)
            || (protocol.is_some() && protocol.as_ref() != name);
        if differs {
            return Err(refusal(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        }
        // Who has something to give back has joined already, and is told by this answer what it may keep.
        if self.epoch > member.current.epoch && member.current.state != State::Unrevoked {
            let answer = SyncAnswer::refused(ErrorCode::REBALANCE_IN_PROGRESS);
            return Ok(Change { timer: Some((member_id.clone(), Timer::MustJoin)), ..Change::new(answer) });
        }
        let answer = SyncAnswer {
            error: ErrorCode::NONE,
            protocol_type: Some(PROTOCOL_TYPE.into()),
            protocol: name.cloned(),
            assignment: encoded(&member.current.assigned, &member.profile, topics),
        };
        let timer = Some((member_id.clone(), Timer::Synced));
        Ok(Change { heard: Some(member_id.clone()), timer, ..Change::new(answer) })
    }

    fn classic_member(
        &self,
        id: &Text,
        instance_id: Option<&Text>,
        generation: i32,
    ) -> Result<&Member, Refusal> {
        let member = match instance_id {
            Some(instance_id) => self.holder(instance_id, id)?,
            None => self.member(id)?,
        };
        if !member.is_classic() {
            return Err(refusal(ErrorCode::UNKNOWN_MEMBER_ID));
        }
        let is_current = member.current.epoch == generation;
        if is_current { Ok(member) } else { Err(refusal(ErrorCode::ILLEGAL_GENERATION)) }
    }

    pub(super) fn set_timer(&mut self, id: Text, timer: Timer, now: Duration) {
        let Some(member) = self.members.get(&id) else { return };
        let deadline = now + member.profile.rebalance_timeout;
        match timer {
            Timer::MustJoin => drop(self.joins.entry(id).or_insert(deadline)),
            Timer::Joined => {
                self.joins.remove(&id);
                self.syncs.insert(id, deadline);
            }
            Timer::Synced => drop(self.syncs.remove(&id)),
        }
    }
}

fn joined(draft: Draft<'_>, beat: &Heartbeat) -> Change<JoinAnswer> {
    let classic = draft.member.profile.classic.as_ref();
    let protocol = classic.and_then(|classic| classic.protocols.first()).map(|first| first.name.clone());
    let answer = join_answer(&draft.member.id, draft.member.current.epoch, protocol);
    let timer = Some((draft.member.id.clone(), Timer::Joined));
    Change { timer, ..draft.finish(beat).map(|_| answer) }
}

/// Where the member leads the classic group, it is told of the others, and that they have what they are to have.
fn downgraded_answer(id: &Text, group: &Stored) -> JoinAnswer {
    let answer = join_answer(id, group.generation, group.protocol.clone());
    let Some(leader) = group.leader.clone() else { return answer };
    let described = |(id, profile, _): &(Text, classic::Profile, Bytes)| {
        let protocol =
            profile.protocols.iter().find(|protocol| Some(&protocol.name) == group.protocol.as_ref());
        let metadata = protocol.map(|protocol| protocol.metadata.clone()).unwrap_or_default();
        (id.clone(), profile.instance_id.clone(), metadata)
    };
    let members = group.members.iter().map(described).collect();
    JoinAnswer { leader, skip_assignment: true, members, ..answer }
}

/// Nobody leads: there is nothing to be assigned.
fn join_answer(id: &Text, generation: i32, protocol: Option<Text>) -> JoinAnswer {
    JoinAnswer {
        generation,
        protocol_type: Some(PROTOCOL_TYPE.into()),
        protocol,
        member_id: id.clone(),
        ..JoinAnswer::default()
    }
}

/// A JoinGroup as the heartbeat that it would be. Kafka answers metadata that cannot be read with an error of its own
/// making; here it is a protocol that does not fit.
fn as_heartbeat(request: &JoinRequest, id: &Text, topics: &dyn Catalogue) -> Result<Heartbeat, Refusal> {
    let profile = request.profile.clone();
    let metadata = profile.protocols.first().map(|protocol| protocol.metadata.clone()).unwrap_or_default();
    let inconsistent = |_| refusal(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let subscription = Subscription::from_bytes(metadata).map_err(inconsistent)?;
    Ok(Heartbeat {
        member_id: id.clone(),
        epoch: JOIN,
        keeps_id: !request.member_id.is_empty() && profile.instance_id.is_some(),
        instance_id: profile.instance_id,
        rack_id: subscription.rack_id.filter(|rack| !rack.is_empty()),
        rebalance_timeout: Some(profile.rebalance_timeout),
        topics: Some(subscription.topics.into_iter().collect()),
        pattern: None,
        assignor: None,
        owned: Some(decoded(&subscription.owned_partitions, topics)),
        client: Client { id: profile.client_id, host: profile.client_host },
        classic: Some(ClassicProfile {
            session_timeout: profile.session_timeout,
            protocols: profile.protocols,
        }),
    })
}

/// Partitions that exist, of those that are named.
pub(super) fn decoded(named: &[consumer::TopicPartitions], topics: &dyn Catalogue) -> Assignment {
    let existing = |topic: &consumer::TopicPartitions| {
        let (id, count) = topics.topic(&topic.topic).unwrap_or_default();
        let exists = move |partition: i32| u32::try_from(partition).is_ok_and(|number| number < count);
        let partitions = topic.partitions.clone().into_iter().filter(move |partition| exists(partition.0));
        partitions.map(move |partition| (id, partition))
    };
    named.iter().flat_map(existing).collect()
}

/// An assignment in the consumer protocol, in the version that the member speaks.
pub(super) fn encoded(assignment: &Assignment, profile: &Profile, topics: &dyn Catalogue) -> Bytes {
    let named = |name: &Text| {
        let partitions = assignment.of(topics.topic(name)?.0)?.iter().copied().collect();
        Some(consumer::TopicPartitions { topic: name.clone(), partitions })
    };
    let assigned_partitions = profile.topics.iter().filter_map(named).collect();
    let encoded = consumer::Assignment { assigned_partitions, user_data: None };
    // Names that came in a request fit into an answer.
    encoded.to_bytes(version(profile)).unwrap_or_default()
}

fn version(profile: &Profile) -> i16 {
    let first = profile.classic.as_ref().and_then(|classic| classic.protocols.first());
    let version = first.and_then(|protocol| protocol.metadata.first_chunk()).copied();
    let (oldest, newest) = consumer::Assignment::VERSIONS.into_inner();
    version.map_or(oldest, i16::from_be_bytes).clamp(oldest, newest)
}

const fn refusal(error: ErrorCode) -> Refusal {
    Refusal { error, message: None }
}
