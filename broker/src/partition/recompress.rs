//! A batch in another compression: for topics that set `compression.type`.

use bytes::Bytes;
use mainstem_protocol::{
    ErrorCode,
    caps::DECOMPRESSED_BYTES_MAX,
    records::{
        Attributes, Batch, BatchHeader, Compression, Compressor, Decompressor, builder::write_header,
        header::HEADER_BYTES,
    },
};

use super::check::Rejected;

/// Those of a batch's attributes that say how it is compressed.
const COMPRESSION_BITS: i16 = 0b111;

/// The same records in `target`, at its level; the batch was checked before. Takes long, so never on the reactor.
///
/// # Errors
/// Where a codec fails for want of memory.
pub(crate) fn recompress(batch: &Batch, target: Compression, level: Option<i32>) -> Result<Batch, Rejected> {
    let records = decompressed(batch)?;
    let mut bytes = vec![0; HEADER_BYTES];
    Compressor::new().compress_at(target, level, &records, &mut bytes).map_err(failed)?;
    write_header(&mut bytes, &header(batch.header(), target));
    Batch::split_from(&mut bytes.into()).map_err(failed)
}

fn decompressed(batch: &Batch) -> Result<Bytes, Rejected> {
    match batch.header().attributes.compression().map_err(failed)? {
        Compression::None => Ok(batch.payload()),
        source => {
            Decompressor::new().decompress(source, &batch.payload(), DECOMPRESSED_BYTES_MAX).map_err(failed)
        }
    }
}

/// The header with the other compression in its attributes; what else they say stays.
fn header(header: &BatchHeader, target: Compression) -> BatchHeader {
    let others = header.attributes.0 & !COMPRESSION_BITS;
    BatchHeader { attributes: Attributes(others | Attributes::new(target).0), ..*header }
}

fn failed(error: impl std::fmt::Display) -> Rejected {
    Rejected::new(ErrorCode::UNKNOWN_SERVER_ERROR, format!("the batch cannot be recompressed: {error}"))
}
