//! Why the broker did not start, and what to do about it.

use std::io::ErrorKind;

use mainstem_storage::disk::LockError;
use mainstem_storage::store::OpenError;

use crate::broker::StartError;
use crate::cli::Error;

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        let advice = match &error {
            StartError::Listener(error) => Some(address(error.source.kind(), "--listen", "listeners")),
            StartError::Http(error) => Some(address(error.source.kind(), "--http", "http.listener")),
            error => advice(error).map(str::to_owned),
        };
        let error = Self::new(format_args!("the broker did not start: {error}"));
        match advice {
            Some(advice) => error.advise(advice),
            None => error,
        }
    }
}

fn advice(error: &StartError) -> Option<&'static str> {
    match error {
        StartError::Directory { .. } => Some("choose another directory with --data (setting log.dir)"),
        StartError::Log(OpenError::Lock(LockError::Io { .. })) => {
            Some("see to it that this user may write there, or choose another directory with --data")
        }
        StartError::Log(OpenError::Lock(LockError::Held { .. })) => {
            Some("one broker at a time: stop that one first, or choose another directory with --data")
        }
        StartError::Log(_) => Some("`mainstem verify DIR` says what is wrong with a data directory"),
        StartError::Groups(_)
        | StartError::NoListener
        | StartError::Panicked(_)
        | StartError::Listener(_)
        | StartError::Http(_) => None,
    }
}

/// What to do about an address that cannot be had.
fn address(kind: ErrorKind, flag: &str, setting: &str) -> String {
    let why = match kind {
        ErrorKind::AddrInUse => "another program has it (`ss -ltnp` says which): ",
        ErrorKind::AddrNotAvailable => "this machine has no such address (`ip address` lists them): ",
        ErrorKind::PermissionDenied => "ports below 1024 are for root: ",
        _ => "",
    };
    format!("{why}choose another address with {flag} (setting {setting}); port 0 picks a free one")
}
