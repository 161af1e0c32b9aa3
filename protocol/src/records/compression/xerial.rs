//! Snappy in the framing of xerial's snappy-java: 16 bytes of header, then blocks, each behind its length
//! (`i32`, big-endian). Bytes without that header are one bare block of snappy.

use std::io::{self, Write};

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::DecompressError;

const MAGIC: [u8; 8] = *b"\x82SNAPPY\x00";

/// The magic, the version and the oldest version that can read it: both 1, and nobody looks.
const HEADER: [u8; 16] = *b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";

/// Bytes that a block yields (Java: `SnappyOutputStream`'s default).
const BLOCK_BYTES: usize = 32 * 1024;

/// No byte of snappy yields more than this: three of them copy 64. A block that promises more lies.
const RATIO_MAX: usize = 32;

pub(super) fn write(encoder: &mut Encoder, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    output.write_all(&HEADER)?;
    for block in input.chunks(BLOCK_BYTES) {
        let start = output.len() + 4;
        output.resize(start + max_compress_len(block.len()), 0);
        let written = encoder.compress(block, &mut output[start..])?;
        output[start - 4..start].copy_from_slice(&(written as u32).to_be_bytes());
        output.truncate(start + written);
    }
    Ok(())
}

/// Reads framed and bare snappy, block by block.
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    framed: bool,
    block: &'a mut Vec<u8>,
    start: usize,
    end: usize,
    limit: usize,
}

impl<'a> Reader<'a> {
    /// A reader whose blocks go to `block` and may have `limit` bytes.
    pub(super) fn new(input: &'a [u8], block: &'a mut Vec<u8>, limit: usize) -> Self {
        Self { input, framed: input.starts_with(&MAGIC), block, start: 0, end: 0, limit }
    }

    pub(super) fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.start == self.end && !self.input.is_empty() {
            let compressed = if self.framed { self.next_block()? } else { std::mem::take(&mut self.input) };
            self.decompress(compressed)?;
        }
        Ok(&self.block[self.start..self.end])
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }

    /// Streams may follow one another, each with its own header.
    fn next_block(&mut self) -> io::Result<&'a [u8]> {
        if self.input.starts_with(&MAGIC) {
            self.take(HEADER.len())?;
            return Ok(&[]);
        }
        let length = self.take(4)?;
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        self.take(length)
    }

    fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let ended = || io::Error::new(io::ErrorKind::UnexpectedEof, "input ends inside a block");
        self.input.split_off(..count).ok_or_else(ended)
    }

    fn decompress(&mut self, compressed: &[u8]) -> io::Result<()> {
        (self.start, self.end) = (0, 0);
        if compressed.is_empty() {
            return Ok(());
        }
        let promised = decompress_len(compressed)?;
        if promised > self.limit {
            return Err(io::Error::other(DecompressError::TooLarge { limit: self.limit }));
        }
        if promised > compressed.len().saturating_mul(RATIO_MAX) {
            return Err(io::Error::other("block promises more than it can hold"));
        }
        if self.block.len() < promised {
            self.block.resize(promised, 0);
        }
        self.end = Decoder::new().decompress(compressed, self.block)?;
        Ok(())
    }
}
