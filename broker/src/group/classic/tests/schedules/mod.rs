//! Ten thousand random schedules: members come, go, crash, fall silent, fail to hear answers and come again; stores are
//! slow or fail; the broker starts again from what was stored, at any moment. Then it all falls quiet for a while.
//!
//! Three things must hold, and each planted fault must break one of them: a partition has one owner in a generation; what
//! was committed is never read as less, or as nothing; and once it is quiet, all who are there share all partitions.

mod broker;
mod checker;
mod client;
mod world;

use self::{broker::Fault, world::World};
use crate::chance;

const SCHEDULES: u64 = 10_000;

/// Runs the schedules of `seeds`, and tells of the first that goes wrong.
fn first_failure(seeds: impl Iterator<Item = u64>, fault: Fault) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| World::run(seed, fault).err().map(|wrong| (seed, wrong)))
}

#[test]
fn ten_thousand_schedules_end_well() {
    let half = |start: u64| move || first_failure((start..SCHEDULES).step_by(2), Fault::None);
    let (even, odd) = (std::thread::spawn(half(0)), std::thread::spawn(half(1)));
    for failure in [even.join().unwrap(), odd.join().unwrap()] {
        assert_eq!(failure, None, "the schedule of this seed goes wrong");
    }
}

#[test]
fn same_seed_is_the_same_run() {
    for seed in 0..50 {
        assert_eq!(World::run(seed, Fault::None), World::run(seed, Fault::None));
    }
    assert_ne!(World::run(1, Fault::None), World::run(2, Fault::None));
}

/// Says of each fault what it breaks.
#[track_caller]
fn check(fault: Fault, expected: &str) {
    let (seed, wrong) = first_failure(0..SCHEDULES, fault).expect("the fault is not found");
    assert!(wrong.contains(expected), "seed {seed}: {wrong}");
}

#[test]
fn assignment_that_is_handed_out_before_it_is_stored_is_found() {
    check(Fault::HandsOutEarly, "has two owners");
}

#[test]
fn generation_that_does_not_rise_is_found() {
    check(Fault::GenerationStands, "has two owners");
}

#[test]
fn commit_of_a_former_generation_is_found() {
    check(Fault::AcceptsStaleCommits, "went back");
}

#[test]
fn commit_that_is_answered_before_it_is_stored_is_found() {
    check(Fault::AnswersCommitsEarly, "went back");
}

#[test]
fn offset_that_is_lost_in_a_restart_is_found() {
    check(Fault::ForgetsAnOffset, "went back");
}

#[test]
fn session_that_never_ends_is_found() {
    check(Fault::SessionsNeverEnd, "did not settle");
}

#[test]
fn answer_that_is_forgotten_is_found() {
    check(Fault::ForgetsTheLeadersAnswer, "did not settle");
}

#[test]
fn fenced_member_that_is_heard_is_found() {
    check(Fault::HearsFencedMembers, "was replaced");
}
