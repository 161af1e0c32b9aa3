//! What the demo shows: results on its output, one line each; progress on standard error, where that is a terminal.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;

use super::{
    bundled,
    documents::{Counts, MinuteAndClass},
};

/// How a bar looks.
const STYLE: &str = "{msg:>9} [{bar:40}] {pos}/{len} lines";

/// The screen. For people, results and what is said about them get on the output; for programs, results alone, an
/// object of JSON each, and what is said goes to standard error.
#[derive(Clone)]
pub(super) struct Screen {
    out: Arc<Mutex<dyn Write + Send>>,
    is_json: bool,
    bars: MultiProgress,
    fed: ProgressBar,
    counted: ProgressBar,
}

impl Screen {
    /// For people.
    pub(super) fn new(out: impl Write + Send + 'static) -> Self {
        // Where standard error is no terminal, these draw nothing.
        let bars = MultiProgress::new();
        let (fed, counted) = (bars.add(bar("fed")), bars.add(bar("counted")));
        Self { out: Arc::new(Mutex::new(out)), is_json: false, bars, fed, counted }
    }

    /// For programs.
    pub(super) fn json(out: impl Write + Send + 'static) -> Self {
        Self { is_json: true, ..Self::new(out) }
    }

    /// Says something.
    pub(super) fn say(&self, text: impl fmt::Display) -> io::Result<()> {
        match self.is_json {
            true => self.bars.suspend(|| writeln!(io::stderr(), "{text}")),
            false => self.put(text),
        }
    }

    /// Where the broker listens, for programs; people are told at the end.
    pub(super) fn broker(&self, kafka: impl fmt::Display, http: impl fmt::Display) -> io::Result<()> {
        match self.is_json {
            true => self.put(json!({ "kafka": kafka.to_string(), "http": http.to_string() })),
            false => Ok(()),
        }
    }

    fn put(&self, text: impl fmt::Display) -> io::Result<()> {
        self.bars.suspend(|| {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            writeln!(out, "{text}")?;
            out.flush()
        })
    }

    /// The head of the table of results.
    pub(super) fn head(&self) -> io::Result<()> {
        if self.is_json {
            return Ok(());
        }
        self.say(format_args!(
            "{:<22} {:<6} {:>8} {:>7} {:>12}",
            "MINUTE", "CLASS", "REQUESTS", "ERRORS", "BYTES"
        ))
    }

    /// A result.
    pub(super) fn row(&self, key: &MinuteAndClass, counts: Counts) -> io::Result<()> {
        let Counts { requests, errors, bytes } = counts;
        if self.is_json {
            let MinuteAndClass { minute, class } = key;
            return self.put(json!({
                "minute": minute, "class": class, "requests": requests, "errors": errors, "bytes": bytes,
            }));
        }
        self.say(format_args!("{:<22} {:<6} {requests:>8} {errors:>7} {bytes:>12}", key.minute, key.class))
    }

    /// Lines were fed.
    pub(super) fn fed(&self, lines: u64) {
        self.fed.inc(lines);
    }

    /// So many lines have been counted.
    pub(super) fn counted(&self, lines: u64) {
        self.counted.inc(lines);
    }

    /// Takes the bars away.
    pub(super) fn done(&self) {
        self.fed.finish_and_clear();
        self.counted.finish_and_clear();
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Screen")
    }
}

fn bar(name: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(bundled::LINES).with_message(name);
    match ProgressStyle::with_template(STYLE) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
