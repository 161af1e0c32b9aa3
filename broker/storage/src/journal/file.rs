//! A journal file: its name, its header, and how big it may be.

use std::path::PathBuf;

use crate::{
    caps::{BLOCK_BYTES, FRAME_PAYLOAD_BYTES_MAX, JOURNAL_FILES_MIN},
    ids::{Incarnation, Lsn},
    journal::frame::FRAME_HEADER_BYTES,
};

/// The folder of the journal.
pub(crate) const FOLDER: &str = "journal";

const MAGIC: [u8; 8] = *b"MSTMJRNL";
/// The format that is written.
pub(crate) const VERSION: u32 = 1;
const CRC_RANGE: std::ops::Range<usize> = 16..48;

/// A journal's files are at most this big.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The first file of a new journal, so that a start does not wait for more.
const FIRST_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
const FILE_BYTES_MIN: u64 = 64 * 1024;

/// The first block of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) number: u64,
    pub(crate) first: Lsn,
    pub(crate) incarnation: Incarnation,
    pub(crate) file_bytes: u64,
}

/// Why a block is not a file's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHeader {
    /// Zeros, or rot.
    Unreadable,
    /// Written by a newer version.
    Newer(u32),
}

impl FileHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut block = vec![0; BLOCK_BYTES as usize];
        block[..8].copy_from_slice(&MAGIC);
        block[8..12].copy_from_slice(&VERSION.to_le_bytes());
        block[16..24].copy_from_slice(&self.number.to_le_bytes());
        block[24..32].copy_from_slice(&self.first.0.to_le_bytes());
        block[32..40].copy_from_slice(&self.incarnation.0.to_le_bytes());
        block[40..48].copy_from_slice(&self.file_bytes.to_le_bytes());
        let crc = crc32fast::hash(&block[CRC_RANGE]);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        block
    }

    pub(crate) fn decode(block: &[u8]) -> Result<Self, NoHeader> {
        let block: &[u8; 48] = block.first_chunk().ok_or(NoHeader::Unreadable)?;
        if block[..8] != MAGIC {
            return Err(NoHeader::Unreadable);
        }
        let version = u32::from_le_bytes(field(block, 8));
        if version > VERSION {
            return Err(NoHeader::Newer(version));
        }
        if u32::from_le_bytes(field(block, 12)) != crc32fast::hash(&block[CRC_RANGE]) {
            return Err(NoHeader::Unreadable);
        }
        Ok(Self {
            number: u64::from_le_bytes(field(block, 16)),
            first: Lsn(u64::from_le_bytes(field(block, 24))),
            incarnation: Incarnation(u64::from_le_bytes(field(block, 32))),
            file_bytes: u64::from_le_bytes(field(block, 40)),
        })
    }
}

fn field<const N: usize>(block: &[u8; 48], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&block[at..at + N]);
    field
}

/// How big the journal, its files and its frames may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) journal_bytes: u64,
    pub(crate) file_bytes: u64,
    pub(crate) first_file_bytes: u64,
    /// Payload of one frame.
    pub(crate) payload_bytes_max: u64,
}

impl Layout {
    pub(crate) fn new(journal_bytes: u64) -> Self {
        let sixteenth =
            (journal_bytes / 16).clamp(FILE_BYTES_MIN, FILE_BYTES_MAX) / BLOCK_BYTES * BLOCK_BYTES;
        let journal_bytes = journal_bytes.max(sixteenth * JOURNAL_FILES_MIN);
        Self {
            journal_bytes,
            file_bytes: sixteenth,
            first_file_bytes: sixteenth.min(FIRST_FILE_BYTES_MAX),
            payload_bytes_max: (sixteenth / 8).min(FRAME_PAYLOAD_BYTES_MAX),
        }
    }

    /// Bytes that the largest frame takes; a file may stay empty at its end by that much.
    pub(crate) fn frame_bytes_max(&self) -> u64 {
        padded(self.payload_bytes_max + FRAME_HEADER_BYTES as u64)
    }

    /// Bytes of the largest append group (rule 10).
    pub(crate) fn group_bytes_max(&self) -> u64 {
        self.journal_bytes / 4
    }

    /// What a file of this size surely holds.
    pub(crate) fn usable(&self, file_bytes: u64) -> u64 {
        file_bytes.saturating_sub(BLOCK_BYTES + self.frame_bytes_max())
    }
}

/// Rounded up to whole blocks.
pub(crate) const fn padded(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}

pub(crate) fn path(number: u64) -> PathBuf {
    PathBuf::from(FOLDER).join(format!("{number:020}.journal"))
}

/// The number in a file's name.
pub(crate) fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".journal").filter(|digits| digits.len() == 20)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_as_written_and_a_newer_one_is_named() {
        let header =
            FileHeader { number: 3, first: Lsn(9), incarnation: Incarnation(2), file_bytes: 1 << 20 };
        let mut block = header.encode();
        assert_eq!(FileHeader::decode(&block), Ok(header));
        block[20] ^= 1;
        assert_eq!(FileHeader::decode(&block), Err(NoHeader::Unreadable));
        block[8] = 2;
        assert_eq!(FileHeader::decode(&block), Err(NoHeader::Newer(2)));
    }

    #[test]
    fn names_lead_back_to_their_numbers() {
        assert_eq!(number("00000000000000000042.journal"), Some(42));
        assert_eq!(path(42), PathBuf::from("journal/00000000000000000042.journal"));
        assert_eq!(number("42.journal"), None);
    }
}
