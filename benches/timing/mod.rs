//! Times a piece of work and prints its rate beside that of its limit.

#![allow(dead_code, reason = "not every benchmark needs all of it")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// For how long a piece of work is repeated in one round.
const ROUND: Duration = Duration::from_millis(60);

/// The best round counts: on a shared machine the others measure the neighbours.
const ROUNDS: usize = 7;

/// A heading, and below it the names of the columns.
pub(crate) fn heading(title: &str, unit: &str) {
    println!("\n{title}");
    println!("{:<58} {:>10} {:>12} {:>9}  limit", "", "GB/s", format!("ns/{unit}"), "of limit");
}

/// Work that was timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    seconds: f64,
}

/// Repeats `work`, and keeps the time that one run takes.
pub(crate) fn time<T>(mut work: impl FnMut() -> T) -> Timed {
    black_box(work());
    let seconds = (0..ROUNDS).map(|_| round(&mut work)).fold(f64::INFINITY, f64::min);
    Timed { seconds }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures the machine's own time")]
fn round<T>(work: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    let mut runs = 0;
    while start.elapsed() < ROUND {
        for _ in 0..4 {
            black_box(work());
        }
        runs += 4;
    }
    start.elapsed().as_secs_f64() / f64::from(runs)
}

impl Timed {
    /// Prints a line: `bytes` and `units` are those of one run, and `limit` did the least that had to be done.
    pub(crate) fn report(self, name: &str, bytes: usize, units: usize, limit: (&str, Self)) {
        let rate = bytes as f64 / self.seconds / 1e9;
        let each = self.seconds * 1e9 / units as f64;
        let share = 100.0 * limit.1.seconds / self.seconds;
        let limit_rate = bytes as f64 / limit.1.seconds / 1e9;
        println!("{name:<58} {rate:>10.3} {each:>12.1} {share:>8.1}%  {} at {limit_rate:.2} GB/s", limit.0);
    }
}

/// Copies `bytes` to memory that is there already: the least that moving them costs.
pub(crate) fn copy(bytes: &[u8]) -> Timed {
    let mut target = vec![0; bytes.len()];
    time(|| {
        target.copy_from_slice(black_box(bytes));
        target.last().copied()
    })
}
