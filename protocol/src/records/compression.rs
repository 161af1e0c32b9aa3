//! The four compressions of Kafka, at their default levels.
//!
//! What other clients do, and what follows for us:
//!
//! - **gzip**: Java reads several members in a row, so we do too.
//! - **snappy**: Java, sarama and kafka-python write xerial's framing; librdkafka writes one bare snappy block and
//!   reads both; so do we. We write the framing, with Java's block size.
//! - **lz4**: Java refuses linked blocks and dictionaries and skips the content checksum; librdkafka reads
//!   everything. We read everything but dictionaries, check what checksums there are, and write what Java writes:
//!   independent blocks of 64 KiB without checksums.
//! - **zstd**: several frames in a row are read as one stream. We write the content size; others need not.
//!
//! What a batch may yield is bounded: see [`DecompressError::TooLarge`].

mod xerial;

use std::{
    fmt,
    io::{self, BufRead, Read, Write},
};

use bytes::Bytes;
use flate2::{bufread::MultiGzDecoder, write::GzEncoder};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use zstd::zstd_safe::{
    self, CCtx, CParameter, DCtx, InBuffer, OutBuffer, ResetDirective, zstd_sys::ZSTD_EndDirective,
};

use super::attributes::Compression;

/// Bytes of the window through which gzip and zstd are read.
const WINDOW_BYTES: usize = 64 * 1024;

/// Bytes of reusable buffers that are kept from batch to batch; what a large batch needed beyond them is given back.
pub(super) const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of output that are reserved for each byte of input, before it is known what comes out.
const GUESSED_RATIO: usize = 3;

/// Kafka's default level.
const ZSTD_LEVEL: i32 = 3;

/// Why a batch cannot be decompressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// The bytes are not what the attributes say.
    #[error("{} data is malformed: {reason}", compression.name())]
    Malformed {
        /// What the attributes say.
        compression: Compression,
        /// What the codec says.
        reason: String,
    },
    /// The batch yields more than it may.
    #[error("batch yields more than {limit} bytes")]
    TooLarge {
        /// Bytes that it may yield.
        limit: usize,
    },
}

/// Why a batch cannot be compressed: the codec is out of memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot compress with {}: {reason}", compression.name())]
pub struct CompressError {
    compression: Compression,
    reason: String,
}

/// Decompresses batch after batch with the same buffers.
#[derive(Default)]
pub struct Decompressor {
    window: Vec<u8>,
    block: Vec<u8>,
    zstd: Option<DCtx<'static>>,
}

impl Decompressor {
    /// A decompressor. Buffers come when they are needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything that `input` yields.
    ///
    /// # Errors
    /// Where the data is malformed, or yields more than `limit` bytes.
    pub fn decompress(
        &mut self,
        compression: Compression,
        input: &[u8],
        limit: usize,
    ) -> Result<Bytes, DecompressError> {
        let mut output = Vec::with_capacity(input.len().saturating_mul(GUESSED_RATIO).min(limit));
        let mut stream = self.stream(compression, input, limit)?;
        loop {
            let chunk = stream.fill_buf().map_err(|error| malformed(compression, &error))?;
            if chunk.is_empty() {
                return Ok(output.into());
            }
            if chunk.len() > limit - output.len() {
                return Err(DecompressError::TooLarge { limit });
            }
            output.extend_from_slice(chunk);
            let read = chunk.len();
            stream.consume(read);
        }
    }

    /// What `input` yields, piece by piece. Only a block of snappy is ever whole in memory: it may have `limit` bytes;
    /// otherwise whoever reads must count.
    pub(super) fn stream<'a>(
        &'a mut self,
        compression: Compression,
        input: &'a [u8],
        limit: usize,
    ) -> Result<Stream<'a>, DecompressError> {
        self.block.truncate(KEPT_BYTES_MAX);
        self.block.shrink_to(KEPT_BYTES_MAX);
        Ok(match compression {
            Compression::None => Stream::None(input),
            Compression::Gzip => {
                Stream::Gzip(Box::new(Windowed::new(MultiGzDecoder::new(input), &mut self.window)))
            }
            Compression::Snappy => Stream::Snappy(xerial::Reader::new(input, &mut self.block, limit)),
            Compression::Lz4 => Stream::Lz4(Lz4 { frames: FrameDecoder::new(input), ended: false }),
            Compression::Zstd => {
                let context = self.zstd.get_or_insert_with(DCtx::create);
                // What an earlier batch left half read must not be gone on with; this cannot fail for a session.
                let _ = context.reset(ResetDirective::SessionOnly);
                let decoder = zstd::stream::read::Decoder::with_context(input, context);
                Stream::Zstd(Windowed::new(decoder, &mut self.window))
            }
        })
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor").field("block", &self.block.len()).finish_non_exhaustive()
    }
}

