//! What may be wrong with state on disk.

use std::path::PathBuf;

use mainstem_client::Text;

/// A store on disk that cannot be read or written. Nothing is lost: its changelog holds everything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("store {store} cannot be {verb} on disk: {cause}")]
pub struct StoreFault {
    /// The store.
    pub store: Text,
    /// Opened, read or written.
    pub verb: &'static str,
    /// What is wrong.
    pub cause: String,
}

impl StoreFault {
    pub(crate) fn new(store: &Text, verb: &'static str, cause: &fjall::Error) -> Self {
        Self { store: store.clone(), verb, cause: phrase(cause) }
    }
}

/// Why a directory of state cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// Somebody else does.
    #[error("state directory {} is in use by another process; give each process its own", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Another version of this program, or something else altogether, has written it.
    #[error(
        "state directory {} has format {found}, and this version knows {known}; run the version that wrote it, \
         or delete the directory: its stores come back from their changelogs",
        path.display()
    )]
    Version {
        /// The directory.
        path: PathBuf,
        /// The version that it has.
        found: String,
        /// The newest version that is known.
        known: u32,
    },
    /// It is not what was written.
    #[error(
        "state directory {} is damaged: {cause}; delete it: its stores come back from their changelogs",
        path.display()
    )]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The system refuses.
    #[error("state directory {} cannot be used: {cause}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// Too little memory to work with.
    #[error("{found} bytes of memory are too few for state on disk; give it at least {least}")]
    Memory {
        /// What was given.
        found: u64,
        /// The least that does.
        least: u64,
    },
}

/// The engine's errors as lower-case phrases.
pub(crate) fn phrase(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(error) => error.to_string(),
        fjall::Error::Poisoned => "an earlier write has failed; start the process again".to_owned(),
        fjall::Error::Locked => "somebody else has locked it".to_owned(),
        other => format!("{other:?}"),
    }
}
