//! Kinds of sequences. Each is made from a seed.

mod administration;
mod cluster;
mod configs;
mod groups;
mod members;
mod offsets;
mod producers;
mod records;
mod topics;
mod transactions;

use crate::{plan::Plan, step::Step};

/// Makes a sequence.
type Scene = fn(&mut Plan);

const SCENES: &[(&str, Scene)] = &[
    ("records", records::scene),
    ("topics", topics::scene),
    ("producers", producers::scene),
    ("groups", groups::scene),
    ("offsets", offsets::scene),
    ("configs", configs::scene),
    ("members", members::scene),
    ("cluster", cluster::scene),
    ("transactions", transactions::scene),
];

/// The sequence of a seed.
pub(crate) fn sequence(seed: u64) -> (&'static str, Vec<Step>) {
    let (name, scene) = SCENES[(seed % SCENES.len() as u64) as usize];
    let mut plan = Plan::new(seed);
    scene(&mut plan);
    (name, plan.steps)
}
