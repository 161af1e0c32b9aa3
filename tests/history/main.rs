//! Concurrent clients of the real binary, which is killed and stopped meanwhile: what each of them did and saw is taken down,
//! and a checker that knows nothing else says what that proves to be wrong.
//!
//! - `history`: what is taken down; `recorder`: where.
//! - `check`: the checker, a pure function.
//! - `clients`, `workers`, `scene`: who uses the broker, and what happens to it.
//! - `faults`, `planted`: faults between the clients and the broker, which the checker has to find.
//!
//! `HISTORIES` says how many (default 1), `SEED` repeats one; `ACCIDENTS` says how often each is interrupted (default 4, with workers 2).

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

#[path = "../crash/chance.rs"]
#[expect(dead_code, reason = "each test uses what it needs")]
mod chance;
mod check;
mod clients;
mod faults;
mod history;
mod planted;
#[path = "../support/process.rs"]
mod process;
mod recorder;
mod scene;
mod workers;

use mainstem_client::consumer::GroupProtocol;

use check::{Isolation, check};
use scene::{Cast, Scene};

#[test]
fn what_clients_see_through_kills_and_pauses_is_what_a_log_is() {
    plays(4, Scene::new("history", 0));
}

#[test]
fn workers_count_each_record_once_through_kills_and_pauses() {
    plays(2, workers("workers", false));
}

#[test]
fn workers_of_the_first_generation_count_each_record_once_through_kills_and_pauses() {
    plays(2, workers("workers-first", true));
}

fn workers(name: &'static str, is_first_generation: bool) -> Scene {
    let cast = Cast::Workers { is_first_generation };
    Scene { cast, records: 600, ..Scene::new(name, 0) }
}

fn plays(accidents: u64, scene: Scene) {
    for number in 0..number("HISTORIES").unwrap_or(1) {
        let seed = number_or_chance("SEED").wrapping_add(number);
        let protocol = if seed % 2 == 0 { GroupProtocol::Classic } else { GroupProtocol::Consumer };
        let accidents = self::number("ACCIDENTS").unwrap_or(accidents);
        let history = Scene { accidents, protocol, seed, ..scene }.play();
        let findings = check(&history, Isolation::Kafka);
        println!("{} findings", findings.len());
        assert!(findings.is_empty(), "SEED={seed}: {:#?}", &findings[..findings.len().min(10)]);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// The variable's number, else another one each time.
fn number_or_chance(variable: &str) -> u64 {
    number(variable).unwrap_or_else(|| std::process::id().into())
}
