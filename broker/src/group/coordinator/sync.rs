//! SyncGroup.

use std::sync::Arc;

use mainstem_protocol::{
    ErrorCode,
    messages::{SyncGroupRequest, SyncGroupResponse},
    wire::Detach,
};

use super::{Coordinator, Group, Slot, join::met_another};
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
                (Some(answer), group.sync(waiter, request.clone(), now))
            }
            Group::Modern(_) => (None, Vec::new()),
        });
        match answer {
            Some(answer) => answer.await.map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE),
            None => self.sync_modern(&slot, &request).await,
        }
    }

    /// A member of the classic protocol asks for its assignment in a group of the newer one, which is told when it is
    /// stored.
    async fn sync_modern(&self, slot: &Arc<Slot>, request: &SyncRequest) -> Result<SyncAnswer, ErrorCode> {
        let synced = self.change(slot, false, |group, topics| group.sync(request, topics)).await;
        synced.map_err(|refusal| met_another(refusal.error))
    }
}
