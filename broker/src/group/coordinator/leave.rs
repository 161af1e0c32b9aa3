//! LeaveGroup.

use std::sync::Arc;

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{
        LeaveGroupRequest, LeaveGroupResponse,
        leave_group::{MemberIdentity, MemberResponse},
    },
};

use super::{Coordinator, Group, Slot};
use crate::group::classic::Leaver;

/// From this version on several members may leave at once, each with a code of its own (KIP-345).
const MEMBERS_SINCE: i16 = 3;

impl Coordinator {
    /// Takes members out of a group. Where the last one goes, that is stored before it is answered.
    pub async fn leave_group(&self, version: i16, request: LeaveGroupRequest) -> LeaveGroupResponse {
        let LeaveGroupRequest { group_id, member_id, members } = request;
        if group_id.is_empty() {
            return LeaveGroupResponse { error_code: ErrorCode::INVALID_GROUP_ID, ..Default::default() };
        }
        let members = match version {
            ..MEMBERS_SINCE => vec![MemberIdentity { member_id, ..Default::default() }],
            _ => members,
        };
        let codes = match self.existing(&group_id) {
            Some(slot) => match self.leave_slot(&slot, &members).await {
                Some(codes) => codes,
                None => Ok(self.leave_modern(&slot, &members).await),
            },
            None => Ok(vec![ErrorCode::UNKNOWN_MEMBER_ID; members.len()]),
        };
        match codes {
            Ok(codes) => response(version, members, &codes),
            Err(error_code) => LeaveGroupResponse { error_code, ..Default::default() },
        }
    }

    /// None where the group is of the newer protocol.
    async fn leave_slot(
        &self,
        slot: &Arc<Slot>,
        members: &[MemberIdentity],
    ) -> Option<Result<Vec<ErrorCode>, ErrorCode>> {
        let now = self.now();
        let leaver = |member: &MemberIdentity| Leaver {
            id: member.member_id.clone(),
            instance_id: member.group_instance_id.clone(),
        };
        let leavers: Vec<Leaver> = members.iter().map(leaver).collect();
        let (left, stores) = self.with_stores(slot, |group, _| {
            let mut actions = Vec::new();
            let left = match group {
                Group::Classic(group) => Some(group.leave(&leavers, now, &mut actions)),
                Group::Modern(_) => None,
            };
            (left, actions)
        });
        let codes = left?.into_iter().map(|left| left.err().unwrap_or_default()).collect();
        for store in stores {
            if let Err(error) = store.await.unwrap_or(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE)) {
                return Some(Err(error));
            }
        }
        Some(Ok(codes))
    }

    /// Members of the classic protocol leave a group of the newer one like this, and administrators take members of either
    /// out (Kafka: `classicGroupLeaveToConsumerGroup`).
    async fn leave_modern(&self, slot: &Arc<Slot>, members: &[MemberIdentity]) -> Vec<ErrorCode> {
        let identities: Vec<(&Text, Option<&Text>)> =
            members.iter().map(|member| (&member.member_id, member.group_instance_id.as_ref())).collect();
        let left = self.change(slot, false, |group, topics| Ok(group.take_out(&identities, topics)));
        left.await.unwrap_or_else(|refusal| vec![refusal.error; members.len()])
    }
}

fn response(version: i16, members: Vec<MemberIdentity>, codes: &[ErrorCode]) -> LeaveGroupResponse {
    if version < MEMBERS_SINCE {
        let error_code = codes.first().copied().unwrap_or_default();
        return LeaveGroupResponse { error_code, ..Default::default() };
    }
    let member = |(member, code): (MemberIdentity, &ErrorCode)| MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code: *code,
    };
    LeaveGroupResponse { members: members.into_iter().zip(codes).map(member).collect(), ..Default::default() }
}
