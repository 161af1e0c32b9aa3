//! Where an embedded broker keeps its data.

use std::{
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// A directory.
#[derive(Debug)]
pub(super) enum Data {
    /// It goes with the broker.
    Temporary(TempDir),
    /// It stays.
    Kept(PathBuf),
}

impl Data {
    pub(super) fn temporary() -> io::Result<Self> {
        tempfile::Builder::new().prefix("mainstem-").tempdir().map(Self::Temporary)
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(directory) => directory.path(),
            Self::Kept(path) => path,
        }
    }
}
