//! LeaveGroup.

use std::sync::Arc;

use mainstem_protocol::{
    ErrorCode,
    messages::{
        LeaveGroupRequest, LeaveGroupResponse,
        leave_group::{MemberIdentity, MemberResponse},
    },
};

use super::{Coordinator, Group, Slot};

/// From this version on several members may leave at once, each with a code of its own (KIP-345).
const MEMBERS_SINCE: i16 = 3;

impl Coordinator {
    /// Takes members out of a group.
    #[must_use]
    pub fn leave_group(&self, version: i16, request: LeaveGroupRequest) -> LeaveGroupResponse {
        let LeaveGroupRequest { group_id, member_id, members } = request;
        if group_id.is_empty() {
            return LeaveGroupResponse { error_code: ErrorCode::INVALID_GROUP_ID, ..Default::default() };
        }
        let members = match version {
            ..MEMBERS_SINCE => vec![MemberIdentity { member_id, ..Default::default() }],
            _ => members,
        };
        let slot = self.existing(&group_id);
        let codes = match slot {
            Some(slot) => self.leave_slot(&slot, &members),
            None => vec![ErrorCode::UNKNOWN_MEMBER_ID; members.len()],
        };
        response(version, members, &codes)
    }

    fn leave_slot(&self, slot: &Arc<Slot>, members: &[MemberIdentity]) -> Vec<ErrorCode> {
        let now = self.now();
        self.with(slot, |group, _| {
            let mut actions = Vec::new();
            let leave = |member: &MemberIdentity| {
                let (id, instance_id) = (&member.member_id, member.group_instance_id.as_ref());
                let left = match group {
                    Group::Classic(group) => group.leave(id, instance_id, now, &mut actions),
                };
                left.err().unwrap_or_default()
            };
            (members.iter().map(leave).collect(), actions)
        })
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
