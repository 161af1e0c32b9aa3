//! Record batches, format 2 (KIP-98): the unit that producers send, logs keep and consumers get.
//!
//! - [`header`]: the 61 bytes before the records, and what a broker patches in them.
//! - [`batch`]: a batch in memory, and the way through several.
//! - [`record`]: the records in a batch and their headers.
//! - [`compression`]: gzip, snappy, lz4, zstd, with a bound on what may come out.
//! - [`validate`]: what a broker checks in a producer's batch.
//! - [`builder`]: puts a batch together; [`control`]: the batches that end transactions.
//! - [`filter`]: takes records out of a batch, as compaction does.

pub mod batch;
pub mod builder;
pub mod compression;
pub mod control;
pub mod filter;
pub mod header;
pub mod record;
pub mod validate;

mod attributes;
mod crc;
mod range;
mod varint;

pub use attributes::{Attributes, Compression, TimestampType, UnknownCompressionError};
pub use batch::{Batch, Batches, IntoRecords, OpenBatch, OpenError, RecordRefs, Tail, batches};
pub use builder::{BatchBuilder, NewRecord, ProducerStamp};
pub use compression::{Compressor, DecompressError, Decompressor};
pub use control::{ControlType, EndTxnMarker};
pub use crc::{crc32c, crc32c_combine};
pub use filter::{Filter, FilterError, Filtered, Horizon, header_alone};
pub use header::{BatchHeader, HeaderError};
pub use range::{Records, RecordsRange};
pub use record::{Headers, HeadersRef, Record, RecordError, RecordRef};
pub use validate::{Rules, Summary, ValidateError, Validator, only_batch};

#[cfg(test)]
mod recorded;
