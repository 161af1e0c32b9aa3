//! How a command fails: what happened, and what to do next.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::config::ConfigError;

/// The exit code of a command that was called wrongly, as clap has it.
pub(super) const CALLED_WRONGLY: u8 = 2;

/// The exit code of a broker whose disk has failed: to start it again at once is of no use.
const DISK_FAILED: u8 = 3;

/// Why a command ends early.
#[derive(Debug)]
pub(super) struct Error {
    what: String,
    advice: Option<String>,
    code: u8,
    /// The reader of standard output went away, which is no failure of ours.
    is_quiet: bool,
}

impl Error {
    /// The command failed.
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), advice: None, code: 1, is_quiet: false }
    }

    /// The command was called wrongly.
    pub(super) fn usage(what: impl fmt::Display) -> Self {
        Self { code: CALLED_WRONGLY, ..Self::new(what) }
    }

    /// The log could not be written, or not be made durable.
    pub(super) fn disk_failed(why: impl fmt::Display) -> Self {
        let advice = "what was acknowledged is in the log: look into the kernel's log (`dmesg`), and start the broker again \
                      when the disk is sound";
        Self { code: DISK_FAILED, ..Self::new(format_args!("the disk failed: {why}")).advise(advice) }
    }

    /// Says what to do next.
    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// Tells it and ends.
    pub(super) fn exit(self) -> ExitCode {
        if self.is_quiet {
            return ExitCode::SUCCESS;
        }
        // There is nowhere left to tell that standard error is gone.
        let _ = writeln!(io::stderr(), "{self}");
        ExitCode::from(self.code)
    }
}

/// Says something that is no error, beside the results.
pub(super) fn note(text: impl fmt::Display) {
    // A note that nobody takes is none that anybody misses.
    let _ = writeln!(io::stderr(), "mainstem: {text}");
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mainstem: {}", self.what)?;
        self.advice.iter().try_for_each(|advice| write!(f, "\n  {advice}"))
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<io::Error> for Error {
    /// Standard output failed; that its reader went away ends the command quietly.
    fn from(error: io::Error) -> Self {
        let is_quiet = error.kind() == io::ErrorKind::BrokenPipe;
        Self { is_quiet, ..Self::new(format_args!("standard output failed: {error}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_to_do_next() {
        let error = Error::new("connection refused").advise("is a broker running there?");
        assert_eq!(error.to_string(), "mainstem: connection refused\n  is a broker running there?");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        assert!(Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_quiet);
        assert!(!Error::from(io::Error::from(io::ErrorKind::StorageFull)).is_quiet);
    }
}
