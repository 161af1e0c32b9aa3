//! Record batches, format 2 (KIP-98): the unit that producers send, logs keep and consumers get.
//!
//! - [`header`]: the 61 bytes before the records, and what a broker patches in them.
//! - [`batch`]: a batch in memory, and the way through several.

pub mod batch;
pub mod header;

mod attributes;
mod crc;
mod range;

pub use attributes::{Attributes, Compression, TimestampType, UnknownCompressionError};
pub use batch::{Batch, Batches, Tail, batches};
pub use crc::{crc32c, crc32c_combine};
pub use header::{BatchHeader, HeaderError};
pub use range::{Records, RecordsRange};
