//! Log lines on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, fmt, reload};

use super::levels::{self, Levels};
use crate::config::{LogFormat, ProcessSettings};

/// Log lines cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Somebody in this process writes them already.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// Begins to write log lines to standard error, with colours where that is a terminal and `NO_COLOR` is not set. What is
/// logged can be changed from then on.
///
/// # Errors
/// Log lines are written already.
pub fn init(settings: &ProcessSettings) -> Result<(), InitError> {
    let levels = Levels::of(settings.log_filter.as_str());
    let (filter, handle) = reload::Layer::new(levels.filter());
    let lines = lines(settings.log_format);
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    levels::take_over(levels, Box::new(move |filter| handle.reload(filter)));
    Ok(())
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let lines = fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(has_colours()).with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

fn has_colours() -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !is_refused
}
