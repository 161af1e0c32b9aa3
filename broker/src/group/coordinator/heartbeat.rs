//! Heartbeat.

use std::time::Duration;

use mainstem_protocol::{
    ErrorCode,
    messages::{HeartbeatRequest, HeartbeatResponse},
};

use super::{Coordinator, Group};
use crate::group::modern::{self, Change, Refusal};

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
        let beaten = slot.read(|group| match group {
            Group::Classic(group) => Some(group.heartbeat(member_id, instance_id, *generation_id, now)),
            Group::Modern(_) => None,
        });
        // Nothing is stored of it, and whether to join again is as right before the reason for it is stored.
        beaten.unwrap_or_else(|| {
            self.with(&slot, |group, _| match group {
                Group::Classic(group) => {
                    (group.heartbeat(member_id, instance_id, *generation_id, now), Vec::new())
                }
                Group::Modern(group) => {
                    let topics = self.topic_view();
                    let change = group.heartbeat_classic(member_id, instance_id, *generation_id, &topics);
                    (beaten_modern(group, change, now), Vec::new())
                }
            })
        })
    }
}

fn beaten_modern(
    group: &mut modern::Group,
    change: Result<Change<ErrorCode>, Refusal>,
    now: Duration,
) -> Result<(), ErrorCode> {
    let change = change.map_err(|refusal| refusal.error)?;
    match group.apply(change, now) {
        ErrorCode::NONE => Ok(()),
        error => Err(error),
    }
}
