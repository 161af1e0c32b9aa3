//! The power is cut at every write and every sync of a store, and again during its recovery.
//!
//! - [`workload`]: what is done, by a seed: topics come and go, groups span partitions, producers are idempotent,
//!   segments roll, the journal is recycled.
//! - [`ledger`]: what was promised; it folds into the [`image`] that must survive, and checks what did.
//! - [`node`]: the store on its faulty disk.
//! - [`simulation`]: lives of a store, and the cuts; [`tally`]: what it must have done at least.
//! - [`compacted`]: the same for compaction.
//! - [`accident`]: what is asked of a store that comes back, on the threads of [`workers`].
//! - [`cases`]: the table of what a start may find.
//!
//! `CRASH_SEED` is the first seed, `CRASH_SEEDS` how many there are, `CRASH_PERCENT` how
//! many of all events are cut at (100: every one), `CRASH_AGAIN` how many of a recovery's;
//! `CRASH_TRACE=1` prints every event.

#![expect(clippy::unwrap_used, reason = "all of this is a test: a panic is the report")]

mod accident;
mod cases;
mod chance;
mod compacted;
mod image;
mod ledger;
mod node;
mod scene;
mod simulation;
mod tally;
mod workers;
mod workload;

use std::sync::{Mutex, MutexGuard, PoisonError};

use simulation::{Plan, simulate};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn power_cut_at_any_event_loses_nothing_that_was_promised() {
    let first = setting("CRASH_SEED", 1);
    let plan = |seed| Plan {
        seed,
        lives: 8,
        groups: 1100,
        cut_percent: setting("CRASH_PERCENT", 5),
        again_percent: setting("CRASH_AGAIN", 2),
        is_traced: setting("CRASH_TRACE", 0) > 0,
    };
    for seed in first..first + setting("CRASH_SEEDS", 1) {
        println!("seed {seed}");
        let report = simulate(&plan(seed));
        println!("seed {seed}: {report}");
        let lacking = report.lacks();
        assert!(lacking.is_empty(), "the run did too little: {lacking:?}");
    }
}

#[test]
fn same_seed_gives_the_same_run() {
    let plan = Plan { seed: 3, lives: 2, groups: 60, cut_percent: 20, again_percent: 5, is_traced: false };
    assert_eq!(simulate(&plan), simulate(&plan));
}
