//! How long things take: medians of several runs, and the machine's own limit beside them.

#![allow(dead_code, reason = "each benchmark uses what it needs")]

use std::{
    fs,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

/// Runs `work` and says how long it took.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

/// What this process has cost so far, user and system time of all its threads.
pub(crate) fn cpu_seconds() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// Smallest, middle and largest of several figures.
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let (min, max) = (figures[0], figures[figures.len() - 1]);
        Self { min, median: figures[figures.len() / 2], max }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.min, self.max)
    }
}

/// Milliseconds that a write of 4 KiB and its `fdatasync` take in `directory`.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures the disk itself")]
pub(crate) fn sync_millis(directory: &Path) -> Spread {
    let path = directory.join("sync.tmp");
    let mut file = fs::File::create(&path).expect("the directory can be written");
    let block = [0_u8; 4096];
    for _ in 0..256 {
        file.write_all(&block).expect("there is space");
    }
    file.sync_all().expect("the disk syncs");
    let one = |n: u64| {
        let (elapsed, ()) = time(|| {
            use std::os::unix::fs::FileExt;
            file.write_all_at(&block, n % 256 * 4096).expect("there is space");
            file.sync_data().expect("the disk syncs");
        });
        elapsed.as_secs_f64() * 1000.0
    };
    let spread = Spread::of((0..200).map(one).collect());
    fs::remove_file(&path).expect("the file was made here");
    spread
}
