//! Writing through a mapping: a small window that slides over the file.

use std::{fs::File, io, io::IoSlice, ops::Range, path::Path};

use memmap2::{Advice, MmapMut, MmapOptions};

use super::{PAGE_BYTES, short};

/// Bytes that are mapped at once: what is behind the window is unmapped, so that it leaves resident memory.
const WINDOW_BYTES: u64 = 1024 * 1024;

/// The part of a file that is mapped for writing.
#[derive(Debug, Default)]
pub(super) struct Window {
    map: Option<MmapMut>,
    range: Range<u64>,
}

impl Window {
    /// Copies the buffers to `position`, sliding on as far as needed. The file has space there.
    pub(super) fn write(
        &mut self,
        file: &File,
        path: &Path,
        buffers: &[IoSlice<'_>],
        mut position: u64,
    ) -> io::Result<()> {
        let bytes: u64 = buffers.iter().map(|buffer| buffer.len() as u64).sum();
        let len = file.metadata()?.len();
        if len < position + bytes {
            return Err(short(path));
        }
        for buffer in buffers {
            let mut rest = &buffer[..];
            while !rest.is_empty() {
                let space = self.at(file, position, len)?;
                let (piece, behind) = rest.split_at(rest.len().min(space.len()));
                space[..piece.len()].copy_from_slice(piece);
                position += piece.len() as u64;
                rest = behind;
            }
        }
        Ok(())
    }

    /// The mapped bytes from `position` on; at least one.
    fn at(&mut self, file: &File, position: u64, len: u64) -> io::Result<&mut [u8]> {
        if !self.range.contains(&position) || self.map.is_none() {
            self.slide(file, position, len)?;
        }
        let within = (position - self.range.start) as usize;
        let map = self.map.as_mut().ok_or(io::ErrorKind::Other)?;
        map.get_mut(within..).ok_or_else(|| io::ErrorKind::Other.into())
    }

    #[expect(unsafe_code, reason = "a mapping is memory that somebody else may change")]
    fn slide(&mut self, file: &File, position: u64, len: u64) -> io::Result<()> {
        self.map = None;
        let start = position / PAGE_BYTES * PAGE_BYTES;
        let range = start..len.min(start + WINDOW_BYTES);
        let bytes = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        // SAFETY: the range lies within the file, which belongs to this process; it is cut only behind its last batch
        // and only when nobody appends; whoever reads it meanwhile looks at bytes before the end alone.
        let map = unsafe { MmapOptions::new().offset(range.start).len(bytes).map_mut(file)? };
        map.advise(Advice::Random)?;
        // Ahead of need, and so that a medium without space is an error here and no SIGBUS at the copy.
        match map.advise(Advice::PopulateWrite) {
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => return Err(error),
            _ => {}
        }
        (self.map, self.range) = (Some(map), range);
        Ok(())
    }
}
