//! Small files, written and read in one piece.

use std::{
    io::{self, IoSlice},
    path::{Path, PathBuf},
};

use super::{Disk, Open};
use crate::caps;

/// What a file that is being written is called until it is whole.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// Gives the file at `path` new contents, durably and in one step: after a power cut there are the old or the new
/// ones, never a mixture (create, sync, rename, sync the folder).
///
/// # Errors
/// What the disk says; then the old contents are still there.
pub fn replace(disk: &dyn Disk, path: &Path, contents: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let file = disk.open(&temporary, Open::Create)?;
    file.set_len(0)?;
    file.write_at(&[IoSlice::new(contents)], 0)?;
    file.sync_data()?;
    disk.rename(&temporary, path)?;
    disk.sync_dir(parent(path))
}

/// All bytes of the file at `path`, past the page cache.
///
/// # Errors
/// What the disk says; [`io::ErrorKind::FileTooLarge`] where there are more than [`caps::WHOLE_FILE_BYTES_MAX`].
pub fn read_direct(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let len = file.len()?;
    if len > caps::WHOLE_FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut contents = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    let count = file.read_direct(&mut contents, 0)?;
    contents.truncate(count);
    Ok(contents)
}

/// The name under which [`replace`] writes.
#[must_use]
pub fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    name.into()
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}
