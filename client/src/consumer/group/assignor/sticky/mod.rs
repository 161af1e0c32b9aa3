//! As even as possible, then as little change as possible (Kafka: `AbstractStickyAssignor`).
//!
//! - [`Claims`]: who had what, and what several claim to have had.
//! - [`equal`]: where all members want the same topics.
//! - [`general`]: where they do not; [`movements`] keeps it from moving partitions to and fro.

mod claims;
mod equal;
mod general;
mod movements;

use std::collections::{HashMap, HashSet};

use mainstem_protocol::Text;

use super::{Claim, Shares, user_data::Claimed, wanted};
use crate::TopicPartition;
use claims::Claims;

/// A member, by its place among the members in the order of their ids.
type Taker = usize;

/// What comes out of it.
pub(super) struct Outcome {
    pub(super) shares: Shares,
    /// Partitions that go from one member to another, where the way of sharing tells.
    pub(super) moving: Option<HashSet<TopicPartition>>,
}

/// `claimed` is what each member had, in the order of the members.
pub(super) fn assign(members: &[Claim], claimed: Vec<Claimed>, partitions: &HashMap<Text, usize>) -> Outcome {
    let topics = wanted(members, partitions);
    if members.is_empty() {
        return Outcome { shares: Shares::new(), moving: None };
    }
    let claims = Claims::new(members, claimed, &topics);
    let (assignment, moving) = match claims.are_equal() {
        true => {
            let (assignment, moving) = equal::assign(&claims, &topics);
            (assignment, Some(moving))
        }
        false => (general::assign(&claims, &topics), None),
    };
    let ids = claims.members.iter().map(|member| member.id.clone());
    Outcome { shares: ids.zip(assignment).collect(), moving }
}
