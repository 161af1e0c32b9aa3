//! What a ConsumerGroupHeartbeat says, and what it must say (Kafka:
//! `GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid`).

use std::{collections::BTreeSet, time::Duration};

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{ConsumerGroupHeartbeatRequest, consumer_group_heartbeat::TopicPartitions},
};

use super::{super::duration, Assignment, Assignor, ClassicProfile, JOIN, LEAVE, LEAVE_FOR_A_WHILE, Refusal};

/// From this version on members name themselves (KIP-1082).
const NAMED_BY_MEMBER_SINCE: i16 = 1;

/// Who sends a heartbeat, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: Text,
    pub(crate) host: Text,
}

/// What a heartbeat says; what did not change since the last one is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeat {
    pub(crate) member_id: Text,
    pub(crate) epoch: i32,
    pub(crate) instance_id: Option<Text>,
    pub(crate) rack_id: Option<Text>,
    pub(crate) rebalance_timeout: Option<Duration>,
    pub(crate) topics: Option<BTreeSet<Text>>,
    pub(crate) pattern: Option<Text>,
    pub(crate) assignor: Option<Text>,
    /// What the member has by its own account.
    pub(crate) owned: Option<Assignment>,
    pub(crate) client: Client,
    /// Where it stands for the JoinGroup of a member of the classic protocol.
    pub(crate) classic: Option<ClassicProfile>,
    /// Whether a static member that joins names the id that it has already, as one of the classic protocol may.
    pub(crate) keeps_id: bool,
}

impl Heartbeat {
    /// Reads a request. A member without an id gets `fresh_id`.
    ///
    /// # Errors
    /// INVALID_REQUEST where something is missing or too much, UNSUPPORTED_ASSIGNOR.
    pub(crate) fn read(
        request: ConsumerGroupHeartbeatRequest,
        version: i16,
        client: Client,
        assignors: &[Assignor],
        fresh_id: impl FnOnce() -> Text,
    ) -> Result<Self, Refusal> {
        check(&request, version)?;
        check_assignor(request.server_assignor.as_ref(), assignors)?;
        let member_id = request.member_id;
        Ok(Self {
            member_id: if member_id.is_empty() { fresh_id() } else { member_id },
            epoch: request.member_epoch,
            instance_id: request.instance_id,
            rack_id: request.rack_id,
            rebalance_timeout: (request.rebalance_timeout_ms != -1)
                .then(|| duration(request.rebalance_timeout_ms)),
            topics: request.subscribed_topic_names.map(|names| names.into_iter().collect()),
            pattern: request.subscribed_topic_regex,
            assignor: request.server_assignor,
            owned: request.topic_partitions.map(|owned| assignment(&owned)),
            client,
            classic: None,
            keeps_id: false,
        })
    }

    /// Whether the member says all there is, so that it wants to be told all there is.
    pub(super) const fn is_full(&self) -> bool {
        let subscribes = self.topics.is_some() || self.pattern.is_some();
        self.epoch == JOIN || (self.rebalance_timeout.is_some() && subscribes && self.owned.is_some())
    }
}

fn assignment(topics: &[TopicPartitions]) -> Assignment {
    let partitions = |topic: &TopicPartitions| {
        let id = topic.topic_id;
        topic.partitions.clone().into_iter().map(move |partition| (id, partition))
    };
    topics.iter().flat_map(partitions).collect()
}

/// The messages are Kafka's.
fn check(request: &ConsumerGroupHeartbeatRequest, version: i16) -> Result<(), Refusal> {
    let epoch = request.member_epoch;
    if version >= NAMED_BY_MEMBER_SINCE || epoch > 0 || epoch == LEAVE {
        not_blank(Some(&request.member_id), "MemberId can't be empty.")?;
    }
    not_blank(Some(&request.group_id), "GroupId can't be empty.")?;
    not_blank(request.instance_id.as_ref(), "InstanceId can't be empty.")?;
    not_blank(request.rack_id.as_ref(), "RackId can't be empty.")?;
    match epoch {
        JOIN => check_join(request),
        LEAVE_FOR_A_WHILE => must(request.instance_id.is_some(), "InstanceId can't be null."),
        _ => must(epoch > LEAVE_FOR_A_WHILE, "MemberEpoch is invalid."),
    }
}

/// A member may join without wanting a topic: an empty list or an empty pattern say so.
fn check_join(request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    must(request.rebalance_timeout_ms != -1, "RebalanceTimeoutMs must be provided in first request.")?;
    let owns_nothing = request.topic_partitions.as_ref().is_some_and(Vec::is_empty);
    must(owns_nothing, "TopicPartitions must be empty when (re-)joining.")?;
    let subscribes = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    must(
        subscribes,
        "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
    )
}

fn check_assignor(wanted: Option<&Text>, assignors: &[Assignor]) -> Result<(), Refusal> {
    let Some(wanted) = wanted else { return Ok(()) };
    let names: Vec<&str> = assignors.iter().map(|assignor| assignor.name()).collect();
    if names.contains(&&**wanted) {
        return Ok(());
    }
    let message =
        format!("ServerAssignor {wanted} is not supported. Supported assignors: {}.", names.join(", "));
    Err(Refusal::new(ErrorCode::UNSUPPORTED_ASSIGNOR, message))
}

fn not_blank(value: Option<&Text>, message: &str) -> Result<(), Refusal> {
    must(value.is_none_or(|value| !value.trim().is_empty()), message)
}

fn must(holds: bool, message: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::new(ErrorCode::INVALID_REQUEST, message)) }
}
