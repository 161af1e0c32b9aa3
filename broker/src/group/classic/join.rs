//! JoinGroup: a member enters the next generation.

use std::time::Duration;

use mainstem_protocol::{ErrorCode, Text};

use super::{Action, Group, JoinAnswer, Member, Profile, Protocol, Purpose, State, Waiter};

/// How long a new member waits for its first generation before it is taken for one that has given up (Kafka:
/// `GroupCoordinatorConfig.CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS`).
const NEW_MEMBER_TIMEOUT: Duration = Duration::from_secs(300);

/// A JoinGroup, with the id that a new member would get.
#[derive(Clone, Debug)]
pub(crate) struct JoinRequest {
    pub(crate) member_id: Text,
    /// The id for the member if it has none.
    pub(crate) fresh_id: Text,
    pub(crate) profile: Profile,
    pub(crate) protocol_type: Text,
    /// Whether a new dynamic member must come a second time with the id that it is given (version 4 on, KIP-394).
    pub(crate) requires_known_id: bool,
    /// Whether a static leader that comes back may be told not to assign anew (version 9 on, KIP-814).
    pub(crate) may_skip_assignment: bool,
}

impl JoinRequest {
    /// The answer where the request is refused.
    pub(crate) fn refused(self, error: ErrorCode) -> JoinAnswer {
        let id = match error {
            ErrorCode::MEMBER_ID_REQUIRED => self.fresh_id,
            // Kafka has it look for another group without an id.
            ErrorCode::GROUP_MAX_SIZE_REACHED => Text::new(),
            _ => self.member_id,
        };
        JoinAnswer::refused(error, id)
    }
}

impl Group {
    /// Handles a JoinGroup; the answer may come later.
    pub(crate) fn join(&mut self, waiter: Waiter, request: JoinRequest, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Err(error) = self.try_join(waiter, &request, now, &mut actions) {
            actions.push(Action::Joined(waiter, request.refused(error)));
        }
        actions
    }

    fn try_join(
        &mut self,
        waiter: Waiter,
        request: &JoinRequest,
        now: Duration,
        actions: &mut Vec<Action>,
    ) -> Result<(), ErrorCode> {
        if !self.has_room_for(&request.member_id) {
            self.turn_away(&request.member_id, now, actions);
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        if !self.supports(&request.protocol_type, &request.profile.protocols) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        match (request.member_id.is_empty(), &request.profile.instance_id) {
            (true, Some(instance_id)) => match self.static_members.get(instance_id).cloned() {
                Some(old) => self.replace_static(waiter, request, &old, now, actions),
                None => self.add(waiter, request, request.fresh_id.clone(), now, actions),
            },
            (true, None) if request.requires_known_id => {
                self.pending.insert(request.fresh_id.clone(), now + request.profile.session_timeout);
                return Err(ErrorCode::MEMBER_ID_REQUIRED);
            }
            (true, None) => self.add(waiter, request, request.fresh_id.clone(), now, actions),
            (false, _) => return self.rejoin(waiter, request, now, actions),
        }
        Ok(())
    }

    /// A full group still takes back who is in it; but where it has more members than it may, of those who join again
    /// only the first ones (Kafka: `GroupMetadataManager.acceptJoiningMember`). Ids that were handed out have a cap of
    /// their own, for which Kafka has none.
    fn has_room_for(&self, id: &Text) -> bool {
        let max = self.limits.members_max;
        let member = self.members.get(id);
        match self.state {
            _ if id.is_empty() && self.pending.len() >= max => false,
            State::Empty => true,
            State::Preparing { .. } => {
                let is_joining = member.is_some_and(|member| member.joining.is_some());
                is_joining || self.members.values().filter(|member| member.joining.is_some()).count() < max
            }
            State::Completing { .. } | State::Stable => member.is_some() || self.members.len() < max,
        }
    }

    /// Who is refused for want of room is no member any more.
    fn turn_away(&mut self, id: &Text, now: Duration, actions: &mut Vec<Action>) {
        let is_member = self.members.contains_key(id);
        if self.pending.remove(id).is_some() || is_member {
            self.remove(id, actions);
            self.rebalance_or_complete(now, actions);
        }
    }

    /// Whether all members could still agree on a protocol (Kafka: `ClassicGroup.supportsProtocols`).
    fn supports(&self, protocol_type: &Text, protocols: &[Protocol]) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let common =
            |protocol: &Protocol| self.members.values().all(|member| member.supports(&protocol.name));
        self.protocol_type.as_ref() == Some(protocol_type) && protocols.iter().any(common)
    }

