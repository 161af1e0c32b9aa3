//! Record batches, format 2 (KIP-98): the unit that producers send, logs keep and consumers get.

mod range;

pub use range::{Records, RecordsRange};
