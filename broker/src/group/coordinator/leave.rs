//! LeaveGroup.

use mainstem_protocol::{
    ErrorCode,
    messages::{
        LeaveGroupRequest, LeaveGroupResponse,
        leave_group::{MemberIdentity, MemberResponse},
    },
};

use super::Coordinator;

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
        let mut codes = vec![ErrorCode::UNKNOWN_MEMBER_ID; members.len()];
        if let Some(slot) = slot {
            let now = self.now();
            self.with(&slot, |group, _| {
                let mut actions = Vec::new();
                for (member, code) in members.iter().zip(&mut codes) {
                    let left =
                        group.leave(&member.member_id, member.group_instance_id.as_ref(), now, &mut actions);
                    *code = left.err().unwrap_or_default();
                }
                actions
            });
        }
        response(version, members, &codes)
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
