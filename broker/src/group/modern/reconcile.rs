//! One member's way to its target (Kafka: `CurrentAssignmentBuilder`).

use std::collections::BTreeSet;

use mainstem_protocol::TopicId;

use super::{
    Assignment, Group,
    assignment::TopicPartition,
    member::{Current, Member, State},
};

/// Where a member is to go.
pub(super) struct Goal<'a> {
    pub(super) epoch: i32,
    pub(super) target: &'a Assignment,
    /// The topics that the member wants by now.
    pub(super) wanted: &'a BTreeSet<TopicId>,
    /// Whether it wanted others before this heartbeat.
    pub(super) has_other_wishes: bool,
    /// What the member has by its own account, if it told.
    pub(super) owned: Option<&'a Assignment>,
}

impl Group {
    /// What the member is to have next; what it has, where it cannot go on yet.
    pub(super) fn reconcile(&self, member: &Member, goal: &Goal<'_>) -> Current {
        let current = &member.current;
        let stays = match current.state {
            State::Stable => current.epoch == goal.epoch,
            State::Unrevoked => goal.still_owns(&current.revoking),
            State::Unreleased => false,
        };
        match (stays, goal.has_other_wishes) {
            (false, _) => self.next(member, goal),
            (true, true) => drop_unwanted(current, goal),
            (true, false) => current.clone(),
        }
    }

    fn next(&self, member: &Member, goal: &Goal<'_>) -> Current {
        let current = &member.current;
        let target = goal.target.filter(|(topic, _)| goal.wanted.contains(&topic));
        let kept = current.assigned.shared_with(&target);
        let revoking = current.assigned.without(&kept);
        if !revoking.is_empty() && goal.still_owns(&revoking) {
            return Current {
                state: State::Unrevoked,
                epoch: current.epoch,
                previous_epoch: current.epoch,
                assigned: kept,
                revoking,
            };
        }
        let missing = target.without(&kept);
        let free = missing.filter(|partition| self.is_free_for(member, partition));
        let state = if free.len() == missing.len() { State::Stable } else { State::Unreleased };
        Current {
            state,
            epoch: goal.epoch,
            previous_epoch: current.epoch,
            assigned: kept.joined_with(&free),
            revoking: Assignment::default(),
        }
    }

    /// Whether nobody else has a partition. What the member has itself still to give back is its own: only one has it.
    fn is_free_for(&self, member: &Member, partition: TopicPartition) -> bool {
        !self.owners.contains_key(&partition) || member.current.revoking.contains(partition)
    }
}

impl Goal<'_> {
    /// A member that does not say what it has may have all.
    fn still_owns(&self, revoking: &Assignment) -> bool {
        self.owned.is_none_or(|owned| owned.meets(revoking))
    }
}

/// Takes topics away that the member does not want any more, without a step towards the target.
fn drop_unwanted(current: &Current, goal: &Goal<'_>) -> Current {
    let kept = current.assigned.filter(|(topic, _)| goal.wanted.contains(&topic));
    let dropped = current.assigned.without(&kept);
    if dropped.is_empty() {
        return current.clone();
    }
    let revoking = current.revoking.clone().joined_with(&dropped);
    let must_give_back = goal.still_owns(&revoking);
    Current {
        state: if must_give_back { State::Unrevoked } else { current.state },
        assigned: kept,
        revoking: if must_give_back { revoking } else { current.revoking.clone() },
        ..current.clone()
    }
}
