//! From one generation to the next.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{ErrorCode, Text};

use super::{Action, Group, State, SyncAnswer};

impl Group {
    /// Starts a rebalance where none is under way, and ends it where everybody has joined.
    pub(super) fn rebalance_or_complete(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if !matches!(self.state, State::Preparing { .. }) {
            self.prepare(now, actions);
        }
        self.complete_if_joined(now, actions);
    }

    /// Opens the next generation; who waits for an assignment of the last one is sent to join again.
    fn prepare(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let earliest = if self.state == State::Empty { now + self.limits.initial_delay } else { now };
        for member in self.members.values_mut() {
            member.sync_expected = false;
            if let Some(waiter) = member.syncing.take() {
                member.touch(now);
                actions.push(Action::Synced(waiter, SyncAnswer::refused(ErrorCode::REBALANCE_IN_PROGRESS)));
            }
        }
        self.state =
            State::Preparing { earliest, deadline: now + self.rebalance_timeout().max(earliest - now) };
    }

    /// The longest that any member needs to finish its work and join again.
    fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.profile.rebalance_timeout).max().unwrap_or_default()
    }

    pub(super) fn complete_if_joined(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let State::Preparing { earliest, .. } = self.state else { return };
        if now >= earliest && self.all_joined() {
            self.complete(now, actions);
        }
    }

    /// Ends the rebalance with those who have joined.
    pub(super) fn complete(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let gone: Vec<Text> = self
            .members
            .values()
            .filter(|m| m.joining.is_none() && !m.is_static())
            .map(|m| m.id.clone())
            .collect();
        gone.iter().for_each(|id| self.remove(id, actions));
        if !self.members.is_empty() && !self.elect_leader() {
            // Static members who are all away keep their places until their sessions end.
            let deadline = now + self.rebalance_timeout();
            self.state = State::Preparing { earliest: deadline, deadline };
            return;
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            (self.state, self.protocol, self.leader) = (State::Empty, None, None);
            self.subscribed = self.subscribed_topics();
            actions.push(Action::StoreEmpty);
        } else {
            self.begin_generation(now, actions);
        }
    }

    fn begin_generation(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.protocol = self.select_protocol();
        self.subscribed = self.subscribed_topics();
        self.state = State::Completing { deadline: now + self.rebalance_timeout() };
        let joined: Vec<_> =
            self.members.values_mut().filter_map(|m| Some((m.id.clone(), m.joining.take()?))).collect();
        for (id, waiter) in joined {
            actions.push(Action::Joined(waiter, self.join_answer(&id)));
        }
        for member in self.members.values_mut() {
            member.touch(now);
            member.sync_expected = true;
        }
    }

    /// Keeps the leader if it has joined, else takes another who has; false where nobody has
    /// (Kafka: `ClassicGroup.maybeElectNewJoinedLeader`).
    fn elect_leader(&mut self) -> bool {
        let joined = |id: &Text| self.members.get(id).is_some_and(|member| member.joining.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let next =
            self.members.values().find(|member| member.joining.is_some()).map(|member| member.id.clone());
        if next.is_some() {
            self.leader = next;
        }
        self.leader.as_ref().is_some_and(|id| self.members.get(id).is_some_and(|m| m.joining.is_some()))
    }

    /// The protocol with most votes among those that all members know.
    pub(super) fn select_protocol(&self) -> Option<Text> {
        let first = self.members.values().next()?;
        let common = first.profile.protocols.iter().map(|protocol| protocol.name.clone());
        let candidates: Vec<Text> =
            common.filter(|name| self.members.values().all(|member| member.supports(name))).collect();
        let mut votes: BTreeMap<Text, usize> = BTreeMap::new();
        for vote in self.members.values().filter_map(|member| member.vote(&candidates)) {
            *votes.entry(vote).or_default() += 1;
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name)
    }

    pub(super) fn assignments(&self) -> BTreeMap<Text, Bytes> {
        self.members.values().map(|member| (member.id.clone(), member.assignment.clone())).collect()
    }

    pub(super) const fn store(&self, assignments: BTreeMap<Text, Bytes>) -> Action {
        Action::Store { generation: self.generation, assignments }
    }
}
