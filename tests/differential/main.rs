//! The same sequences of requests, right and wrong, to Apache Kafka and to Mainstem: the answers agree, apart from the
//! differences that `docs/differences.md` lists.
//!
//! # Layout
//!
//! - `chance`, `plan`, `scenes`, `batch`: what is asked, made from a seed.
//! - `step`, `side`, `socket`: how a request is made for a broker and sent to it.
//! - `tree`, `normal`, `compare`, `differences`: how answers are compared.
//! - `table`: what was asked, and how it was answered.
//! - `duel`: a sequence on both, and the shortest form of one whose answers differ.
//!
//! `run.sh` starts Kafka and names its address in `DIFFERENTIAL_KAFKA`; without it Mainstem is compared with itself.
//! `DIFFERENTIAL_TABLE` has the table printed. `DIFFERENTIAL_SEEDS` is a range of seeds (`0..100`), or one (`17`).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests, and what they print is their report"
)]

mod batch;
mod chance;
mod compare;
mod differences;
mod duel;
mod normal;
mod plan;
#[path = "../support/process.rs"]
mod process;
mod scenes;
mod side;
mod socket;
mod step;
mod table;
mod tree;

use std::{collections::BTreeSet, net::SocketAddr, ops::Range};

use mainstem_protocol::ApiKey;

use crate::{
    duel::{Duel, Lost},
    process::{Broker, fresh_directory},
    side::Side,
};

/// Settings in which both are the same and a run is quicker than with the defaults.
const SETTINGS: &[&str] =
    &["num.partitions=4", "group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=4"];

/// How many differences are shown before the rest is let be.
const SHOWN_MAX: usize = 12;

#[test]
fn answers_are_those_of_kafka() {
    let Ok(kafka) = std::env::var("DIFFERENTIAL_KAFKA") else {
        println!("SKIPPED: no Kafka (tests/differential/run.sh starts one)");
        return;
    };
    let broker = Broker::start(&fresh_directory("differential"), SETTINGS);
    let kafka = Side::new("Kafka", kafka.parse().expect("DIFFERENTIAL_KAFKA is an address"), true);
    let mut duel = Duel::new(kafka, Side::new("Mainstem", broker.address, false), differences::known());
    let seeds = seeds(0..300);
    let count = seeds.end - seeds.start;
    let lost = play(&mut duel, seeds);
    if std::env::var_os("DIFFERENTIAL_TABLE").is_some() {
        let (kafka, mainstem) = (duel.kafka.offered(), duel.mainstem.offered());
        duel.table.print(&kafka, &mainstem);
    }
    let is_whole = count >= 300;
    let unmet: Vec<_> = duel.known.iter().filter(|known| !known.was_met()).map(ToString::to_string).collect();
    assert!(lost.is_empty(), "{} sequences of {} differ", lost.len(), count);
    assert!(
        !is_whole || unmet.is_empty(),
        "docs/differences.md lists what was not met:\n{}",
        unmet.join("\n")
    );
    let missing = not_asked(&mut duel);
    assert!(!is_whole || missing.is_empty(), "not asked: {missing:?}");
}

#[test]
fn the_same_requests_have_the_same_answers_on_another_broker() {
    let [first, second] =
        ["differential-1", "differential-2"].map(|name| Broker::start(&fresh_directory(name), SETTINGS));
    let lost = play(&mut mirrored(first.address, second.address), 0..30);
    assert!(lost.is_empty(), "{} sequences differ", lost.len());
}

#[test]
fn a_broker_that_behaves_otherwise_is_found_and_the_sequence_is_shortened() {
    let first = Broker::start(&fresh_directory("differential-3"), SETTINGS);
    let settings = [SETTINGS, &["offset.metadata.max.bytes=2"]].concat();
    let second = Broker::start(&fresh_directory("differential-4"), &settings);
    let lost = play(&mut mirrored(first.address, second.address), 0..30);
    let found: Vec<_> = lost.iter().map(ToString::to_string).collect();
    let is_it = |found: &&String| {
        found.contains("DIFFERS OffsetCommit") && found.contains("OFFSET_METADATA_TOO_LARGE")
    };
    let first = found.iter().find(is_it).expect("a smaller limit shows");
    assert!(first.matches("\n    both:").count() <= 2, "a topic and a commit are enough: {first}");
}

fn mirrored(first: SocketAddr, second: SocketAddr) -> Duel {
    Duel::new(Side::new("one", first, false), Side::new("other", second, false), Vec::new())
}

/// Plays the sequences, and prints those whose answers differ, each kind of difference once.
fn play(duel: &mut Duel, seeds: Range<u64>) -> Vec<Lost> {
    let (mut lost, mut kinds) = (Vec::new(), BTreeSet::new());
    for seed in seeds {
        let (scene, steps) = scenes::sequence(seed);
        let Some(mut found) = duel.play(&steps.iter().collect::<Vec<_>>()) else { continue };
        if kinds.insert(found.kind()) && kinds.len() <= SHOWN_MAX {
            found = duel.shrink(&steps, found);
            println!("---- {scene}, DIFFERENTIAL_SEEDS={seed}\n{found}");
        }
        lost.push(found);
    }
    lost
}

fn seeds(usual: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("DIFFERENTIAL_SEEDS") else { return usual };
    let number = |text: &str| text.parse::<u64>().expect("DIFFERENTIAL_SEEDS holds numbers");
    match text.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&text)..number(&text) + 1,
    }
}

/// What both offer and no sequence asked.
fn not_asked(duel: &mut Duel) -> Vec<(ApiKey, i16)> {
    let (kafka, mainstem) = (duel.kafka.offered(), duel.mainstem.offered());
    let offered = |offered: &table::Offered| {
        offered
            .iter()
            .flat_map(|(key, versions)| versions.clone().map(|it| (*key, it)))
            .collect::<BTreeSet<_>>()
    };
    let both = &offered(&kafka) & &offered(&mainstem);
    both.into_iter().filter(|asked| !duel.covered.contains(asked)).collect()
}
