//! What a socket may send straight from a file.

use std::os::fd::BorrowedFd;

use mainstem_protocol::records::RecordsRange;
use mainstem_storage::segment::FileRange;

/// A range of an open file.
#[derive(Debug)]
pub(crate) struct Sendable<'a> {
    /// The file.
    pub(crate) descriptor: BorrowedFd<'a>,
    /// Where the range begins.
    pub(crate) position: u64,
    /// Bytes of the range.
    pub(crate) length: usize,
}

/// The file range behind `records`; none where they are kept in another way.
pub(crate) fn sendable(records: &dyn RecordsRange) -> Option<Sendable<'_>> {
    let range: &FileRange = records.as_any().downcast_ref()?;
    let descriptor = range.file().as_fd()?;
    Some(Sendable { descriptor, position: range.position(), length: range.len() })
}
