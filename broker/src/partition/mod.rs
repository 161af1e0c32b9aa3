//! Between request and log: what a batch must be to be appended, and how a fetch is read.
//!
//! - [`check`]: the rules for a producer's batch, in Kafka's order.
//! - [`recompress`]: a batch in the compression that its topic keeps.
//! - [`append`]: a place in the journal, with room made where there is none.
//! - [`read`]: batches out of the log, off the reactor where the medium must be asked.
//! - [`file_range`]: what a socket may send straight from a file.

pub(crate) mod append;
pub(crate) mod check;
pub(crate) mod file_range;
pub(crate) mod read;
pub(crate) mod recompress;