pub(super) fn malformed(compression: Compression, error: &io::Error) -> DecompressError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<DecompressError>()) {
        Some(error) => error.clone(),
        None => DecompressError::Malformed { compression, reason: error.to_string() },
    }
}

/// The bytes of one batch as they come out of a codec; ends with an empty buffer.
pub(super) enum Stream<'a> {
    None(&'a [u8]),
    Gzip(Box<Windowed<'a, MultiGzDecoder<&'a [u8]>>>),
    Snappy(xerial::Reader<'a>),
    Lz4(Lz4<'a>),
    Zstd(Windowed<'a, zstd::stream::read::Decoder<'a, &'a [u8]>>),
}

impl BufRead for Stream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::None(bytes) => Ok(bytes),
            Self::Gzip(stream) => stream.fill_buf(),
            Self::Snappy(stream) => stream.fill_buf(),
            Self::Lz4(stream) => stream.fill_buf(),
            Self::Zstd(stream) => stream.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        match self {
            Self::None(bytes) => bytes.consume(count),
            Self::Gzip(stream) => stream.consume(count),
            Self::Snappy(stream) => stream.consume(count),
            Self::Lz4(stream) => stream.frames.consume(count),
            Self::Zstd(stream) => stream.consume(count),
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// The first frame; Java too stops at its end mark.
pub(super) struct Lz4<'a> {
    frames: FrameDecoder<&'a [u8]>,
    ended: bool,
}

impl Lz4<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ended {
            return Ok(&[]);
        }
        let chunk = self.frames.fill_buf()?;
        self.ended = chunk.is_empty();
        Ok(chunk)
    }
}

/// Reads a decoder through a buffer that somebody else keeps.
pub(super) struct Windowed<'a, R> {
    decoder: R,
    window: &'a mut [u8],
    start: usize,
    end: usize,
}

impl<'a, R: Read> Windowed<'a, R> {
    fn new(decoder: R, window: &'a mut Vec<u8>) -> Self {
        window.resize(WINDOW_BYTES, 0);
        Self { decoder, window, start: 0, end: 0 }
    }

    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.decoder.read(self.window)?;
        }
        Ok(&self.window[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}

/// Compresses batch after batch with the same contexts.
#[derive(Default)]
pub struct Compressor {
    snappy: Option<snap::raw::Encoder>,
    zstd: Option<CCtx<'static>>,
}

impl Compressor {
    /// A compressor. Contexts come when they are needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Compresses `input` to the end of `output`.
    ///
    /// # Errors
    /// Where the codec runs out of memory; what `output` holds then is of no use.
    pub fn compress(
        &mut self,
        compression: Compression,
        input: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        self.compress_at(compression, None, input, output)
    }

    /// Compresses `input` to the end of `output`, at a level that the codec knows: gzip from 1 to 9, zstd from -131072
    /// to 22. The others have none, and none asks for Kafka's default.
    ///
    /// # Errors
    /// Where the codec runs out of memory; what `output` holds then is of no use.
    pub fn compress_at(
        &mut self,
        compression: Compression,
        level: Option<i32>,
        input: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        let failed = |error: io::Error| CompressError { compression, reason: error.to_string() };
        match compression {
            Compression::None => output.write_all(input),
            Compression::Gzip => gzip(level, input, output),
            Compression::Snappy => {
                xerial::write(self.snappy.get_or_insert_with(snap::raw::Encoder::new), input, output)
            }
            Compression::Lz4 => lz4(input, output),
            Compression::Zstd => self.zstd(level.unwrap_or(ZSTD_LEVEL), input, output),
        }
        .map_err(failed)
    }

    fn zstd(&mut self, level: i32, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        let failed = |code| io::Error::other(zstd_safe::get_error_name(code));
        let context = self.zstd.get_or_insert_with(CCtx::create);
        context.reset(ResetDirective::SessionOnly).map_err(failed)?;
        context.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
        context.set_pledged_src_size(Some(input.len() as u64)).map_err(failed)?;
        output.reserve(zstd_safe::compress_bound(input.len()));
        let start = output.len();
        let mut target = OutBuffer::around_pos(output, start);
        let end = ZSTD_EndDirective::ZSTD_e_end;
        match context.compress_stream2(&mut target, &mut InBuffer::around(input), end).map_err(failed)? {
            0 => Ok(()),
            _ => Err(io::Error::other("output is larger than its bound")),
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

fn gzip(level: Option<i32>, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    let level = level.and_then(|level| u32::try_from(level.clamp(1, 9)).ok());
    let level = level.map_or_else(flate2::Compression::default, flate2::Compression::new);
    let mut encoder = GzEncoder::new(output, level);
    encoder.write_all(input)?;
    encoder.finish().map(drop)
}

fn lz4(input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, output);
    encoder.write_all(input)?;
    Ok(encoder.finish().map(drop)?)
}

#[cfg(test)]
mod tests;
