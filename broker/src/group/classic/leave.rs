//! LeaveGroup: members go, by their own wish or an administrator's.

use std::time::Duration;

use mainstem_protocol::{ErrorCode, Text};

use super::{Action, Checked, Group, State};

impl Group {
    /// Takes a member out: by its id, or a static one by its instance id alone (KIP-345).
    ///
    /// # Errors
    /// The code to answer for this member.
    pub(crate) fn leave(
        &mut self,
        id: &Text,
        instance_id: Option<&Text>,
        now: Duration,
        actions: &mut Vec<Action>,
    ) -> Checked {
        if self.pending.remove(id).is_some() {
            self.complete_if_joined(now, actions);
            return Ok(());
        }
        let id = self.leaver(id, instance_id)?;
        self.remove_all(&[id], now, actions);
        Ok(())
    }

    fn leaver(&self, id: &Text, instance_id: Option<&Text>) -> Result<Text, ErrorCode> {
        let by_instance = instance_id.filter(|_| id.is_empty());
        match by_instance {
            Some(instance_id) => {
                self.static_members.get(instance_id).cloned().ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
            }
            None => self.check_member(id, instance_id).map(|()| id.clone()),
        }
    }

    /// Takes members out, and lets the others share what they had.
    pub(super) fn remove_all(&mut self, ids: &[Text], now: Duration, actions: &mut Vec<Action>) {
        if ids.is_empty() {
            return;
        }
        ids.iter().for_each(|id| self.remove(id, actions));
        match self.state {
            State::Empty => {}
            State::Preparing { .. } => self.complete_if_joined(now, actions),
            State::Completing { .. } | State::Stable => self.rebalance_or_complete(now, actions),
        }
    }
}
