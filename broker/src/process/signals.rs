//! SIGTERM and SIGINT: the first one asks for an orderly end, the second one ends at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Duration, Instant};
use tracing::{info, warn};

use crate::task::{OnFailure, Tasks};

/// The exit code of a process that was told twice, as shells have it for SIGINT.
const TOLD_TWICE: i32 = 130;

/// Signals that come so soon after the first are the same one: `timeout` sends it to the process and to its group.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// The signals that end the process.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from the system, which would end the process at once.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new() -> io::Result<Self> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self { terminate: signal(terminate)?, interrupt: signal(interrupt)? })
    }

    /// Waits for the first signal. From then on, another one ends the process at once.
    pub async fn first(mut self, tasks: &Tasks) {
        let name = self.next().await;
        info!(signal = name, "stopping; once more to stop at once");
        tasks.spawn("second signal", OnFailure::Log, self.second(Instant::now()));
    }

    async fn second(mut self, first: Instant) {
        let mut name = self.next().await;
        while first.elapsed() < SAME_SIGNAL {
            name = self.next().await;
        }
        warn!(signal = name, "stopping at once; the next start recovers");
        std::process::exit(TOLD_TWICE);
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
