//! Checkpoints as files: found, read, and written into space that was reserved for them.

use std::{
    io::{self, IoSlice},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Checkpoint;
use crate::{
    codec::Decoder,
    disk::{
        Disk, DiskFile, Open,
        whole::{self, TEMPORARY_SUFFIX},
    },
    envelope::{EnvelopeError, Kind, undecodable},
    ids::Lsn,
};

/// The folder of checkpoints.
pub(crate) const FOLDER: &str = "checkpoint";

const KIND: Kind = Kind { magic: *b"MSTMCKPT", version: 1 };
const RESERVE_BYTES_MIN: u64 = 64 * 1024;

/// What a start finds.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) checkpoint: Checkpoint,
    /// A newer one that cannot be read, where there is one: then the journal must reach as far as its LSN.
    pub(crate) damaged: Option<(Lsn, EnvelopeError)>,
}

pub(crate) fn path(lsn: Lsn) -> PathBuf {
    Path::new(FOLDER).join(format!("{:020}.checkpoint", lsn.0))
}

/// The LSN in a checkpoint's name.
pub(crate) fn lsn_of(name: &str) -> Option<Lsn> {
    let digits = name.strip_suffix(".checkpoint").filter(|digits| digits.len() == 20)?;
    digits.parse().ok().map(Lsn)
}

fn reserve_path() -> PathBuf {
    Path::new(FOLDER).join(format!("next{TEMPORARY_SUFFIX}"))
}

/// The newest checkpoint that can be read; `None` where there is no checkpoint at all.
pub(crate) fn find(disk: &dyn Disk) -> Result<Option<Found>, EnvelopeError> {
    let mut damaged = None;
    for lsn in newest_first(disk)? {
        match read(disk, lsn) {
            Ok(checkpoint) => return Ok(Some(Found { checkpoint, damaged })),
            Err(error @ EnvelopeError::Damaged { .. }) => drop(damaged.get_or_insert((lsn, error))),
            Err(error) => return Err(error),
        }
    }
    damaged.map_or(Ok(None), |(_, error)| Err(error))
}

fn newest_first(disk: &dyn Disk) -> Result<Vec<Lsn>, EnvelopeError> {
    let io = |source| EnvelopeError::Io { path: FOLDER.into(), source };
    let mut lsns: Vec<_> =
        disk.list(Path::new(FOLDER)).map_err(io)?.iter().filter_map(|entry| lsn_of(&entry.name)).collect();
    lsns.sort_unstable_by(|left, right| right.cmp(left));
    Ok(lsns)
}

pub(crate) fn read(disk: &dyn Disk, lsn: Lsn) -> Result<Checkpoint, EnvelopeError> {
    let path = path(lsn);
    let gone = || EnvelopeError::Io { path: path.clone(), source: io::ErrorKind::NotFound.into() };
    let content = KIND.read(disk, &path)?.ok_or_else(gone)?;
    let bytes = content.len();
    Checkpoint::decode(Decoder(content)).map_err(|error| undecodable(&path, bytes, error))
}

/// Writes one without a reserve.
pub(crate) fn write(disk: &dyn Disk, checkpoint: &Checkpoint) -> io::Result<()> {
    whole::replace(disk, &path(checkpoint.lsn), &KIND.seal(checkpoint.encode()))
}

/// Space for the next checkpoint, so that a full disk does not stop the one thing that frees the journal (rule 15).
#[derive(Debug)]
pub(crate) struct Reserve {
    disk: Arc<dyn Disk>,
    file: Option<Arc<dyn DiskFile>>,
}

impl Reserve {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, file: None }
    }

    /// Allocates space for one of `bytes`, and as much again. Without space the next one has to find its own.
    pub(crate) fn refill(&mut self, bytes: u64) -> io::Result<()> {
        let file = self.disk.open(&reserve_path(), Open::Create)?;
        file.allocate(0..(2 * bytes).max(RESERVE_BYTES_MIN))?;
        self.file = Some(file);
        Ok(())
    }

    /// Writes a checkpoint, which is valid from the last step on: create, sync, rename, sync the folder (rule 14).
    /// Returns its bytes.
    pub(crate) fn write(&mut self, checkpoint: &Checkpoint) -> io::Result<u64> {
        let bytes = KIND.seal(checkpoint.encode());
        let file = match self.file.take() {
            Some(file) => file,
            None => self.disk.open(&reserve_path(), Open::Create)?,
        };
        file.write_at(&[IoSlice::new(&bytes)], 0)?;
        file.set_len(bytes.len() as u64)?;
        file.sync_data()?;
        self.disk.rename(&reserve_path(), &path(checkpoint.lsn))?;
        self.disk.sync_dir(Path::new(FOLDER))?;
        Ok(bytes.len() as u64)
    }

    /// Removes those before `lsn`.
    pub(crate) fn remove_before(&self, lsn: Lsn) -> io::Result<()> {
        for entry in self.disk.list(Path::new(FOLDER))? {
            if lsn_of(&entry.name).is_some_and(|other| other < lsn) {
                self.disk.remove(&Path::new(FOLDER).join(entry.name))?;
            }
        }
        Ok(())
    }
}
