//! From one generation to the next.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{ErrorCode, Text};

use super::{Action, Group, Initial, Protocol, Purpose, State, Store, SyncAnswer};

impl Group {
    /// Starts a rebalance where none is under way, and ends it where everybody has joined.
    pub(super) fn rebalance_or_complete(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match self.state {
            State::Preparing { initial: Some(_), .. } => {}
            State::Preparing { initial: None, .. } => self.complete_if_joined(now, actions),
            State::Empty => self.prepare_first(now, actions),
            State::Completing { .. } | State::Stable => self.prepare(now, actions),
        }
    }

    /// Opens the first generation of an empty group.
    fn prepare_first(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let delay = self.limits.initial_delay;
        let remaining = self.rebalance_timeout().saturating_sub(delay);
        let initial = Initial { delay, remaining, is_growing: false };
        self.state = State::Preparing { deadline: now + delay, initial: Some(initial) };
        if delay.is_zero() {
            self.complete(now, actions);
        }
    }

    /// Opens the next generation; who waits for an assignment of the last one is sent to join again.
    fn prepare(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let is_open = matches!(self.state, State::Completing { .. });
        self.sync_deadline = None;
        for member in self.members.values_mut() {
            member.sync_expected = false;
            if is_open {
                member.assignment = Bytes::new();
            }
            if let Some(waiter) = member.syncing.take() {
                member.touch(now);
                actions.push(Action::Synced(waiter, SyncAnswer::refused(ErrorCode::REBALANCE_IN_PROGRESS)));
            }
        }
        self.state = State::Preparing { deadline: now + self.rebalance_timeout(), initial: None };
        self.complete_if_joined(now, actions);
    }

    /// The longest that any member needs to finish its work and join again.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.profile.rebalance_timeout).max().unwrap_or_default()
    }

    pub(super) fn complete_if_joined(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if matches!(self.state, State::Preparing { .. }) && self.all_joined() {
            self.complete(now, actions);
        }
    }

    /// The time to wait is over: the first generation waits longer while members keep coming, any other one is
    /// complete.
    pub(super) fn expire_joins(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if let State::Preparing { deadline, initial: Some(initial) } = &mut self.state
            && initial.is_growing
            && !initial.remaining.is_zero()
        {
            let delay = initial.delay.min(initial.remaining);
            let remaining = initial.remaining.saturating_sub(initial.delay);
            *initial = Initial { delay, remaining, is_growing: false };
            *deadline = now + delay;
        } else {
            self.complete(now, actions);
        }
    }

    /// Ends the rebalance with those who have joined.
    fn complete(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let is_gone = |m: &&super::Member| m.joining.is_none() && !m.is_static();
        let gone: Vec<Text> = self.members.values().filter(is_gone).map(|m| m.id.clone()).collect();
        gone.iter().for_each(|id| self.remove(id, actions));
        if !self.members.is_empty() && !self.elect_leader() {
            // Static members who are all away keep their places until their sessions end.
            self.state = State::Preparing { deadline: now + self.rebalance_timeout(), initial: None };
            return;
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            self.end(actions);
        } else {
            self.begin_generation(now, actions);
        }
    }

    fn end(&mut self, actions: &mut Vec<Action>) {
        (self.state, self.protocol, self.leader) = (State::Empty, None, None);
        self.subscribed = self.subscribed_topics();
        actions.push(self.store(BTreeMap::new(), Purpose::Emptied));
    }

    fn begin_generation(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.protocol = self.select_protocol();
        self.subscribed = self.subscribed_topics();
        self.state = State::Completing { is_storing: false };
        self.sync_deadline = Some(now + self.rebalance_timeout());
        let joined: Vec<_> =
            self.members.values_mut().filter_map(|m| Some((m.id.clone(), m.joining.take()?))).collect();
        for (id, waiter) in joined {
            actions.push(Action::Joined(waiter, self.join_answer(&id)));
        }
        for member in self.members.values_mut() {
            member.touch(now);
            (member.is_new, member.sync_expected) = (false, true);
        }
    }

    /// Keeps the leader if it has joined, else takes another who has; false where nobody has
    /// (Kafka: `ClassicGroup.maybeElectNewJoinedLeader`).
    fn elect_leader(&mut self) -> bool {
        let joined = |id: &Text| self.members.get(id).is_some_and(|member| member.joining.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let next = self.members.values().find(|member| member.joining.is_some());
        let next = next.map(|member| member.id.clone());
        let is_found = next.is_some();
        self.leader = next.or_else(|| self.leader.take());
        is_found
    }

    /// The protocol with most votes among those that all members know.
    pub(super) fn select_protocol(&self) -> Option<Text> {
        common_protocol(self.members.values().map(|member| &*member.profile.protocols))
    }

    /// What everybody has.
    pub(crate) fn assignments(&self) -> BTreeMap<Text, Bytes> {
        self.members.values().map(|member| (member.id.clone(), member.assignment.clone())).collect()
    }

    pub(super) const fn store(&self, assignments: BTreeMap<Text, Bytes>, purpose: Purpose) -> Action {
        Action::Store(Store { generation: self.generation, assignments, purpose })
    }
}

/// The protocol with most votes among those that all members know, each of whom names its own in the order of its liking.
pub(crate) fn common_protocol<'a>(members: impl Iterator<Item = &'a [Protocol]> + Clone) -> Option<Text> {
    let first = members.clone().next()?;
    let is_common =
        |name: &&Text| members.clone().all(|protocols| protocols.iter().any(|p| p.name == **name));
    let candidates: Vec<&Text> = first.iter().map(|protocol| &protocol.name).filter(is_common).collect();
    let mut votes: BTreeMap<&Text, usize> = BTreeMap::new();
    for protocols in members.clone() {
        let vote = protocols.iter().map(|protocol| &protocol.name).find(|name| candidates.contains(name));
        vote.into_iter().for_each(|name| *votes.entry(name).or_default() += 1);
    }
    votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.clone())
}
