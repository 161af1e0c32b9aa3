//! The reactor's threads.

use std::io;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Threads above which a reactor gains nothing here: connections spend their time in the kernel.
const THREADS_MAX: usize = 8;

/// Threads for what blocks: cold reads, compression, shutdown.
const BLOCKING_THREADS_MAX: usize = 64;

/// How long a thread for what blocks stays without work, so that an idle broker is small.
const BLOCKING_THREADS_STAY: Duration = Duration::from_secs(2);

/// A reactor with `threads` threads, one per core where it is 0.
///
/// # Errors
/// The system refuses threads or descriptors.
pub fn build(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(worker_threads(threads))
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_keep_alive(BLOCKING_THREADS_STAY)
        .thread_name("reactor")
        .enable_all()
        .build()
}

fn worker_threads(asked: usize) -> usize {
    match asked {
        0 => available_parallelism().map_or(1, usize::from).min(THREADS_MAX),
        asked => asked,
    }
}
