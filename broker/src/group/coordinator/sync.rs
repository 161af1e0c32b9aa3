//! SyncGroup.

use mainstem_protocol::{
    ErrorCode,
    messages::{SyncGroupRequest, SyncGroupResponse},
    wire::Detach,
};

use super::{Coordinator, Group};
use crate::group::classic::{SyncAnswer, SyncRequest};

/// From this version on both sides name the protocol (KIP-559).
const PROTOCOL_SINCE: i16 = 5;

impl Coordinator {
    /// Answers when the leader's assignment is stored.
    pub async fn sync_group(&self, version: i16, request: SyncGroupRequest) -> SyncGroupResponse {
        let answer = self.sync(version, request).await;
        let SyncAnswer { error, protocol_type, protocol, assignment } =
            answer.unwrap_or_else(SyncAnswer::refused);
        SyncGroupResponse {
            throttle_time_ms: 0,
            error_code: error,
            protocol_type,
            protocol_name: protocol,
            assignment,
        }
    }

    async fn sync(&self, version: i16, request: SyncGroupRequest) -> Result<SyncAnswer, ErrorCode> {
        let SyncGroupRequest {
            group_id,
            generation_id,
            member_id,
            group_instance_id,
            protocol_type,
            protocol_name,
            assignments,
        } = request.detached();
        if group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        if version >= PROTOCOL_SINCE && (protocol_type.is_none() || protocol_name.is_none()) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let slot = self.existing(&group_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let request = SyncRequest {
            member_id,
            instance_id: group_instance_id,
            generation: generation_id,
            protocol_type,
            protocol: protocol_name,
            assignments: assignments.into_iter().map(|a| (a.member_id, a.assignment)).collect(),
        };
        let now = self.now();
        let answer = self.with(&slot, |group, waiting| match group {
            Group::Classic(group) => {
                let (waiter, answer) = waiting.sync();
                (Some(answer), group.sync(waiter, request, now))
            }
            // Members of the newer protocol need not sync.
            Group::Modern(_) => (None, Vec::new()),
        });
        let answer = answer.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        answer.await.map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE)
    }
}
