//! JoinGroup.

use std::sync::Arc;

use mainstem_protocol::{
    ErrorCode, Text, TopicId,
    messages::{
        JoinGroupRequest, JoinGroupResponse,
        join_group::{JoinGroupRequestProtocol, JoinGroupResponseMember},
    },
    wire::Detach,
};

use super::{Caller, Coordinator, Group, Slot, end::Tombstones};
use crate::group::{
    classic::{JoinAnswer, JoinRequest, Profile, Protocol},
    duration,
};

/// From this version on a new dynamic member must join twice (KIP-394).
const KNOWN_ID_SINCE: i16 = 4;
/// From this version on a static leader may be told not to assign (KIP-814).
const SKIP_ASSIGNMENT_SINCE: i16 = 9;

impl Coordinator {
    /// Answers when the generation stands.
    pub async fn join_group(
        &self,
        caller: &Caller,
        version: i16,
        request: JoinGroupRequest,
    ) -> JoinGroupResponse {
        let id = request.member_id.clone();
        let answer = match self.join(caller, version, request).await {
            Ok(answer) => answer,
            Err(error) => JoinAnswer::refused(error, id),
        };
        response(answer, version)
    }

    async fn join(
        &self,
        caller: &Caller,
        version: i16,
        request: JoinGroupRequest,
    ) -> Result<JoinAnswer, ErrorCode> {
        self.check_join(&request)?;
        let slot = match self.existing(&request.group_id) {
            Some(slot) => slot,
            None if request.member_id.is_empty() => self.existing_or_new(&request.group_id)?,
            None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
        };
        if request.member_id.is_empty() {
            self.make_classic(&slot).await?;
        }
        // What is kept must not keep the request that it came with.
        let request = request.detached();
        let group_id = request.group_id.clone();
        let request = join_request(caller, version, request);
        let now = self.now();
        let answer = self.with(&slot, |group, waiting| match group {
            Group::Classic(group) => {
                let (waiter, answer) = waiting.join();
                (Ok(answer), group.join(waiter, request.clone(), now))
            }
            // Whoever was a member once may join anew, without the old id.
            group if group.is_empty() => (Err(Some(ErrorCode::UNKNOWN_MEMBER_ID)), Vec::new()),
            Group::Modern(_) => (Err(None), Vec::new()),
        });
        let answer = match answer {
            Ok(answer) => answer.await.map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE)?,
            Err(Some(error)) => return Err(error),
            Err(None) => return Ok(self.join_modern(&slot, request).await),
        };
        if answer.error == ErrorCode::INCONSISTENT_GROUP_PROTOCOL {
            self.end_unused(&group_id, slot).await;
        }
        Ok(answer)
    }

    /// A member of the classic protocol joins a group of the newer one.
    async fn join_modern(&self, slot: &Arc<Slot>, request: JoinRequest) -> JoinAnswer {
        let joined = self.change(slot, false, |group, topics| group.join(&request, topics)).await;
        joined.unwrap_or_else(|refusal| request.refused(met_another(refusal.error)))
    }

    /// A group that was made for a member who was refused is not kept.
    pub(super) async fn end_unused(&self, id: &Text, slot: Arc<Slot>) {
        let plan = |group: &Group| {
            let is_last = group.is_empty() && self.stored(id).is_none();
            Ok(Tombstones { is_last, ..Tombstones::default() })
        };
        // Nothing is stored, so nothing can fail; and if somebody was faster, the group is used.
        let _ = self.end(id, slot, plan).await;
    }

    fn check_join(&self, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        let session = duration(request.session_timeout_ms);
        let allowed = self.0.settings.session_timeout_min..=self.0.settings.session_timeout_max;
        if allowed.contains(&session) { Ok(()) } else { Err(ErrorCode::INVALID_SESSION_TIMEOUT) }
    }
}

/// A group that has become a classic one meanwhile is to be joined again.
pub(super) fn met_another(error: ErrorCode) -> ErrorCode {
    if error == ErrorCode::GROUP_ID_NOT_FOUND { ErrorCode::REBALANCE_IN_PROGRESS } else { error }
}

fn join_request(caller: &Caller, version: i16, request: JoinGroupRequest) -> JoinRequest {
    let JoinGroupRequest {
        group_id: _,
        session_timeout_ms,
        rebalance_timeout_ms,
        member_id,
        group_instance_id,
        protocol_type,
        protocols,
        reason: _,
    } = request;
    // Version 0 has one timeout for both (KAFKA-8653).
    let rebalance_ms = if version == 0 { session_timeout_ms } else { rebalance_timeout_ms };
    let protocol = |p: JoinGroupRequestProtocol| Protocol { name: p.name, metadata: p.metadata };
    JoinRequest {
        member_id,
        fresh_id: fresh_id(caller, group_instance_id.as_ref()),
        requires_known_id: version >= KNOWN_ID_SINCE && group_instance_id.is_none(),
        may_skip_assignment: version >= SKIP_ASSIGNMENT_SINCE,
        profile: Profile {
            instance_id: group_instance_id,
            client_id: caller.client_id.clone().detached(),
            client_host: caller.host.clone(),
            session_timeout: duration(session_timeout_ms),
            rebalance_timeout: duration(rebalance_ms),
            protocols: protocols.into_iter().map(protocol).collect(),
        },
        protocol_type,
    }
}

/// An id for a member: what it calls itself, and what nobody else has.
fn fresh_id(caller: &Caller, instance_id: Option<&Text>) -> Text {
    let name = instance_id.unwrap_or(&caller.client_id);
    format!("{name}-{}", TopicId::random()).into()
}

fn response(answer: JoinAnswer, version: i16) -> JoinGroupResponse {
    let JoinAnswer {
        error,
        generation,
        protocol_type,
        protocol,
        leader,
        skip_assignment,
        member_id,
        members,
    } = answer;
    let member = |(member_id, group_instance_id, metadata)| JoinGroupResponseMember {
        member_id,
        group_instance_id,
        metadata,
    };
    JoinGroupResponse {
        throttle_time_ms: 0,
        error_code: error,
        generation_id: generation,
        protocol_type,
        // Only from version 7 on may the name be null.
        protocol_name: protocol.or_else(|| (version < 7).then(Text::new)),
        leader,
        skip_assignment,
        member_id,
        members: members.into_iter().map(member).collect(),
    }
}
