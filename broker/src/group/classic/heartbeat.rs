//! Who is alive: heartbeats, and what happens when the time runs out.

use std::time::Duration;

use mainstem_protocol::{ErrorCode, Text};

use super::{Action, Checked, Group, Member, State};

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
        self.expire_pending(now, &mut actions);
        self.expire_sessions(now, &mut actions);
        match self.state {
            State::Preparing { deadline, .. } if now >= deadline => self.expire_joins(now, &mut actions),
            State::Completing { .. } | State::Stable => self.expire_syncs(now, &mut actions),
            _ => {}
        }
        actions
    }

    fn expire_pending(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let announced = self.pending.len();
        self.pending.retain(|_, expires| *expires > now);
        if self.pending.len() < announced {
            self.complete_if_joined(now, actions);
        }
    }

    fn expire_sessions(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let is_dead = |member: &&Member| member.deadline().is_some_and(|deadline| deadline <= now);
        let dead: Vec<Text> = self.members.values().filter(is_dead).map(|member| member.id.clone()).collect();
        self.remove_all(&dead, now, actions);
    }

    /// Removes those who have joined but never asked for their assignment.
    fn expire_syncs(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.sync_deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.sync_deadline = None;
        let silent = self.members.values().filter(|member| member.sync_expected);
        let silent: Vec<Text> = silent.map(|member| member.id.clone()).collect();
        self.remove_all(&silent, now, actions);
    }

    /// Takes members out whose time is over, and lets the others share what they had.
    fn remove_all(&mut self, ids: &[Text], now: Duration, actions: &mut Vec<Action>) {
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
