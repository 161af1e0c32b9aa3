//! An offline look at a data directory: every bad range of bytes is named, nothing is changed.
//!
//! - `segments`: batch by batch, up to the end that the checkpoint vouches for; what lies behind it is written anew at
//!   the next start anyhow.
//! - `transactions`: what was aborted, as the log says it and as the index does.
//! - `indexes`: whole or not; they can be made anew.
//! - `folders`: files that should not be there.

mod folders;
mod indexes;
mod segments;
mod transactions;

#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    checkpoint::{self, Checkpoint},
    disk::{Disk, LockError},
    envelope::EnvelopeError,
    images::Images,
    journal::JournalError,
    meta::{self, Identity},
    store::{OpenError, Tail},
};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes that are not what was written, and files that are gone.
    pub damages: Vec<Finding>,
    /// What the next start takes care of.
    pub notes: Vec<Finding>,
    /// Groups that only the journal has.
    pub groups: u64,
    /// Segments that were read.
    pub segments: u64,
    /// Batches whose checksum was computed.
    pub batches: u64,
    /// Bytes of those.
    pub bytes: u64,
}

/// Something about a range of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, below the data directory.
    pub path: PathBuf,
    /// The bytes; none where the file as a whole is meant.
    pub range: Range<u64>,
    /// What is the matter.
    pub what: String,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no data directory.
    #[error("this is not a data directory: there is no meta in it")]
    NoData,
    /// A broker has it, or the lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A newer version wrote it.
    #[error("{0}")]
    Newer(String),
    /// The disk does not answer.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
}

/// Looks at everything on `disk`. Blocks, as long as it takes to read it.
///
/// # Errors
/// Where nothing can be said: there is no data directory, a broker has it, a newer version wrote it, or the disk does
/// not answer.
pub fn verify(disk: &Arc<dyn Disk>) -> Result<Report, VerifyError> {
    let names = list(&**disk, Path::new(""))?;
    if !names.iter().any(|name| name == meta::PATH || name == checkpoint::FOLDER) {
        return Err(VerifyError::NoData);
    }
    let _lock = disk.lock(Path::new("lock"))?;
    let mut report = Report::default();
    let identity = report.identity(&**disk)?;
    let Some(checkpoint) = report.checkpoint(&**disk)? else { return Ok(report) };
    let is_clean = checkpoint.is_clean
        && identity.is_some_and(|identity| identity.incarnation == checkpoint.incarnation);
    let images = report.journal(disk, &checkpoint, is_clean)?;
    segments::verify(&**disk, &checkpoint, &images, &mut report)?;
    indexes::verify(&**disk, &images, is_clean, &mut report)?;
    folders::verify(&**disk, &images, &mut report)?;
    Ok(report)
}

impl Report {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.damages.is_empty()
    }

    fn damage(&mut self, path: impl Into<PathBuf>, range: Range<u64>, what: impl Into<String>) {
        self.damages.push(Finding { path: path.into(), range, what: what.into() });
    }

    fn note(&mut self, path: impl Into<PathBuf>, what: impl Into<String>) {
        self.notes.push(Finding { path: path.into(), range: 0..0, what: what.into() });
    }

    fn identity(&mut self, disk: &dyn Disk) -> Result<Option<Identity>, VerifyError> {
        match Identity::read(disk) {
            Ok(Some(identity)) => return Ok(Some(identity)),
            Ok(None) => self.damage(meta::PATH, 0..0, "it is missing"),
            Err(error) => self.envelope(error)?,
        }
        Ok(None)
    }

    fn envelope(&mut self, error: EnvelopeError) -> Result<(), VerifyError> {
        match error {
            EnvelopeError::Io { path, source } => return Err(VerifyError::Io { path, source }),
            EnvelopeError::Newer { .. } => return Err(VerifyError::Newer(error.to_string())),
            EnvelopeError::Damaged { path, bytes, what } => self.damage(path, 0..bytes, what),
        }
        Ok(())
    }

    /// The newest checkpoint that can be read; those that cannot are named.
    fn checkpoint(&mut self, disk: &dyn Disk) -> Result<Option<Checkpoint>, VerifyError> {
        let mut lsns: Vec<_> = list(disk, Path::new(checkpoint::FOLDER))?
            .iter()
            .filter_map(|name| checkpoint::lsn_of(name))
            .collect();
        lsns.sort_unstable();
        let mut newest = None;
        for lsn in lsns {
            match checkpoint::read(disk, lsn) {
                Ok(checkpoint) => newest = Some(checkpoint),
                Err(error) => self.envelope(error)?,
            }
        }
        if newest.is_none() {
            self.damage(checkpoint::FOLDER, 0..0, "there is no checkpoint that can be read");
        }
        Ok(newest)
    }

    /// Folds the journal's tail, as a start would.
    fn journal(
        &mut self,
        disk: &Arc<dyn Disk>,
        checkpoint: &Checkpoint,
        is_clean: bool,
    ) -> Result<Images, VerifyError> {
        let mut images = Images::of(checkpoint.clone());
        let folded = Tail::open(disk, checkpoint).and_then(|mut tail| {
            while !is_clean && let Some(group) = tail.next()? {
                group.apply(&mut images)?;
                self.groups += 1;
            }
            Ok(())
        });
        match folded {
            Ok(()) => {}
            Err(OpenError::Journal(JournalError::Damaged { path, range, what })) => {
                self.damage(path, range, what)
            }
            Err(OpenError::Journal(JournalError::Missing { path })) => {
                self.damage(path, 0..0, "it is missing")
            }
            Err(OpenError::Journal(JournalError::Io { path, source })) => {
                return Err(VerifyError::Io { path, source });
            }
            Err(OpenError::Journal(error @ JournalError::Newer { .. })) => {
                return Err(VerifyError::Newer(error.to_string()));
            }
            Err(OpenError::Inconsistent { path, what }) => self.damage(path, 0..0, what),
            Err(error) => self.damage("journal", 0..0, error.to_string()),
        }
        Ok(images)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, range, what } = self;
        if range.is_empty() {
            return write!(f, "{}: {what}", path.display());
        }
        write!(f, "{}: bytes {} to {}: {what}", path.display(), range.start, range.end)
    }
}

/// Names in a folder; none where there is no such folder.
fn list(disk: &dyn Disk, folder: &Path) -> Result<Vec<String>, VerifyError> {
    match disk.list(folder) {
        Ok(entries) => Ok(entries.into_iter().map(|entry| entry.name).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(VerifyError::Io { path: folder.to_owned(), source }),
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> VerifyError {
    move |source| VerifyError::Io { path: path.to_owned(), source }
}
