//! Settings of the process itself.

use crate::config::{LogFilter, LogFormat, Shape, setting::settings};

settings! {
    /// Threads, and what is told on standard error.
    pub struct ProcessSettings at process, "Process" {
        /// Threads that serve connections; 0 takes one per core, at most eight.
        threads: usize = 0, "num.network.threads", Shape::count(0, 1024).kafka("SocketServerConfigs");

        /// What is logged: a level (error, warn, info, debug, trace), or levels by module, such as
        /// `info,mainstem::net=debug`. `mainstem config set logger` changes levels while the broker runs; the next start has
        /// these again.
        log_filter: LogFilter = LogFilter::default(), "logging.filter", Shape::word();

        /// How log lines look.
        log_format: LogFormat = LogFormat::Text, "logging.format", Shape::word();
    }
}
