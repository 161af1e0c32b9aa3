//! Log lines on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{LogFormat, ProcessSettings};

/// Log lines cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is none.
    #[error("setting logging.filter is wrong: {0}")]
    Filter(#[from] ParseError),
    /// Somebody in this process writes them already.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// Begins to write log lines to standard error, with colours where that is a terminal and `NO_COLOR` is not set.
///
/// # Errors
/// The filter is none, or log lines are written already.
pub fn init(settings: &ProcessSettings) -> Result<(), InitError> {
    let filter = EnvFilter::try_new(settings.log_filter.as_str())?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Text => lines.with_ansi(has_colours()).with_target(false).finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

fn has_colours() -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !is_refused
}
