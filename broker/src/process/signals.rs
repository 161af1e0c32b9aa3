//! SIGTERM and SIGINT: the first one asks for an orderly end, the second one ends at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::task::{OnFailure, Tasks};

/// The exit code of a process that was told twice, as shells have it for SIGINT.
const TOLD_TWICE: i32 = 130;

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

    /// Waits for the first signal. From then on, the next one ends the process at once.
    pub async fn first(mut self, tasks: &Tasks) {
        let name = self.next().await;
        info!(signal = name, "stopping; once more to stop at once");
        tasks.spawn("second signal", OnFailure::Log, self.second());
    }

    async fn second(mut self) {
        let name = self.next().await;
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
