//! Mappings for reading, as bytes that unmap themselves.

use std::{fs::File, io, ops::Range, path::Path};

use bytes::Bytes;
use memmap2::{Advice, Mmap, MmapOptions};

/// Maps a range of a file that lies within it.
#[expect(unsafe_code, reason = "a mapping is memory that somebody else may change")]
pub(super) fn map(file: &File, _path: &Path, range: Range<u64>) -> io::Result<Bytes> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    // SAFETY: the files of a log directory belong to this process (the lock file), which never changes bytes that
    // were once visible and cuts a file only behind them; a medium that fails under a mapping ends the process.
    let map = unsafe { MmapOptions::new().offset(range.start).len(len).map(file)? };
    // Without it the first touch of each file reads megabytes ahead (durability 21).
    map.advise(Advice::Random)?;
    Ok(Bytes::from_owner(Mapping { map }))
}

struct Mapping {
    map: Mmap,
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}
