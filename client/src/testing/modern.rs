//! A group whose broker shares out the partitions (KIP-848), in memory: every member that comes, goes or changes its mind
//! moves partitions about, and none is handed out before its owner has let it go (Kafka: `CurrentAssignmentBuilder`).
//! Sessions have no end of their own: a test says whose is over.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{
    ErrorCode, PartitionId, Text, TopicId,
    messages::{
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
        consumer_group_heartbeat::{Assignment, TopicPartitions},
    },
};

/// How often members are to be heard of.
const INTERVAL_MS: i32 = 1000;

type Partition = (TopicId, PartitionId);

/// Topics that there are: id and number of partitions by name.
pub(super) type Topics = BTreeMap<Text, (TopicId, usize)>;

#[derive(Debug, Default)]
pub(super) struct ModernGroup {
    epoch: i32,
    members: BTreeMap<Text, Member>,
    /// What there was to share out when that was done last.
    shared_out: Topics,
}

#[derive(Debug, Default)]
struct Member {
    instance: Option<Text>,
    /// It is away, and will be back.
    is_away: bool,
    epoch: i32,
    previous_epoch: i32,
    topics: Vec<Text>,
    pattern: Option<Text>,
    target: BTreeSet<Partition>,
    assigned: BTreeSet<Partition>,
    /// What it has to let go, and has not yet.
    revoking: BTreeSet<Partition>,
    /// What it was told last.
    told: Option<BTreeSet<Partition>>,
}

impl ModernGroup {
    pub(super) fn ids(&self) -> Vec<Text> {
        self.members.keys().cloned().collect()
    }

