//! A topology in the hand of a test: without a cluster, without threads, without a clock.
//!
//! - [`TestDriver`]: runs it.
//! - [`TestRecord`]: what comes out, and may go in.

mod clock;
mod driver;
mod record;
#[cfg(test)]
mod tests;
mod topics;

pub(crate) use clock::TestClock;
pub use driver::{TestDriver, TestError};
pub use record::{Encode, TestRecord};
