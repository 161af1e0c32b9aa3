//! Why the broker did not start, and what to do about it.

use mainstem_storage::store::OpenError;

use crate::broker::StartError;
use crate::cli::Error;

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        let advice = advice(&error);
        let error = Self::new(format_args!("the broker did not start: {error}"));
        match advice {
            Some(advice) => error.advise(advice),
            None => error,
        }
    }
}

fn advice(error: &StartError) -> Option<&'static str> {
    match error {
        StartError::Listener(_) => Some("choose another address with --listen; port 0 picks a free one"),
        StartError::Http(_) => Some("choose another address with --http; port 0 picks a free one"),
        StartError::Directory { .. } => Some("choose another directory with --data"),
        StartError::Log(OpenError::Lock(_)) => {
            Some("one broker at a time: stop that one first, or choose another directory with --data")
        }
        StartError::Log(_) => Some("`mainstem verify DIR` says what is wrong with a data directory"),
        StartError::Groups(_) | StartError::NoListener | StartError::Panicked(_) => None,
    }
}
