//! Faults between the clients and the broker: what the clients then see is what they would see of a broker that has them.
//! Each has to be found in a history of real clients.

use mainstem_client::ProducerConfig;

use crate::{
    check::{Finding, Isolation, check},
    faults::*,
    scene::{Cast, Scene, Wrap, producer},
};

#[test]
fn record_that_the_log_loses_is_found() {
    let is_lost = |finding: &Finding| matches!(finding, Finding::LostWrite { place: Some(_), .. });
    finds("loses", losing, producer, is_lost);
}

#[test]
fn record_that_is_acknowledged_and_not_stored_is_found() {
    let is_lost = |finding: &Finding| matches!(finding, Finding::LostWrite { .. });
    finds("forgets", forgetting, repeatable, is_lost);
}

#[test]
fn batch_that_is_stored_twice_is_found() {
    let is_duplicate = |finding: &Finding| matches!(finding, Finding::Duplicate { .. });
    finds("doubles", doubling, repeatable, is_duplicate);
}

#[test]
fn offset_that_moves_with_the_wind_is_found() {
    let is_inconsistent = |finding: &Finding| matches!(finding, Finding::InconsistentOffsets { .. });
    finds("misplaces", misplacing, producer, is_inconsistent);
}

#[test]
fn commit_that_is_acknowledged_and_not_stored_is_found() {
    let is_regressed = |finding: &Finding| matches!(finding, Finding::OffsetRegression { .. });
    finds("uncommitted", uncommitting, producer, is_regressed);
}

#[test]
fn aborted_transaction_that_is_shown_is_found() {
    let is_aborted = |finding: &Finding| matches!(finding, Finding::AbortedRead { .. });
    finds("shows", showing, producer, is_aborted);
}

#[test]
fn transaction_of_which_a_part_is_not_stored_is_found() {
    let is_torn = |finding: &Finding| matches!(finding, Finding::TornTransaction { .. });
    finds("tears", tearing, producer, is_torn);
}

#[test]
fn acknowledged_record_behind_the_end_that_the_log_tells_is_found() {
    let is_unseen = |finding: &Finding| matches!(finding, Finding::Unseen { .. });
    finds("ends", ending_early, producer, is_unseen);
}

#[test]
fn record_that_comes_from_nowhere_is_found() {
    let is_phantom = |finding: &Finding| matches!(finding, Finding::Phantom { .. });
    finds("invents", inventing, producer, is_phantom);
}

#[test]
fn open_transaction_that_is_shown_is_found() {
    let is_early = |finding: &Finding| matches!(finding, Finding::PrecommittedRead { .. });
    finds("peeks", peeking, producer, is_early);
}

#[test]
fn open_transactions_that_are_shown_to_one_another_are_found_in_a_circle() {
    let is_cycle = |finding: &Finding| matches!(finding, Finding::DirtyCycle { .. });
    finds("circles", peeking, producer, is_cycle);
}

#[test]
fn batch_that_one_answer_leaves_out_is_found() {
    let is_skip = |finding: &Finding| matches!(finding, Finding::PollSkip { .. });
    finds("skips", skipping, producer, is_skip);
}

#[test]
fn consumer_that_is_sent_back_is_found() {
    let goes_back = |finding: &Finding| matches!(finding, Finding::NonmonotonicPoll { .. });
    finds("disowns", disowning, producer, goes_back);
}

#[test]
fn batch_that_overtakes_the_one_before_is_found() {
    let is_overtaken = |finding: &Finding| matches!(finding, Finding::NonmonotonicSend { .. });
    finds("reorders", reordering, hasty, is_overtaken);
}

#[test]
fn offsets_that_a_transaction_commits_without_are_found() {
    let is_twice = |finding: &Finding| matches!(finding, Finding::CountedTwice { .. });
    finds_in(Scene { wrap: dropping_offsets, is_drained: false, ..workers("drops") }, is_twice);
}

#[test]
fn offsets_that_are_larger_than_they_were_sent_are_found() {
    let is_uncounted = |finding: &Finding| matches!(finding, Finding::Uncounted { .. });
    finds_in(Scene { wrap: overstating_offsets, ..workers("overstates") }, is_uncounted);
}

fn workers(name: &'static str) -> Scene {
    let cast = Cast::Workers { is_first_generation: false };
    Scene { cast, records: 600, transactions: 60, ..Scene::new(name, std::process::id().into()) }
}

#[track_caller]
fn finds(name: &'static str, wrap: Wrap, producer: fn() -> ProducerConfig, wanted: fn(&Finding) -> bool) {
    let scene = Scene {
        wrap,
        producer,
        records: 600,
        transactions: 30,
        ..Scene::new(name, std::process::id().into())
    };
    finds_in(scene, wanted);
}

/// Plays of a scene until its fault is found. By chance one gives a fault no occasion.
const PLAYS_MAX: u64 = 4;

#[track_caller]
fn finds_in(scene: Scene, wanted: fn(&Finding) -> bool) {
    let is_found = |number| {
        let play = Scene { seed: scene.seed.wrapping_add(number), ..scene };
        check(&play.play(), Isolation::Kafka).iter().any(wanted)
    };
    assert!((0..PLAYS_MAX).any(is_found), "the fault was not found in {PLAYS_MAX} plays");
}

/// Without sequences a broker cannot tell a repeat, nor what is missing.
fn repeatable() -> ProducerConfig {
    ProducerConfig { idempotent: false, ..producer() }
}

/// Small batches, so that several of one partition are under way.
fn hasty() -> ProducerConfig {
    ProducerConfig { batch_bytes: 200, ..repeatable() }
}
