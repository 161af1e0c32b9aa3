//! Mappings for reading, as bytes that unmap themselves.

use std::{
    fs::File,
    io,
    ops::Range,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use memmap2::{Advice, Mmap, MmapOptions};

use super::{PAGE_BYTES, bus_error};
use crate::caps;

/// Mappings that are open.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Maps a range of a file that lies within it.
#[expect(unsafe_code, reason = "a mapping is memory that somebody else may change")]
pub(super) fn map(file: &File, path: &Path, range: Range<u64>) -> io::Result<Bytes> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let slot = Slot::take()?;
    let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    // SAFETY: the files of a log directory belong to this process (the lock file), which never changes bytes that
    // were once visible and cuts a file only behind them; a medium that fails under a mapping ends the process.
    let map = unsafe { MmapOptions::new().offset(range.start).len(len).map(file)? };
    // Without it the first touch of each file reads megabytes ahead (durability 21).
    map.advise(Advice::Random)?;
    let name = bus_error::Name::register(&map, path, range.start);
    Ok(Bytes::from_owner(Mapping { _name: name, map, _slot: slot }))
}

/// Brings all pages of mapped bytes into memory, so that touching them neither waits nor fails; other bytes are
/// left as they are. Blocks.
///
/// # Errors
/// Where the medium cannot give the bytes.
#[expect(unsafe_code, reason = "there is no safe call for a part of a mapping")]
pub fn populate(bytes: &Bytes) -> io::Result<()> {
    let page = PAGE_BYTES as usize;
    let start = bytes.as_ptr().addr() / page * page;
    let end = (bytes.as_ptr().addr() + bytes.len()).next_multiple_of(page);
    if bytes.is_empty() {
        return Ok(());
    }
    let start: *mut std::ffi::c_void = bytes.as_ptr().with_addr(start).cast_mut().cast();
    let len = end - start.addr();
    // SAFETY: the pages hold `bytes`, which live; the advice reads them and changes nothing.
    let result = unsafe { rustix::mm::madvise(start, len, rustix::mm::Advice::LinuxPopulateRead) };
    match result {
        // A kernel before 5.14 does not know the advice: then the pages come when they are touched.
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

struct Mapping {
    /// Goes before the mapping does.
    _name: bus_error::Name,
    map: Mmap,
    _slot: Slot,
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

/// One of the mappings that there may be.
struct Slot;

impl Slot {
    fn take() -> io::Result<Self> {
        if OPEN.fetch_add(1, Ordering::Relaxed) < caps::MAPS_MAX {
            return Ok(Self);
        }
        OPEN.fetch_sub(1, Ordering::Relaxed);
        Err(io::Error::new(io::ErrorKind::OutOfMemory, "too many mappings are open"))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}
