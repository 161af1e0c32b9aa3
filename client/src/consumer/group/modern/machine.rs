//! What a member of a KIP-848 group is and does next, without I/O: answers and releases go in, heartbeats and events come
//! out (Kafka: `ConsumerMembershipManager`, `ConsumerHeartbeatRequestManager`).
//!
//! ```text
//!  joining ──► settled ◄──────────────┐
//!     ▲           │ another target    │ everything that was to be let go is let go:
//!     │           ▼                   │ what is new is the member's, and the next heartbeat says so
//!  released ◄─ revoking ──────────────┘
//!     ▲           │ fenced
//!     └─────── lost ◄── from anywhere
//! ```

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{
    ErrorCode, PartitionId, Text, TopicId,
    messages::{
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
        consumer_group_heartbeat::{Assignment, TopicPartitions},
    },
};

use super::super::{Event, MemberIdentity, Round};
use crate::TopicPartition;

/// The epoch of whoever joins.
const JOINING: i32 = 0;

/// Partitions by the ids of their topics.
type Partitions = BTreeMap<TopicId, BTreeSet<PartitionId>>;

/// What a member says of itself when it joins, and whenever the coordinator may not know.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    pub(super) group: Text,
    pub(super) instance: Option<Text>,
    pub(super) rebalance_timeout_ms: i32,
    /// Topics by their names; empty for whoever goes by a pattern.
    pub(super) topics: Vec<Text>,
    pub(super) pattern: Option<Text>,
    pub(super) assignor: Option<Text>,
}

/// How a member leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// For good.
    Final,
    /// As a static member that will be back.
    Temporary,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// The next answer makes it a member.
    Joining,
    Settled,
    /// The consumer is to let go in that round; then the rest of the assignment follows.
    Revoking(Round),
    /// The consumer is to hear that everything is lost.
    Lost(Round),
}

/// A member.
#[derive(Debug)]
pub(super) struct Machine {
    profile: Profile,
    id: Text,
    epoch: i32,
    state: State,
    round: Round,
    /// What the coordinator wants the member to have.
    target: Partitions,
    /// The names of topics, as far as they are known.
    names: BTreeMap<TopicId, Text>,
    /// What the consumer has.
    owned: Partitions,
    /// What it was told to let go.
    revoking: Partitions,
    /// What the coordinator was told last that the member has; none where it may not know.
    told: Option<Partitions>,
    /// An assignment came, and the coordinator was not told yet what the member made of it. It waits for that even where
    /// nothing is different: what it gave and took back may never have been taken.
    is_unacknowledged: bool,
    /// Whether the heartbeat that was made last asks to join.
    asks_to_join: bool,
    /// Whether the consumer was told what it has since it joined, be that anything or nothing.
    is_announced: bool,
}

impl Machine {
    pub(super) fn new(profile: Profile, id: Text) -> Self {
        Self {
            profile,
            id,
            epoch: JOINING,
            state: State::Joining,
            round: Round::default(),
            target: Partitions::new(),
            names: BTreeMap::new(),
            owned: Partitions::new(),
            revoking: Partitions::new(),
            told: None,
            is_unacknowledged: false,
            asks_to_join: false,
            is_announced: false,
        }
    }

    /// As whom to commit.
    pub(super) fn identity(&self) -> MemberIdentity {
        match self.state {
            State::Settled | State::Revoking(_) => {
                MemberIdentity { id: self.id.clone(), generation: self.epoch }
            }
            State::Joining | State::Lost(_) => MemberIdentity::OUTSIDER,
        }
    }

    /// Whether the coordinator should hear of the member: not while nobody knows yet that everything was lost.
    pub(super) const fn beats(&self) -> bool {
        !matches!(self.state, State::Lost(_))
    }

    /// Whether the coordinator counts on the member.
    pub(super) const fn is_member(&self) -> bool {
        matches!(self.state, State::Settled | State::Revoking(_))
    }

    /// Whether it should hear of it at once: to join, and to be told that partitions were let go or taken.
    pub(super) fn is_in_a_hurry(&self) -> bool {
        match self.state {
            State::Joining => true,
            State::Settled => {
                self.told.as_ref().is_some_and(|told| *told != self.owned) || self.has_to_acknowledge()
            }
            State::Revoking(_) | State::Lost(_) => false,
        }
    }

    /// The next heartbeat. Fields that did not change since the last one are left out, unless that one may not have arrived.
    pub(super) fn heartbeat(&mut self) -> ConsumerGroupHeartbeatRequest {
        let is_full = self.state == State::Joining || self.told.is_none();
        self.asks_to_join = self.epoch == JOINING;
        let mut request = self.bare_heartbeat(self.epoch);
        if is_full {
            let profile = &self.profile;
            request.rebalance_timeout_ms = profile.rebalance_timeout_ms;
            request.subscribed_topic_names = Some(profile.topics.clone());
            request.subscribed_topic_regex.clone_from(&profile.pattern);
            request.server_assignor.clone_from(&profile.assignor);
        }
        if self.told.as_ref() != Some(&self.owned) || self.has_to_acknowledge() {
            self.is_unacknowledged &= !self.has_to_acknowledge();
            request.topic_partitions = Some(listed(&self.owned));
            self.told = Some(self.owned.clone());
        }
        request
    }

    /// Whether the member has made of an assignment what it can, and has not said so.
    fn has_to_acknowledge(&self) -> bool {
        self.is_unacknowledged && self.state == State::Settled && self.wanted() == self.owned
    }

    /// The target, as far as its topics have names.
    fn wanted(&self) -> Partitions {
        let mut wanted = self.target.clone();
        wanted.retain(|id, _| self.names.contains_key(id));
        wanted
    }

