//! Heartbeat.

use mainstem_protocol::{
    ErrorCode,
    messages::{HeartbeatRequest, HeartbeatResponse},
};

use super::{Coordinator, Group};

impl Coordinator {
    /// Keeps a member alive.
    #[must_use]
    pub fn heartbeat(&self, request: &HeartbeatRequest) -> HeartbeatResponse {
        let error_code = self.beat(request).err().unwrap_or_default();
        HeartbeatResponse { throttle_time_ms: 0, error_code }
    }

    fn beat(&self, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
        let HeartbeatRequest { group_id, generation_id, member_id, group_instance_id } = request;
        if group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        let slot = self.existing(group_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let now = self.now();
        let instance_id = group_instance_id.as_ref();
        slot.read(|group| match group {
            Group::Classic(group) => group.heartbeat(member_id, instance_id, *generation_id, now),
            // Members of the newer protocol have a heartbeat of their own.
            Group::Modern(_) => Err(ErrorCode::UNKNOWN_MEMBER_ID),
        })
    }
}