    fn add(
        &mut self,
        waiter: Waiter,
        request: &JoinRequest,
        id: Text,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        self.pending.remove(&id);
        let mut member = Member::new(id, request.profile.clone(), now);
        (member.joining, member.is_new) = (Some(waiter), true);
        member.expires = now + NEW_MEMBER_TIMEOUT;
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.insert(member);
        if let State::Preparing { initial: Some(initial), .. } = &mut self.state {
            initial.is_growing = true;
        }
        self.rebalance_or_complete(now, actions);
    }

    /// A member that has an id joins again, or for the first time with the id that it was given.
    fn rejoin(
        &mut self,
        waiter: Waiter,
        request: &JoinRequest,
        now: Duration,
        actions: &mut Vec<Action>,
    ) -> Result<(), ErrorCode> {
        let id = &request.member_id;
        if request.profile.instance_id.is_none() && self.pending.contains_key(id) {
            self.add(waiter, request, id.clone(), now, actions);
            return Ok(());
        }
        self.check_member(id, request.profile.instance_id.as_ref())?;
        let unchanged =
            self.members.get(id).is_some_and(|m| m.profile.protocols == request.profile.protocols);
        let answer_now = match self.state {
            State::Empty => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::Preparing { .. } => false,
            // It has missed the answer to its first JoinGroup.
            State::Completing { .. } => unchanged,
            // The leader asks for a rebalance by joining: the topics may have changed, of which its metadata says
            // nothing.
            State::Stable => unchanged && !self.is_leader(id),
        };
        if answer_now {
            actions.push(Action::Joined(waiter, self.join_answer(id)));
        } else {
            self.update(id, waiter, request, now, actions);
            self.rebalance_or_complete(now, actions);
        }
        Ok(())
    }

    fn update(
        &mut self,
        id: &Text,
        waiter: Waiter,
        request: &JoinRequest,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let Some(member) = self.members.get_mut(id) else { return };
        let Profile { session_timeout, rebalance_timeout, protocols, .. } = request.profile.clone();
        // Who the member is stays as it was when it came first.
        member.profile = Profile { session_timeout, rebalance_timeout, protocols, ..member.profile.clone() };
        if !member.is_new {
            member.touch(now);
        }
        if let Some(earlier) = member.joining.replace(waiter) {
            // The client gave up waiting and asks again: its first request gets an answer that nobody reads.
            let refused = JoinAnswer::refused(ErrorCode::REBALANCE_IN_PROGRESS, id.clone());
            actions.push(Action::Joined(earlier, refused));
        }
    }

    /// A static member comes back under a new id (KIP-345): the old one is fenced (Kafka:
    /// `GroupMetadataManager.updateStaticMemberThenRebalanceOrCompleteJoin`).
    fn replace_static(
        &mut self,
        waiter: Waiter,
        request: &JoinRequest,
        old: &Text,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let Some(mut former) = self.members.remove(old) else { return };
        let former_leader = self.leader.clone();
        self.refuse(&former, ErrorCode::FENCED_INSTANCE_ID, actions);
        (former.joining, former.syncing) = (None, None);
        let id = request.fresh_id.clone();
        if self.is_leader(old) {
            self.leader = Some(id.clone());
        }
        self.insert(Member { id: id.clone(), is_new: false, ..former.clone() });
        self.update(&id, waiter, request, now, actions);
        let keeps_protocol = self.state == State::Stable && self.select_protocol() == self.protocol;
        if !keeps_protocol {
            return self.rebalance_or_complete(now, actions);
        }
        // Its assignment stays; only the id has changed, which is stored before the member learns it.
        let answer = self.answer_of_replaced(&id, request.may_skip_assignment, former_leader);
        let purpose = Purpose::Replace { former: Box::new(former), waiter, answer };
        actions.push(self.store(self.assignments(), purpose));
    }

    fn answer_of_replaced(&self, id: &Text, may_skip: bool, former_leader: Option<Text>) -> JoinAnswer {
        let answer = self.join_answer(id);
        if may_skip {
            return JoinAnswer { skip_assignment: self.is_leader(id), ..answer };
        }
        // A client that cannot be told to skip would assign anew if it took itself for the leader.
        JoinAnswer { leader: former_leader.unwrap_or_default(), members: Vec::new(), ..answer }
    }

    /// The answer to a member of the current generation.
    pub(super) fn join_answer(&self, id: &Text) -> JoinAnswer {
        let protocol = self.protocol.clone().unwrap_or_default();
        let describe = |member: &Member| {
            (member.id.clone(), member.profile.instance_id.clone(), member.metadata(&protocol))
        };
        JoinAnswer {
            error: ErrorCode::NONE,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: id.clone(),
            members: if self.is_leader(id) {
                self.members.values().map(describe).collect()
            } else {
                Vec::new()
            },
        }
    }
}
