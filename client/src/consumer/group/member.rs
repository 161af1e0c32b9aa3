//! The task of a group's member.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use mainstem_protocol::{
    BrokerId, ErrorCode, Text,
    formats::consumer::{Assignment, PROTOCOL_TYPE, Subscription},
    messages::{
        HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, Request, SyncGroupRequest,
        join_group::JoinGroupRequestProtocol, leave_group, sync_group::SyncGroupRequestAssignment,
    },
};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep},
};
use tracing::{debug, info};

use super::{
    super::{ConsumerConfig, GroupError, config::millis},
    Command, Event, MemberIdentity, assignor,
};
use crate::{
    TopicPartition,
    cluster::{Cluster, retry::Retry},
    transport::{Lane, Node},
};

/// The version of subscriptions and assignments: the first that says what a member has already.
const FORMAT_VERSION: i16 = 1;

/// Why a member stops saying that it lives.
enum Pulse {
    /// The group changes.
    Rebalance,
    /// The group went on without it.
    Lost,
    /// The consumer has let its partitions go.
    Released,
    /// The consumer is gone.
    Gone,
}

pub(super) struct Member {
    config: Arc<ConsumerConfig>,
    cluster: Arc<Cluster>,
    group: Text,
    topics: Vec<Text>,
    polls: Arc<AtomicU64>,
    /// How many polls were last seen, and when that was news.
    polled: (u64, Instant),
    identity: MemberIdentity,
    coordinator: Option<BrokerId>,
    /// What the leader shared out: topics with the number of their partitions.
    shared_out: Option<HashMap<Text, usize>>,
}

impl Member {
    pub(super) fn new(
        config: Arc<ConsumerConfig>,
        cluster: Arc<Cluster>,
        group: Text,
        topics: Vec<Text>,
        polls: Arc<AtomicU64>,
    ) -> Self {
        let (polled, identity) = ((0, Instant::now()), MemberIdentity::OUTSIDER);
        Self { config, cluster, group, topics, polls, polled, identity, coordinator: None, shared_out: None }
    }

    pub(super) async fn run(mut self, events: mpsc::Sender<Event>, mut commands: mpsc::Receiver<Command>) {
        loop {
            let joined = tokio::select! {
                joined = self.join() => joined,
                None = commands.recv() => return self.leave().await,
            };
            let assigned = match joined {
                Ok(partitions) => Event::Assigned { member: self.identity.clone(), partitions },
                Err(error) => return drop(events.send(Event::Failed(error)).await),
            };
            if events.send(assigned).await.is_err() || !self.live(&events, &mut commands).await {
                return self.leave().await;
            }
        }
    }

    /// Says that it lives until the group changes and the consumer has let go; `false` where the consumer is gone.
    async fn live(&mut self, events: &mpsc::Sender<Event>, commands: &mut mpsc::Receiver<Command>) -> bool {
        let mut revoking = false;
        loop {
            let event = match self.pulse(commands, revoking).await {
                Pulse::Gone => return false,
                Pulse::Released => return true,
                Pulse::Rebalance => Event::Revoking,
                Pulse::Lost => Event::Lost,
            };
            revoking = true;
            if events.send(event).await.is_err() {
                return false;
            }
        }
    }

    /// One heartbeat after the other. While the consumer finishes its work (`revoking`), that the group changes is
    /// no news.
    async fn pulse(&mut self, commands: &mut mpsc::Receiver<Command>, revoking: bool) -> Pulse {
        let mut looked = Instant::now();
        loop {
            tokio::select! {
                command = commands.recv() => return match command {
                    Some(Command::Rejoin) => Pulse::Released,
                    None => Pulse::Gone,
                },
                () = sleep(self.config.heartbeat_interval) => {}
            }
            if self.identity == MemberIdentity::OUTSIDER {
                continue;
            }
            if self.is_stuck() {
                info!(group = %self.group, "leaving the group: nobody polled for too long");
                self.leave().await;
                return Pulse::Lost;
            }
            match self.beat().await {
                ErrorCode::REBALANCE_IN_PROGRESS if !revoking => return Pulse::Rebalance,
                ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_INSTANCE_ID => {
                    self.identity = MemberIdentity::OUTSIDER;
                    return Pulse::Lost;
                }
                ErrorCode::ILLEGAL_GENERATION if !revoking => return Pulse::Lost,
                _ => {}
            }
            if !revoking && looked.elapsed() >= self.config.metadata_age_max {
                looked = Instant::now();
                if self.partitions_changed().await {
                    return Pulse::Rebalance;
                }
            }
        }
    }

