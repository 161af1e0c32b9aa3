//! SyncGroup: the leader hands out the partitions.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{ErrorCode, Text};

use super::{Action, Checked, Group, JoinAnswer, Member, Purpose, State, Store, SyncAnswer, Waiter};

/// A SyncGroup.
#[derive(Clone, Debug)]
pub(crate) struct SyncRequest {
    pub(crate) member_id: Text,
    pub(crate) instance_id: Option<Text>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Text>,
    pub(crate) protocol: Option<Text>,
    /// Of the leader alone.
    pub(crate) assignments: BTreeMap<Text, Bytes>,
}

impl Group {
    /// Handles a SyncGroup; the answer may come later.
    pub(crate) fn sync(&mut self, waiter: Waiter, request: SyncRequest, now: Duration) -> Vec<Action> {
        if let Err(error) = self.check_sync(&request) {
            return vec![Action::Synced(waiter, SyncAnswer::refused(error))];
        }
        let Some(member) = self.members.get_mut(&request.member_id) else { return Vec::new() };
        member.sync_expected = false;
        member.touch(now);
        if self.state == State::Stable {
            return vec![Action::Synced(waiter, self.sync_answer(&request.member_id))];
        }
        let earlier = member.syncing.replace(waiter);
        let mut actions: Vec<Action> = earlier
            .map(|waiter| Action::Synced(waiter, SyncAnswer::refused(ErrorCode::REBALANCE_IN_PROGRESS)))
            .into_iter()
            .collect();
        // Of two assignments for one generation the first one counts, of which some may know already.
        let is_first = self.state == State::Completing { is_storing: false };
        if is_first && self.is_leader(&request.member_id) {
            self.state = State::Completing { is_storing: true };
            actions.push(self.store(self.complete_assignments(request.assignments), Purpose::HandOut));
        }
        actions
    }

    fn check_sync(&self, request: &SyncRequest) -> Checked {
        self.check_member(&request.member_id, request.instance_id.as_ref())?;
        if request.generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs = |ours: &Option<Text>, theirs: &Option<Text>| theirs.is_some() && ours != theirs;
        if differs(&self.protocol_type, &request.protocol_type) || differs(&self.protocol, &request.protocol)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        match self.state {
            State::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::Preparing { .. } => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::Completing { .. } | State::Stable => Ok(()),
        }
    }

    /// An assignment for every member and nobody else; who was forgotten gets an empty one.
    fn complete_assignments(&self, mut given: BTreeMap<Text, Bytes>) -> BTreeMap<Text, Bytes> {
        self.members.keys().map(|id| (id.clone(), given.remove(id).unwrap_or_default())).collect()
    }

    /// Ends what [`Action::Store`] began: only what is stored is handed out.
    pub(crate) fn stored(&mut self, store: Store, result: Checked, now: Duration) -> Vec<Action> {
        let Store { generation, assignments, purpose } = store;
        if generation != self.generation {
            return Vec::new();
        }
        match purpose {
            Purpose::HandOut if !matches!(self.state, State::Completing { .. }) => Vec::new(),
            Purpose::HandOut => match result {
                Ok(()) => self.hand_out(assignments, now),
                Err(error) => self.start_again(error, now),
            },
            Purpose::Replace { former, waiter, answer } => {
                self.replaced(*former, waiter, answer, result, now).into_iter().collect()
            }
            // If the broker fails before anybody joins again, the former generation comes back and its sessions end.
            Purpose::Emptied => Vec::new(),
        }
    }

    /// A static member's new id is stored, or not: then the former one has its place again. Where a rebalance has begun
    /// meanwhile, the member waits for that.
    fn replaced(
        &mut self,
        former: Member,
        waiter: Waiter,
        answer: JoinAnswer,
        result: Checked,
        now: Duration,
    ) -> Option<Action> {
        let member = self.members.get_mut(&answer.member_id);
        let member = member.filter(|member| member.joining == Some(waiter))?;
        if self.state != State::Stable {
            return None;
        }
        member.joining = None;
        member.touch(now);
        let Err(error) = result else { return Some(Action::Joined(waiter, answer)) };
        self.put_back(&answer.member_id, former, now);
        Some(Action::Joined(waiter, JoinAnswer::refused(error, Text::new())))
    }

    fn put_back(&mut self, id: &Text, mut former: Member, now: Duration) {
        self.members.remove(id);
        if self.is_leader(id) {
            self.leader = Some(former.id.clone());
        }
        former.touch(now);
        self.insert(former);
    }

    fn hand_out(&mut self, mut assignments: BTreeMap<Text, Bytes>, now: Duration) -> Vec<Action> {
        self.state = State::Stable;
        let mut answers = Vec::new();
        for member in self.members.values_mut() {
            member.assignment = assignments.remove(&member.id).unwrap_or_default();
            if let Some(waiter) = member.syncing.take() {
                member.touch(now);
                answers.push((waiter, member.id.clone()));
            }
        }
        answers.into_iter().map(|(waiter, id)| Action::Synced(waiter, self.sync_answer(&id))).collect()
    }

    fn start_again(&mut self, error: ErrorCode, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            actions.extend(
                member.syncing.take().map(|waiter| Action::Synced(waiter, SyncAnswer::refused(error))),
            );
        }
        self.rebalance_or_complete(now, &mut actions);
        actions
    }

    fn sync_answer(&self, id: &Text) -> SyncAnswer {
        SyncAnswer {
            error: ErrorCode::NONE,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }
}
