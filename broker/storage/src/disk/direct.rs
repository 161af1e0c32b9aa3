//! Past the page cache, and out of it: calls that `std` does not have.

use std::{io, ops::Range, os::fd::BorrowedFd};

use rustix::{fd::AsRawFd, io::Errno};

use super::PAGE_BYTES;

/// Bytes that are read at once: large enough for a disk's full speed, small enough to keep.
const CHUNK_BYTES: usize = 1024 * 1024;
const PAGE: usize = PAGE_BYTES as usize;

/// Reads from a descriptor with `O_DIRECT`, which wants memory, position and count in whole pages.
pub(super) fn read(file: BorrowedFd<'_>, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut memory = vec![0; CHUNK_BYTES.min(buffer.len().next_multiple_of(PAGE) + PAGE) + PAGE];
    let aligned = memory.as_ptr().align_offset(PAGE);
    let chunk = memory.get_mut(aligned..).unwrap_or_default();
    let whole = chunk.len() / PAGE * PAGE;
    let chunk = chunk.get_mut(..whole).unwrap_or_default();
    let mut count = 0;
    while count < buffer.len() {
        let at = position + count as u64;
        let page = at / PAGE_BYTES * PAGE_BYTES;
        let read = pread(file, chunk, page)?;
        let skipped = (at - page) as usize;
        let Some(fresh) = chunk.get(skipped..read).filter(|fresh| !fresh.is_empty()) else { break };
        let taken = fresh.len().min(buffer.len() - count);
        buffer[count..count + taken].copy_from_slice(&fresh[..taken]);
        count += taken;
    }
    Ok(count)
}

fn pread(file: BorrowedFd<'_>, chunk: &mut [u8], position: u64) -> io::Result<usize> {
    loop {
        match rustix::io::pread(file, &mut *chunk, position) {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Starts the write-back of a range without waiting for it and without dropping it from the cache.
pub(super) fn start_writeback(file: BorrowedFd<'_>, range: Range<u64>) -> io::Result<()> {
    // To the kernel a length of 0 means everything up to the end of the file.
    if range.is_empty() { Ok(()) } else { sync_range(file, range, libc::SYNC_FILE_RANGE_WRITE) }
}

/// Writes all of a file's dirty pages and waits for them; an error of any of them since the descriptor was opened is
/// told here. No metadata is written, and the medium's own cache is not flushed.
pub(super) fn wait_for_writeback(file: BorrowedFd<'_>) -> io::Result<()> {
    let (before, write, after) =
        (libc::SYNC_FILE_RANGE_WAIT_BEFORE, libc::SYNC_FILE_RANGE_WRITE, libc::SYNC_FILE_RANGE_WAIT_AFTER);
    sync_range(file, 0..0, before | write | after)
}

#[expect(unsafe_code, reason = "rustix has no sync_file_range")]
fn sync_range(file: BorrowedFd<'_>, range: Range<u64>, flags: libc::c_uint) -> io::Result<()> {
    let offset = |at: u64| libc::off64_t::try_from(at).map_err(io::Error::other);
    let (start, len) = (offset(range.start)?, offset(range.end.saturating_sub(range.start))?);
    // SAFETY: the call takes numbers alone and the descriptor is open for as long as it is borrowed.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), start, len, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
