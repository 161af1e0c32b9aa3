//! The way into a generation: JoinGroup, then SyncGroup, as often as it takes.

use std::collections::BTreeSet;

use bytes::Bytes;
use mainstem_protocol::{
    ErrorCode, Text,
    formats::consumer::{Assignment, PROTOCOL_TYPE, Subscription},
    messages::{
        JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, join_group::JoinGroupRequestProtocol,
        sync_group::SyncGroupRequestAssignment,
    },
};
use tokio::time::Duration;
use tracing::debug;

use super::{
    super::{
        MemberIdentity,
        assignor::{self, Assignor},
    },
    GroupError, Interest, Member, Way,
    ask::has_lost_the_coordinator,
};
use crate::{TopicPartition, cluster::feature::Feature, consumer::config::millis};

/// Whoever wants to join goes on trying until the consumer is closed.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The version of subscriptions and assignments: since 3, a subscription says in which generation its member got what it
/// has.
pub(super) const FORMAT_VERSION: i16 = 3;

impl Member {
    /// Joins, as often as it takes.
    pub(super) async fn join(&mut self) -> Result<Way, GroupError> {
        let mut retry = self.cluster.retry(FOR_EVER);
        loop {
            match self.join_once().await {
                Ok(way) => return Ok(way),
                Err(error) if error.is_retriable() => {
                    debug!(group = %self.group, %error, "not joined yet");
                    if self.after_failure(&error) && !self.owned.is_empty() {
                        return Ok(Way::Lost);
                    }
                    // A new generation or a member id is no reason to wait.
                    if !is_step(&error) {
                        retry.pause().await;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the group has gone on without the member.
    fn after_failure(&mut self, error: &GroupError) -> bool {
        let code = match error {
            GroupError::Refused { code, .. } => *code,
            GroupError::Transport { .. } => ErrorCode::NETWORK_EXCEPTION,
            _ => ErrorCode::NONE,
        };
        if has_lost_the_coordinator(code) {
            self.coordinator = None;
        }
        let is_gone = matches!(code, ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION);
        if is_gone {
            self.fall_behind(code);
        }
        is_gone
    }

    async fn join_once(&mut self) -> Result<Way, GroupError> {
        self.look_for_topics().await?;
        let unwanted = |owned: &&TopicPartition| !self.topics.contains(&owned.topic);
        let unwanted: BTreeSet<_> = self.owned.iter().filter(unwanted).cloned().collect();
        if unwanted.is_empty() {
            self.enter_generation().await.map(Way::In)
        } else {
            Ok(Way::Unwanted(unwanted))
        }
    }

    /// Finds the topics that match, where the member goes by a pattern.
    async fn look_for_topics(&mut self) -> Result<(), GroupError> {
        self.topics = match &self.interest {
            Interest::Topics(topics) => topics.clone(),
            Interest::Pattern(pattern) => {
                self.cluster.refresh_all().await?;
                pattern.matching(&self.cluster.metadata())
            }
        };
        Ok(())
    }

    async fn enter_generation(&mut self) -> Result<BTreeSet<TopicPartition>, GroupError> {
        let limit = self.config.poll_interval_max + self.config.request_timeout;
        let request = self.join_request()?;
        let in_version = |version| match &request.group_instance_id {
            Some(_) => Feature::STATIC_MEMBERS.require(version).map(|()| request),
            None => Ok(request),
        };
        let joined = self.ask_if(in_version, limit).await?;
        if joined.error_code == ErrorCode::MEMBER_ID_REQUIRED {
            self.identity.id = joined.member_id.clone();
        }
        self.check(joined.error_code)?;
        self.identity = MemberIdentity { id: joined.member_id.clone(), generation: joined.generation_id };
        let assignor = self.chosen(&joined)?;
        let assignments = self.share_out(&joined, assignor).await?;
        let request = self.sync_request(&joined, assignor, assignments);
        let synced = self.ask(request, self.config.request_timeout).await?;
        self.check(synced.error_code)?;
        let assigned = self.read_assignment(synced.assignment)?;
        self.last = Some((assigned.clone(), self.identity.generation));
        self.identify(self.identity.clone());
        Ok(assigned.into_iter().collect())
    }

    /// The assignor that all members know. Brokers before version 7 name it as well.
    fn chosen(&self, joined: &JoinGroupResponse) -> Result<Assignor, GroupError> {
        let name = joined.protocol_name.as_deref().unwrap_or_default();
        let offered = self.config.assignors.iter().find(|assignor| assignor.name() == name);
        offered.copied().ok_or_else(|| GroupError::Unreadable {
            group: self.group.clone(),
            reason: format!("the group is to use assignor \"{name}\", which this member did not offer"),
        })
    }

    fn join_request(&self) -> Result<JoinGroupRequest, GroupError> {
        let offered = self.config.assignors.iter();
        let protocols = offered.map(|assignor| self.offer(*assignor)).collect::<Result<_, _>>()?;
        Ok(JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: millis(self.config.session_timeout),
            rebalance_timeout_ms: millis(self.config.poll_interval_max),
            member_id: self.identity.id.clone(),
            group_instance_id: self.config.group_instance_id.clone(),
            protocol_type: Text::from_static(PROTOCOL_TYPE),
            protocols,
            reason: None,
        })
    }

    /// What the member says to an assignor.
    fn offer(&self, assignor: Assignor) -> Result<JoinGroupRequestProtocol, GroupError> {
        let owned: Vec<_> = self.owned.iter().cloned().collect();
        let subscription = Subscription {
            topics: self.topics.clone(),
            user_data: assignor.user_data(self.last.as_ref()),
            owned_partitions: assignor::by_topic(&owned),
            generation_id: self.identity.generation,
            rack_id: None,
        };
        let metadata = subscription.to_bytes(FORMAT_VERSION).map_err(|error| self.unreadable(&error))?;
        Ok(JoinGroupRequestProtocol { name: Text::from_static(assignor.name()), metadata })
    }

    fn sync_request(
        &self,
        joined: &JoinGroupResponse,
        assignor: Assignor,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> SyncGroupRequest {
        SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: self.config.group_instance_id.clone(),
            protocol_type: Some(Text::from_static(PROTOCOL_TYPE)),
            protocol_name: Some(Text::from_static(assignor.name())),
            assignments,
        }
    }

    fn read_assignment(&self, bytes: Bytes) -> Result<Vec<TopicPartition>, GroupError> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let assignment = Assignment::from_bytes(bytes).map_err(|error| self.unreadable(&error))?;
        Ok(assignor::flat(assignment.assigned_partitions))
    }
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