    /// Whether nobody has polled for too long. Looks no more often than the member says that it lives.
    fn is_stuck(&mut self) -> bool {
        let polls = self.polls.load(Ordering::Relaxed);
        if polls != self.polled.0 {
            self.polled = (polls, Instant::now());
        }
        self.polled.1.elapsed() > self.config.poll_interval_max
    }

    /// Says that the member lives; what is wrong with that, as far as the coordinator can be heard.
    async fn beat(&mut self) -> ErrorCode {
        let MemberIdentity { id, generation } = self.identity.clone();
        let request = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: generation,
            member_id: id,
            group_instance_id: None,
        };
        let answered = self.ask(request, self.config.request_timeout).await;
        let code = answered.map_or_else(|_| ErrorCode::NETWORK_EXCEPTION, |answer| answer.error_code);
        if self.is_about_the_coordinator(code) {
            self.coordinator = None;
        }
        code
    }

    const fn is_about_the_coordinator(&self, code: ErrorCode) -> bool {
        matches!(
            code,
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NETWORK_EXCEPTION
        )
    }

    /// Whether topics have other partitions than those that this member shared out as the leader.
    async fn partitions_changed(&self) -> bool {
        let Some(before) = &self.shared_out else { return false };
        let topics: Vec<_> = before.keys().cloned().collect();
        self.cluster.refresh(&topics, false).await.is_ok() && self.counts(&topics) != *before
    }

    /// How many partitions topics have. Those that are not there yet have none: once they are, there is something to
    /// share out.
    fn counts(&self, topics: &[Text]) -> HashMap<Text, usize> {
        let metadata = self.cluster.metadata();
        let count = |topic: &Text| metadata.topic(topic).map_or(0, |topic| topic.partitions.len());
        topics.iter().map(|topic| (topic.clone(), count(topic))).collect()
    }

    /// Joins, as often as it takes.
    async fn join(&mut self) -> Result<Vec<TopicPartition>, GroupError> {
        let mut retry = Retry::within(Duration::from_secs(u64::from(u32::MAX)));
        loop {
            match self.join_once().await {
                Ok(partitions) => return Ok(partitions),
                Err(error) if error.is_retriable() => {
                    debug!(group = %self.group, %error, "not joined yet");
                    self.after_failure(&error);
                    // A new generation or a member id is no reason to wait.
                    if !is_step(&error) {
                        retry.pause().await;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn after_failure(&mut self, error: &GroupError) {
        match error {
            GroupError::Refused { code, .. } if *code == ErrorCode::UNKNOWN_MEMBER_ID => {
                self.identity = MemberIdentity::OUTSIDER;
            }
            GroupError::Refused { code, .. } if self.is_about_the_coordinator(*code) => {
                self.coordinator = None
            }
            GroupError::Transport { .. } => self.coordinator = None,
            _ => {}
        }
    }

    async fn join_once(&mut self) -> Result<Vec<TopicPartition>, GroupError> {
        let limit = self.config.poll_interval_max + self.config.request_timeout;
        let joined = self.ask(self.join_request()?, limit).await?;
        if joined.error_code == ErrorCode::MEMBER_ID_REQUIRED {
            self.identity.id = joined.member_id.clone();
        }
        self.check(joined.error_code)?;
        self.identity = MemberIdentity { id: joined.member_id.clone(), generation: joined.generation_id };
        let assignments = self.share_out(&joined).await?;
        let synced = self.ask(self.sync_request(&joined, assignments), self.config.request_timeout).await?;
        self.check(synced.error_code)?;
        self.read_assignment(synced.assignment)
    }

    fn join_request(&self) -> Result<JoinGroupRequest, GroupError> {
        let subscription = Subscription { topics: self.topics.clone(), ..Subscription::default() };
        let metadata = subscription.to_bytes(FORMAT_VERSION).map_err(|error| self.unreadable(&error))?;
        let protocol = JoinGroupRequestProtocol { name: Text::from_static(assignor::NAME), metadata };
        Ok(JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: millis(self.config.session_timeout),
            rebalance_timeout_ms: millis(self.config.poll_interval_max),
            member_id: self.identity.id.clone(),
            group_instance_id: None,
            protocol_type: Text::from_static(PROTOCOL_TYPE),
            protocols: vec![protocol],
            reason: None,
        })
    }

    fn sync_request(
        &self,
        joined: &JoinGroupResponse,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> SyncGroupRequest {
        SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: None,
            protocol_type: Some(Text::from_static(PROTOCOL_TYPE)),
            protocol_name: Some(Text::from_static(assignor::NAME)),
            assignments,
        }
    }

    /// The leader's work; others have none.
    async fn share_out(
        &mut self,
        joined: &JoinGroupResponse,
    ) -> Result<Vec<SyncGroupRequestAssignment>, GroupError> {
        self.shared_out = None;
        if joined.leader != joined.member_id || joined.skip_assignment {
            return Ok(Vec::new());
        }
        let members = self.subscriptions(joined)?;
        let mut topics: Vec<_> = members.iter().flat_map(|(_, topics)| topics).cloned().collect();
        topics.sort();
        topics.dedup();
        self.cluster.refresh(&topics, self.config.creates_topics).await?;
        let counts = self.counts(&topics);
        let assignment = assignor::assign(&members, &counts);
        self.shared_out = Some(counts);
        let encode = |(member_id, assigned_partitions)| {
            let assignment = Assignment { assigned_partitions, user_data: None };
            let assignment = assignment.to_bytes(FORMAT_VERSION).map_err(|error| self.unreadable(&error))?;
            Ok(SyncGroupRequestAssignment { member_id, assignment })
        };
        assignment.into_iter().map(encode).collect()
    }

    fn subscriptions(&self, joined: &JoinGroupResponse) -> Result<Vec<(Text, Vec<Text>)>, GroupError> {
        let read = |metadata: &Bytes| {
            Subscription::from_bytes(metadata.clone()).map_err(|error| self.unreadable(&error))
        };
        let members = joined.members.iter();
        members.map(|member| Ok((member.member_id.clone(), read(&member.metadata)?.topics))).collect()
    }

    fn read_assignment(&self, bytes: Bytes) -> Result<Vec<TopicPartition>, GroupError> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let assignment = Assignment::from_bytes(bytes).map_err(|error| self.unreadable(&error))?;
        let topics = assignment.assigned_partitions.into_iter();
        let partitions = topics.flat_map(|each| {
            let topic = each.topic;
            each.partitions
                .into_iter()
                .map(move |partition| TopicPartition { topic: topic.clone(), partition })
        });
        Ok(partitions.collect())
    }

    async fn leave(&mut self) {
        let identity = std::mem::replace(&mut self.identity, MemberIdentity::OUTSIDER);
        if identity.id.is_empty() || self.coordinator.is_none() {
            return;
        }
        let group = self.group.clone();
        let request = |version| leave_request(group, identity.id, version);
        if let Err(error) = self.ask_in_version(request, self.config.request_timeout).await {
            debug!(group = %self.group, %error, "left without the group hearing of it");
        }
    }

    async fn ask<R: Request>(&mut self, request: R, limit: Duration) -> Result<R::Response, GroupError> {
        self.ask_in_version(|_| request, limit).await
    }

    async fn ask_in_version<R: Request>(
        &mut self,
        request: impl FnOnce(i16) -> R,
        limit: Duration,
    ) -> Result<R::Response, GroupError> {
        let coordinator = match self.coordinator {
            Some(coordinator) => coordinator,
            None => self.cluster.coordinator(&self.group, self.config.timeout).await?,
        };
        self.coordinator = Some(coordinator);
        let answer = self.cluster.call_in_version(Node::Id(coordinator), Lane::Group, request, limit).await;
        answer.map_err(|source| GroupError::Transport { group: self.group.clone(), source })
    }

    fn check(&self, code: ErrorCode) -> Result<(), GroupError> {
        if code.is_none() { Ok(()) } else { Err(GroupError::Refused { group: self.group.clone(), code }) }
    }

    fn unreadable(&self, error: &dyn std::error::Error) -> GroupError {
        GroupError::Unreadable { group: self.group.clone(), reason: error.to_string() }
    }
}

/// From version 3 on, several members may leave at once.
fn leave_request(group_id: Text, member_id: Text, version: i16) -> LeaveGroupRequest {
    if version < 3 {
        return LeaveGroupRequest { group_id, member_id, members: Vec::new() };
    }
    let members = vec![leave_group::MemberIdentity { member_id, ..Default::default() }];
    LeaveGroupRequest { group_id, members, ..LeaveGroupRequest::default() }
}

/// Whether an error is a step on the way into a group rather than an obstacle.
fn is_step(error: &GroupError) -> bool {
    matches!(
        error,
        GroupError::Refused {
            code: ErrorCode::MEMBER_ID_REQUIRED
                | ErrorCode::REBALANCE_IN_PROGRESS
                | ErrorCode::UNKNOWN_MEMBER_ID
                | ErrorCode::ILLEGAL_GENERATION,
            ..
        }
    )
}