    /// The heartbeat that leaves; none for whoever is no member.
    pub(super) fn leave(&self, departure: Departure) -> Option<ConsumerGroupHeartbeatRequest> {
        let epoch = match departure {
            Departure::Final => -1,
            Departure::Temporary => -2,
        };
        // Whoever is still joining may be a member already without having heard of it.
        self.beats().then(|| self.bare_heartbeat(epoch))
    }

    fn bare_heartbeat(&self, member_epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            group_id: self.profile.group.clone(),
            member_id: self.id.clone(),
            member_epoch,
            instance_id: self.profile.instance.clone(),
            rebalance_timeout_ms: -1,
            ..ConsumerGroupHeartbeatRequest::default()
        }
    }

    /// What was sent last may not have arrived: the next heartbeat says everything.
    pub(super) fn on_silence(&mut self) {
        self.told = None;
    }

    /// An answer. What the coordinator refuses for good is an error.
    pub(super) fn on_answer(
        &mut self,
        answer: ConsumerGroupHeartbeatResponse,
    ) -> Result<Option<Event>, ErrorCode> {
        match answer.error_code {
            ErrorCode::NONE => {
                self.on_success(answer);
                Ok(None)
            }
            // The name belongs to a group of another kind (Kafka: `GroupMetadataManager.getOrMaybeCreateConsumerGroup`):
            // whoever joins makes a group that is not there.
            ErrorCode::GROUP_ID_NOT_FOUND if self.asks_to_join => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            // The group has gone on without the member, or does not know it any more.
            ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::GROUP_ID_NOT_FOUND => {
                Ok(self.lose())
            }
            code => {
                self.on_silence();
                if code.is_retriable() { Ok(None) } else { Err(code) }
            }
        }
    }

    fn on_success(&mut self, answer: ConsumerGroupHeartbeatResponse) {
        if !self.beats() {
            return;
        }
        // A broker that knows version 0 alone may choose the id.
        if let Some(id) = answer.member_id.filter(|id| !id.is_empty()) {
            self.id = id;
        }
        self.epoch = answer.member_epoch;
        if self.state == State::Joining {
            self.state = State::Settled;
        }
        if let Some(Assignment { topic_partitions }) = answer.assignment {
            self.is_unacknowledged = true;
            self.target.clear();
            for TopicPartitions { topic_id, partitions } in topic_partitions {
                self.target.entry(topic_id).or_default().extend(partitions);
            }
        }
    }

    /// Everything is lost. Whoever was about to join goes on with that.
    pub(super) fn lose(&mut self) -> Option<Event> {
        if !self.beats() {
            return None;
        }
        self.owned.clear();
        self.target.clear();
        self.revoking.clear();
        self.told = None;
        self.is_unacknowledged = false;
        self.is_announced = false;
        self.epoch = JOINING;
        if self.state == State::Joining {
            return None;
        }
        self.round = self.round.next();
        self.state = State::Lost(self.round);
        Some(Event::Lost(self.round))
    }

    /// The consumer has let go what it was told to in that round.
    pub(super) fn on_released(&mut self, round: Round) {
        match self.state {
            State::Lost(current) if current == round => self.state = State::Joining,
            State::Revoking(current) if current == round => {
                self.owned = difference(&self.owned, &std::mem::take(&mut self.revoking));
                self.state = State::Settled;
            }
            _ => {}
        }
    }

    /// Topics of the target whose names are not known.
    pub(super) fn has_nameless(&self) -> bool {
        self.target.keys().any(|id| !self.names.contains_key(id))
    }

    /// Learns names, and forgets those that nobody asks for.
    pub(super) fn on_names(&mut self, known: impl Fn(TopicId) -> Option<Text>) {
        for id in self.target.keys().filter(|id| !self.names.contains_key(*id)).copied().collect::<Vec<_>>() {
            known(id).into_iter().for_each(|name| {
                self.names.insert(id, name);
            });
        }
        self.names.retain(|id, _| self.target.contains_key(id) || self.owned.contains_key(id));
    }

    /// The next step from what the consumer has to what it should have: first what goes, then what comes.
    pub(super) fn reconcile(&mut self) -> Option<Event> {
        if self.state != State::Settled {
            return None;
        }
        let gone = difference(&self.owned, &self.target);
        if !gone.is_empty() {
            self.round = self.round.next();
            self.state = State::Revoking(self.round);
            let event = Event::Revoking(self.round, self.named(&gone));
            self.revoking = gone;
            return Some(event);
        }
        let wanted = self.wanted();
        let is_news = wanted != self.owned || !(self.is_announced || self.has_nameless());
        if !is_news {
            return None;
        }
        self.is_announced = true;
        self.owned = wanted;
        Some(Event::Assigned(self.named(&self.owned)))
    }

    fn named(&self, partitions: &Partitions) -> Vec<TopicPartition> {
        let topics = partitions.iter().filter_map(|(id, partitions)| Some((self.names.get(id)?, partitions)));
        let named = topics.flat_map(|(topic, partitions)| {
            partitions.iter().map(|partition| TopicPartition { topic: topic.clone(), partition: *partition })
        });
        named.collect()
    }
}

fn listed(partitions: &Partitions) -> Vec<TopicPartitions> {
    let topics = partitions.iter().map(|(topic_id, partitions)| TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.iter().copied().collect(),
    });
    topics.collect()
}

/// What is in the one and not in the other.
fn difference(one: &Partitions, other: &Partitions) -> Partitions {
    let without = one.iter().map(|(id, partitions)| match other.get(id) {
        Some(others) => (*id, partitions.difference(others).copied().collect()),
        None => (*id, partitions.clone()),
    });
    without.filter(|(_, partitions): &(TopicId, BTreeSet<_>)| !partitions.is_empty()).collect()
}
