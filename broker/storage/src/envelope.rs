//! What surrounds `meta` and checkpoints: magic, version, checksum, length; written whole or not at all.

use std::{
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::{
    caps,
    codec::{DecodeError, Encoder},
    disk::{Disk, whole},
};

/// Which file this is, and the newest format that is known of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) magic: [u8; 8],
    pub(crate) version: u32,
}

/// Why an envelope cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The disk does not give the file.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// The bytes are not what was written.
    #[error("{path} is damaged, bytes 0 to {bytes}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A newer version wrote it.
    #[error("{path} has format {version}, this version knows {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
        /// The newest one that is known.
        known: u32,
    },
}

const HEADER_BYTES: usize = 24;

impl Kind {
    /// The envelope around `content`.
    pub(crate) fn seal(self, content: Encoder) -> Vec<u8> {
        let mut bytes = Encoder(Vec::with_capacity(HEADER_BYTES + content.0.len()));
        bytes.0.extend(self.magic);
        bytes.u32(self.version);
        bytes.u32(0);
        bytes.u64(content.0.len() as u64);
        bytes.0.extend(content.0);
        let crc = crc32fast::hash(&bytes.0[16..]);
        bytes.0[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes.0
    }

    /// Reads the file at `path`; `None` where there is none.
    pub(crate) fn read(self, disk: &dyn Disk, path: &Path) -> Result<Option<Bytes>, EnvelopeError> {
        match whole::read_direct(disk, path) {
            Ok(bytes) => self.open(path, bytes.into()).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(damaged(path, caps::WHOLE_FILE_BYTES_MAX as usize, "it goes on behind that"))
            }
            Err(source) => Err(EnvelopeError::Io { path: path.to_owned(), source }),
        }
    }

    fn open(self, path: &Path, bytes: Bytes) -> Result<Bytes, EnvelopeError> {
        let damaged = |what| damaged(path, bytes.len(), what);
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or_else(|| damaged("it is too short"))?;
        if header[..8] != self.magic {
            return Err(damaged("it does not begin as it should"));
        }
        let [.., v0, v1, v2, v3] = *header.first_chunk::<12>().unwrap_or(&[0; 12]);
        let version = u32::from_le_bytes([v0, v1, v2, v3]);
        if version > self.version {
            return Err(EnvelopeError::Newer { path: path.to_owned(), version, known: self.version });
        }
        if version == 0 {
            return Err(damaged("it has no format"));
        }
        if header[12..16] != crc32fast::hash(&bytes[16..]).to_le_bytes() {
            return Err(damaged("the checksum is wrong"));
        }
        Ok(bytes.slice(HEADER_BYTES..))
    }
}

fn damaged(path: &Path, bytes: usize, what: &str) -> EnvelopeError {
    EnvelopeError::Damaged { path: path.to_owned(), bytes: bytes as u64, what: what.to_owned() }
}

/// Content that passed its checksum and yet makes no sense.
pub(crate) fn undecodable(path: &Path, bytes: usize, error: DecodeError) -> EnvelopeError {
    damaged(path, bytes, &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Open, RealDisk};

    const KIND: Kind = Kind { magic: *b"MSTMTEST", version: 1 };

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let sealed = KIND.seal(Encoder(b"content".to_vec()));
        let open = |bytes: Vec<u8>| KIND.open(Path::new("x"), bytes.into());
        assert_eq!(open(sealed.clone()).unwrap(), "content");
        for bit in 0..sealed.len() * 8 {
            let mut bytes = sealed.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(open(bytes).is_err(), "bit {bit}");
        }
        for end in 0..sealed.len() {
            assert!(open(sealed[..end].to_vec()).is_err(), "{end}");
        }
    }

    #[test]
    fn a_file_beyond_the_cap_is_damaged_and_is_not_read() {
        let folder = crate::disk::tests::Folder::new();
        let (disk, path) = (RealDisk::new(folder.path()), Path::new("x"));
        // It has holes only, so that nothing is written.
        disk.open(path, Open::Create).unwrap().set_len(caps::WHOLE_FILE_BYTES_MAX + 1).unwrap();
        let error = KIND.read(&disk, path).unwrap_err();
        assert_eq!(error.to_string(), "x is damaged, bytes 0 to 4294967296: it goes on behind that");
    }

    #[test]
    fn a_newer_format_is_named() {
        let newer = Kind { version: 3, ..KIND }.seal(Encoder::default());
        let error = KIND.open(Path::new("x"), newer.into()).unwrap_err();
        assert_eq!(error.to_string(), "x has format 3, this version knows 1");
    }
}