    /// Whether a member may commit and look up in an epoch.
    pub(super) fn check_commit(&self, id: &Text, epoch: i32) -> Result<(), ErrorCode> {
        let member = self.members.get(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if member.epoch == epoch { Ok(()) } else { Err(ErrorCode::STALE_MEMBER_EPOCH) }
    }

    /// Goes on without a member; the epoch in which that happens.
    pub(super) fn expire(&mut self, id: &Text) -> i32 {
        let epoch = self.epoch;
        if self.members.remove(id).is_some() {
            self.epoch += 1;
            self.shared_out.clear();
        }
        epoch
    }

    pub(super) fn heartbeat(
        &mut self,
        request: ConsumerGroupHeartbeatRequest,
        topics: &Topics,
    ) -> ConsumerGroupHeartbeatResponse {
        let id = request.member_id.clone();
        match self.try_heartbeat(request, topics) {
            Ok((member_epoch, assignment)) => ConsumerGroupHeartbeatResponse {
                member_id: Some(id),
                member_epoch,
                heartbeat_interval_ms: INTERVAL_MS,
                assignment,
                ..ConsumerGroupHeartbeatResponse::default()
            },
            Err(error_code) => ConsumerGroupHeartbeatResponse { error_code, ..Default::default() },
        }
    }

    fn try_heartbeat(
        &mut self,
        request: ConsumerGroupHeartbeatRequest,
        topics: &Topics,
    ) -> Result<(i32, Option<Assignment>), ErrorCode> {
        match request.member_epoch {
            0 => self.admit(&request)?,
            -2.. => self.check(&request)?,
            _ => return Err(ErrorCode::INVALID_REQUEST),
        }
        match request.member_epoch {
            -1 => {
                self.expire(&request.member_id);
                return Ok((-1, None));
            }
            -2 => {
                self.member(&request.member_id)?.is_away = true;
                return Ok((-2, None));
            }
            _ => {}
        }
        self.take_note(&request)?;
        self.share_out(topics);
        self.step(&request)
    }

    fn member(&mut self, id: &Text) -> Result<&mut Member, ErrorCode> {
        self.members.get_mut(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }

    fn admit(&mut self, request: &ConsumerGroupHeartbeatRequest) -> Result<(), ErrorCode> {
        if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        if request.server_assignor.as_deref().is_some_and(|name| !matches!(name, "uniform" | "range")) {
            return Err(ErrorCode::UNSUPPORTED_ASSIGNOR);
        }
        let namesake =
            |member: &Member| request.instance_id.is_some() && member.instance == request.instance_id;
        let other = self.members.iter().find(|(id, member)| **id != request.member_id && namesake(member));
        let member = match other.map(|(id, member)| (id.clone(), member.is_away)) {
            Some((_, false)) => return Err(ErrorCode::UNRELEASED_INSTANCE_ID),
            Some((id, true)) => Member {
                is_away: false,
                epoch: 0,
                told: None,
                ..self.members.remove(&id).unwrap_or_default()
            },
            None => {
                self.epoch += 1;
                self.shared_out.clear();
                Member { instance: request.instance_id.clone(), ..Member::default() }
            }
        };
        self.members.insert(request.member_id.clone(), member);
        Ok(())
    }

    fn check(&mut self, request: &ConsumerGroupHeartbeatRequest) -> Result<(), ErrorCode> {
        let member = self.member(&request.member_id)?;
        let owned = request.topic_partitions.as_ref().map(|owned| flat(owned));
        let is_late = request.member_epoch == member.previous_epoch
            && owned.is_none_or(|owned| owned.is_subset(&member.assigned));
        let is_leaving = request.member_epoch < 0;
        if request.member_epoch == member.epoch || is_late || is_leaving {
            Ok(())
        } else {
            Err(ErrorCode::FENCED_MEMBER_EPOCH)
        }
    }

    /// What the member says of itself.
    fn take_note(&mut self, request: &ConsumerGroupHeartbeatRequest) -> Result<(), ErrorCode> {
        let (topics, pattern) = (&request.subscribed_topic_names, &request.subscribed_topic_regex);
        let member = self.member(&request.member_id)?;
        let mut changed = false;
        if let Some(topics) = topics.as_ref().filter(|topics| **topics != member.topics) {
            member.topics.clone_from(topics);
            changed = true;
        }
        if pattern.is_some() && *pattern != member.pattern {
            member.pattern.clone_from(pattern);
            changed = true;
        }
        if changed {
            self.shared_out.clear();
        }
        Ok(())
    }

    /// Deals all partitions out anew where anything has changed.
    fn share_out(&mut self, topics: &Topics) {
        if self.shared_out == *topics {
            return;
        }
        self.epoch += 1;
        self.shared_out.clone_from(topics);
        self.members.values_mut().for_each(|member| member.target.clear());
        let mut turn = usize::try_from(self.epoch).unwrap_or(0);
        for (topic, (id, count)) in topics {
            let mut takers: Vec<_> = self.members.values_mut().filter(|member| member.wants(topic)).collect();
            for number in 0..*count {
                let partition = PartitionId(i32::try_from(number).unwrap_or(i32::MAX));
                turn += 1;
                let (place, among) = (turn, takers.len());
                takers.get_mut(place % among.max(1)).into_iter().for_each(|taker| {
                    taker.target.insert((*id, partition));
                });
            }
        }
    }

    /// Takes the member one step towards its target.
    fn step(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(i32, Option<Assignment>), ErrorCode> {
        let epoch = self.epoch;
        let others = self.members.iter().filter(|(id, _)| **id != request.member_id);
        let taken: BTreeSet<_> =
            others.flat_map(|(_, other)| other.assigned.union(&other.revoking)).copied().collect();
        let member = self.member(&request.member_id)?;
        if let Some(owned) = &request.topic_partitions {
            let owned = flat(owned);
            member.revoking.retain(|partition| owned.contains(partition));
        }
        if request.member_epoch == 0 {
            member.revoking.clear();
        }
        if member.revoking.is_empty() {
            let gone: BTreeSet<_> = member.assigned.difference(&member.target).copied().collect();
            member.assigned.retain(|partition| member.target.contains(partition));
            if request.member_epoch != 0 && !gone.is_empty() {
                member.revoking = gone;
            } else {
                member.assigned.extend(member.target.difference(&taken));
                (member.previous_epoch, member.epoch) = (member.epoch, epoch);
            }
        }
        if request.member_epoch == 0 {
            (member.previous_epoch, member.epoch) = (epoch, epoch);
        }
        let is_news = request.member_epoch == 0
            || request.rebalance_timeout_ms != -1
            || member.told.as_ref() != Some(&member.assigned);
        member.told = Some(member.assigned.clone());
        Ok((member.epoch, is_news.then(|| listed(&member.assigned))))
    }
}

impl Member {
    /// A pattern is a name that may end in an asterisk behind a dot: more is not needed here.
    fn wants(&self, topic: &Text) -> bool {
        let matches = |pattern: &Text| match pattern.strip_suffix(".*") {
            Some(start) => topic.starts_with(start),
            None => topic == pattern,
        };
        self.topics.contains(topic) || self.pattern.as_ref().is_some_and(matches)
    }
}

/// The id of a topic: its name, as far as there is room.
pub(super) fn topic_id(name: &str) -> TopicId {
    let mut id = [0xff; 16];
    id.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
    TopicId(id)
}

fn flat(topics: &[TopicPartitions]) -> BTreeSet<Partition> {
    let flat =
        topics.iter().flat_map(|topic| topic.partitions.iter().map(|partition| (topic.topic_id, *partition)));
    flat.collect()
}

fn listed(partitions: &BTreeSet<Partition>) -> Assignment {
    let mut topics: BTreeMap<TopicId, Vec<PartitionId>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(*topic).or_default().push(*partition);
    }
    let topics = topics.into_iter();
    let topic_partitions =
        topics.map(|(topic_id, partitions)| TopicPartitions { topic_id, partitions }).collect();
    Assignment { topic_partitions }
}
