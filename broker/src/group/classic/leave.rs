//! LeaveGroup: members go, by their own wish or an administrator's.

use std::time::Duration;

use mainstem_protocol::{ErrorCode, Text};

use super::{Action, Checked, Group, State};

/// Who is to leave: by its id, or a static member by its instance id alone (KIP-345).
#[derive(Clone, Debug)]
pub(crate) struct Leaver {
    pub(crate) id: Text,
    pub(crate) instance_id: Option<Text>,
}

impl Group {
    /// Takes members out, all of them before the others share what they had, and says what became of each.
    pub(crate) fn leave(
        &mut self,
        leavers: &[Leaver],
        now: Duration,
        actions: &mut Vec<Action>,
    ) -> Vec<Checked> {
        let left: Vec<Checked> = leavers.iter().map(|leaver| self.take_out(leaver, actions)).collect();
        if left.iter().any(Result::is_ok) && self.state != State::Empty {
            self.rebalance_or_complete(now, actions);
        }
        left
    }

    fn take_out(&mut self, leaver: &Leaver, actions: &mut Vec<Action>) -> Checked {
        let is_announced = !leaver.id.is_empty() && self.pending.remove(&leaver.id).is_some();
        if !is_announced {
            let id = self.leaver(&leaver.id, leaver.instance_id.as_ref())?;
            self.remove(&id, actions);
        }
        Ok(())
    }

    fn leaver(&self, id: &Text, instance_id: Option<&Text>) -> Result<Text, ErrorCode> {
        if id.is_empty() {
            let holder = instance_id.and_then(|instance_id| self.static_members.get(instance_id));
            return holder.cloned().ok_or(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.check_member(id, instance_id).map(|()| id.clone())
    }
}
