//! Ten thousand random schedules: producers of both versions take a transactional id from one another, write to partitions,
//! commit and abort; requests are repeated, delayed past the next begin, or never answered; appends fail, transactions are
//! too late, epochs run out, and the broker starts again from what was durable, at any moment.
//!
//! What must hold: a transaction ends the same way in all its partitions, and as its producer was told; nobody writes who
//! was replaced; a repeat gets the answer of the first, and ends nothing else. Each planted fault must break one of them.

mod checker;
mod client;
mod world;

use self::world::{Fault, World};

const SCHEDULES: u64 = 10_000;

/// Runs the schedules of `seeds`, and tells of the first that goes wrong.
fn first_failure(seeds: impl Iterator<Item = u64>, fault: Fault) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| World::run(seed, fault).err().map(|wrong| (seed, wrong)))
}

#[test]
fn ten_thousand_schedules_end_well() {
    assert_eq!(first_failure(0..SCHEDULES, Fault::None), None, "the schedule of this seed goes wrong");
}

#[test]
fn same_seed_is_the_same_run() {
    for seed in 0..50 {
        assert_eq!(World::run(seed, Fault::None), World::run(seed, Fault::None));
    }
    assert_ne!(World::run(1, Fault::None), World::run(2, Fault::None));
}

#[test]
fn schedules_come_to_everything_that_there_is() {
    let runs: Vec<_> = (0..1000).filter_map(|seed| World::run(seed, Fault::None).ok()).collect();
    let total = |of: fn(&world::Counts) -> usize| runs.iter().map(of).sum::<usize>();
    assert!(total(|counts| counts.commits) > 200, "commits");
    assert!(total(|counts| counts.aborts) > 200, "aborts");
    assert!(total(|counts| counts.timeouts) > 100, "timeouts");
    assert!(total(|counts| counts.restarts) > 500, "restarts");
    assert!(total(|counts| counts.rotations) > 10, "rotated ids");
    assert!(total(|counts| counts.repeats) > 100, "copies of requests that were answered");
}

/// Says of each fault what it breaks: one of these things, whichever comes first.
#[track_caller]
fn check(fault: Fault, expected: &[&str]) {
    let (seed, wrong) = first_failure(0..SCHEDULES, fault).expect("the fault is not found");
    assert!(expected.iter().any(|expected| wrong.contains(expected)), "seed {seed}: {wrong}");
}

#[test]
fn markers_that_are_written_apart_are_found() {
    check(Fault::MarkersApart, &["torn"]);
}

#[test]
fn answer_that_is_given_before_it_is_durable_is_found() {
    check(Fault::AnswersEarly, &["was told", "was replaced"]);
}

#[test]
fn epoch_that_is_not_looked_at_is_found() {
    check(Fault::IgnoresEpochs, &["was replaced"]);
}

#[test]
fn end_that_keeps_the_epoch_is_found() {
    check(Fault::EndKeepsEpoch, &["ends transaction", "torn"]);
}

#[test]
fn fence_that_keeps_the_epoch_is_found() {
    check(Fault::TakeOverKeepsEpoch, &["was replaced", "torn"]);
}

#[test]
fn change_that_stays_although_its_append_failed_is_found() {
    check(Fault::KeepsFailedChanges, &["torn", "was told", "ends transaction"]);
}

#[test]
fn partition_that_is_forgotten_in_a_restart_is_found() {
    check(Fault::ForgetsAPartition, &["torn", "ends transaction", "was told"]);
}

#[test]
fn batch_that_is_not_verified_is_found() {
    check(Fault::WritesUnverified, &["was replaced", "torn"]);
}
