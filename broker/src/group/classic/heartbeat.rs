//! Who is alive: heartbeats, and what happens when the time runs out.

use std::time::Duration;

use mainstem_protocol::{ErrorCode, Text};

use super::{Action, Checked, Group, State};

impl Group {
    /// Handles a Heartbeat.
    ///
    /// # Errors
    /// The code to answer; `REBALANCE_IN_PROGRESS` asks the member to join again.
    pub(crate) fn heartbeat(
        &mut self,
        id: &Text,
        instance_id: Option<&Text>,
        generation: i32,
        now: Duration,
    ) -> Checked {
        self.check_generation(id, instance_id, generation)?;
        if self.state == State::Empty {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.touch(id, now);
        let rebalancing = matches!(self.state, State::Preparing { .. });
        if rebalancing { Err(ErrorCode::REBALANCE_IN_PROGRESS) } else { Ok(()) }
    }

    pub(super) fn check_generation(&self, id: &Text, instance_id: Option<&Text>, generation: i32) -> Checked {
        self.check_member(id, instance_id)?;
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }

    pub(super) fn touch(&mut self, id: &Text, now: Duration) {
        if let Some(member) = self.members.get_mut(id) {
            member.touch(now);
        }
    }

    /// Lets time pass: sessions end, rebalances complete without those who are late.
    pub(crate) fn tick(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        self.pending.retain(|_, expires| *expires > now);
        self.expire_sessions(now, &mut actions);
        match self.state {
            State::Preparing { deadline, .. } if now >= deadline => self.complete(now, &mut actions),
            State::Preparing { .. } => self.complete_if_joined(now, &mut actions),
            State::Completing { deadline } if now >= deadline => self.expire_syncs(now, &mut actions),
            _ => {}
        }
        actions
    }

    fn expire_sessions(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let dead = self.members.values().filter(|member| !member.is_waiting() && member.expires <= now);
        let dead: Vec<Text> = dead.map(|member| member.id.clone()).collect();
        self.remove_all(&dead, now, actions);
    }

    /// Removes those who have joined but never asked for their assignment.
    fn expire_syncs(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let silent = self.members.values().filter(|member| member.sync_expected);
        let silent: Vec<Text> = silent.map(|member| member.id.clone()).collect();
        self.remove_all(&silent, now, actions);
        if let State::Completing { deadline } = &mut self.state {
            // Everybody has asked: only the store of the assignment is still under way.
            *deadline = Duration::MAX;
        }
    }
}
