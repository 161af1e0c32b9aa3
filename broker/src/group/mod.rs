//! Consumer groups: who is in them, and how far they have read.
//!
//! # Layout
//!
//! - `classic`: a group as a machine without I/O.
//! - `modern`: a group of the newer protocol (KIP-848), likewise.
//! - `log`: `__consumer_offsets`, where groups and their offsets are kept.
//! - `coordinator`: the groups of this broker; one file per request.
//! - `timers`: who wants to be told the time, and when.
//!
//! What is committed has one home, the last values by key of `__consumer_offsets` that storage keeps: nothing here
//! repeats it, so nothing here can be ahead of the log or behind it.

mod classic;
mod coordinator;
mod log;
mod modern;
mod timers;

use std::time::Duration;

pub use coordinator::{Caller, Coordinator};
pub(crate) use log::{TOPIC, partition_of};
pub(crate) use modern::Assignor;

/// A time as requests and stored groups have it, in milliseconds; none that is negative.
fn duration(millis: i32) -> Duration {
    Duration::from_millis(millis.max(0).unsigned_abs().into())
}

/// From when on the offsets of a group grow old (Kafka: `OffsetExpirationCondition`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ageing {
    /// They do not.
    Never,
    /// Each from its commit.
    SinceCommit,
    /// All from when the last member went.
    SinceEmpty,
}
