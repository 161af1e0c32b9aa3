//! Requests to the coordinator.

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{HeartbeatRequest, LeaveGroupRequest, Request, leave_group},
};
use tokio::time::Duration;
use tracing::debug;

use super::{
    super::{MemberIdentity, coordinator::is_about_the_coordinator},
    GroupError, Member,
};
use crate::transport::{Lane, Node, TransportError};

impl Member {
    /// Says that the member lives; what is wrong with that, as far as the coordinator can be heard.
    pub(super) async fn beat(&mut self) -> ErrorCode {
        let MemberIdentity { id, generation } = self.identity.clone();
        let request = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: generation,
            member_id: id,
            group_instance_id: self.config.group_instance_id.clone(),
        };
        let answered = self.ask(request, self.config.request_timeout).await;
        let code = answered.map_or_else(|_| ErrorCode::NETWORK_EXCEPTION, |answer| answer.error_code);
        if has_lost_the_coordinator(code) {
            self.coordinator = None;
        }
        code
    }

    pub(super) async fn leave(&mut self) {
        let identity = self.identity.clone();
        self.become_outsider();
        if identity.id.is_empty() || self.coordinator.is_none() {
            return;
        }
        let (group, instance) = (self.group.clone(), self.config.group_instance_id.clone());
        let request = |version| leave_request(group, identity.id, instance, version);
        if let Err(error) = self.ask_in_version(request, self.config.request_timeout).await {
            debug!(group = %self.group, %error, "left without the group hearing of it");
        }
    }

    pub(super) async fn ask<R: Request>(
        &mut self,
        request: R,
        limit: Duration,
    ) -> Result<R::Response, GroupError> {
        self.ask_in_version(|_| request, limit).await
    }

    pub(super) async fn ask_in_version<R: Request>(
        &mut self,
        request: impl FnOnce(i16) -> R,
        limit: Duration,
    ) -> Result<R::Response, GroupError> {
        self.ask_if(|version| Ok(request(version)), limit).await
    }

    /// The same, for a request that not every version can carry.
    pub(super) async fn ask_if<R: Request>(
        &mut self,
        request: impl FnOnce(i16) -> Result<R, TransportError>,
        limit: Duration,
    ) -> Result<R::Response, GroupError> {
        let coordinator = match self.coordinator {
            Some(coordinator) => coordinator,
            None => self.cluster.coordinator(&self.group, self.config.timeout).await?,
        };
        self.coordinator = Some(coordinator);
        let answer = self.cluster.call_if(Node::Id(coordinator), Lane::Group, request, limit).await;
        answer.map_err(|source| GroupError::Transport { group: self.group.clone(), source })
    }

    pub(super) fn check(&self, code: ErrorCode) -> Result<(), GroupError> {
        if code.is_none() { Ok(()) } else { Err(self.refused(code)) }
    }

    pub(super) fn refused(&self, code: ErrorCode) -> GroupError {
        match (code, &self.config.group_instance_id) {
            (ErrorCode::FENCED_INSTANCE_ID, Some(instance)) => {
                GroupError::Fenced { group: self.group.clone(), instance: instance.clone() }
            }
            _ => GroupError::Refused { group: self.group.clone(), code, message: None },
        }
    }

    pub(super) fn unreadable(&self, error: &dyn std::error::Error) -> GroupError {
        GroupError::Unreadable { group: self.group.clone(), reason: error.to_string() }
    }
}

/// From version 3 on, several members may leave at once.
fn leave_request(
    group_id: Text,
    member_id: Text,
    group_instance_id: Option<Text>,
    version: i16,
) -> LeaveGroupRequest {
    if version < 3 {
        return LeaveGroupRequest { group_id, member_id, members: Vec::new() };
    }
    let members = vec![leave_group::MemberIdentity { member_id, group_instance_id, ..Default::default() }];
    LeaveGroupRequest { group_id, members, ..LeaveGroupRequest::default() }
}

/// Whether the coordinator has to be looked for: it is another, or it was not heard, which stands here as
/// `NETWORK_EXCEPTION`.
pub(super) const fn has_lost_the_coordinator(code: ErrorCode) -> bool {
    is_about_the_coordinator(code) || code.0 == ErrorCode::NETWORK_EXCEPTION.0
}
