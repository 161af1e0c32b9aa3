//! Segments: every batch whole, its checksum right, its offsets behind those before it.

use std::{io, ops::Range, path::Path, sync::Arc};

use mainstem_protocol::{
    Offset,
    records::{BatchHeader, crc32c, header::HEADER_BYTES},
};

use super::{Report, VerifyError, io_error, transactions::Transactions};
use crate::{
    checkpoint::Checkpoint,
    disk::{Disk, DiskFile, Open},
    images::Images,
    partition::partition_folder,
    segment::file_name,
    state::{SegmentState, marker_of},
    store::segments_of,
};

const WINDOW_BYTES: u64 = 1024 * 1024;
/// Where the checksummed part of a batch begins.
const CRC_START: usize = 21;

/// Looks at the segments that the checkpoint vouches for and that are not deleted since.
pub(super) fn verify(
    disk: &dyn Disk,
    checkpoint: &Checkpoint,
    images: &Images,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let (mut last, mut transactions) = (None, Transactions::default());
    for ((topic, partition, _), segment) in segments_of(checkpoint) {
        if last.replace((topic, partition)) != Some((topic, partition)) {
            transactions = Transactions::of(images, topic, partition);
        }
        if images.has_segment(topic, partition, segment.id()) {
            let path = partition_folder(topic, partition).join(file_name(segment.id(), "log"));
            verify_segment(disk, &path, &segment, &mut transactions, report)?;
        }
    }
    Ok(())
}

fn verify_segment(
    disk: &dyn Disk,
    path: &Path,
    segment: &SegmentState,
    transactions: &mut Transactions,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let file = match disk.open(path, Open::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            report.damage(path, 0..segment.end_position, "it is missing");
            return Ok(());
        }
        Err(error) => return Err(io_error(path)(error)),
    };
    report.segments += 1;
    let len = file.len().map_err(io_error(path))?;
    let end = len.min(segment.end_position);
    if len < segment.end_position {
        report.damage(path, len..segment.end_position, "it is too short");
    }
    // What a cleaning left does not tell any more what began where.
    transactions.heed(segment.revision == 0);
    let walk =
        Walk { file, path, end, position: 0, least: segment.base, transactions, held: Vec::new(), start: 0 };
    walk.run(report)
}

struct Walk<'a> {
    file: Arc<dyn DiskFile>,
    path: &'a Path,
    end: u64,
    position: u64,
    /// The lowest offset that the next batch may have.
    least: Offset,
    transactions: &'a mut Transactions,
    held: Vec<u8>,
    start: u64,
}

impl Walk<'_> {
    fn run(mut self, report: &mut Report) -> Result<(), VerifyError> {
        while self.position < self.end {
            let Some(header) = self.header()? else {
                report.damage(self.path, self.position..self.end, "no batch can be read here");
                self.transactions.heed(false);
                return Ok(());
            };
            let range = self.position..self.position + header.size() as u64;
            self.check(&header, range.clone(), report)?;
            report.batches += 1;
            report.bytes += header.size() as u64;
            self.least = header.next_offset();
            self.position = range.end;
        }
        Ok(())
    }

    /// The header at the position; `None` where there is none, or the batch would reach behind the end.
    fn header(&mut self) -> Result<Option<BatchHeader>, VerifyError> {
        let left = self.end - self.position;
        let bytes = self.bytes(left.min(HEADER_BYTES as u64))?;
        let header = BatchHeader::parse(bytes).ok();
        Ok(header.filter(|header| header.size() as u64 <= left && header.base_offset >= self.least))
    }

    fn check(
        &mut self,
        header: &BatchHeader,
        range: Range<u64>,
        report: &mut Report,
    ) -> Result<(), VerifyError> {
        let bytes = self.bytes(header.size() as u64)?;
        let is_right = bytes.get(CRC_START..).is_some_and(|bytes| crc32c(bytes) == header.crc);
        let marker = marker_of(header, bytes.get(HEADER_BYTES..).unwrap_or_default());
        if !is_right {
            let what = format!("the checksum of the batch at offset {} is wrong", header.base_offset);
            report.damage(self.path, range, what);
            self.transactions.heed(false);
            return Ok(());
        }
        if let Some(what) = self.transactions.note(header, marker) {
            report.damage(self.path, range, what);
        }
        Ok(())
    }

    /// Bytes at the position, past the page cache; fewer where the disk gives fewer.
    fn bytes(&mut self, count: u64) -> Result<&[u8], VerifyError> {
        let held = self.start..self.start + self.held.len() as u64;
        if self.position < held.start || self.position + count > held.end {
            self.load(count).map_err(io_error(self.path))?;
        }
        let at = (self.position - self.start) as usize;
        let end = (at + count as usize).min(self.held.len());
        Ok(self.held.get(at..end).unwrap_or_default())
    }

    fn load(&mut self, count: u64) -> io::Result<()> {
        let wanted = count.max(WINDOW_BYTES).min(self.end - self.position);
        self.held.resize(wanted as usize, 0);
        let read = self.file.read_direct(&mut self.held, self.position)?;
        self.held.truncate(read);
        self.start = self.position;
        Ok(())
    }
}
