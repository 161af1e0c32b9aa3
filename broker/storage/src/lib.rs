//! Bytes that survive: journal, segments, recovery.
//!
//! Synchronous, without sockets and without a reactor: what waits here waits on a thread or on a ticket.
//!
//! # Layout
//!
//! - [`AppendGroup`]: what goes in together; [`Ticket`]: the promise of an answer.
//! - [`store`]: the way from the one to the other.
//! - [`verify`]: an offline look at all of it.
//! - [`config`]: the settings of a topic.
//! - [`disk`]: the only place that touches files.
//! - [`segment`]: the batches of a partition, in files with indexes.
//! - [`clock`]: where time comes from.
//! - [`caps`]: every limit.

pub mod caps;
pub mod clock;
pub mod config;
pub mod disk;
pub mod segment;
pub mod store;
pub mod verify;

#[cfg(fuzzing)]
pub mod fuzzing;

mod checkpoint;
mod codec;
mod compaction;
mod envelope;
mod group;
mod ids;
mod images;
mod journal;
mod meta;
mod partition;
mod state;
#[cfg(test)]
mod testing;
mod ticket;

pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{ConfigChange, ConfigError, ConfigOperation, Overrides, TopicConfig};
pub use envelope::EnvelopeError;
pub use group::{AppendGroup, Marker, TransactionVersion};
pub use ids::{Incarnation, Lsn};
pub use journal::JournalError;
pub use meta::Identity;
pub use partition::{Isolation, Partition, ProducerView, Read, TimeMatch, Visible};
pub use state::AbortedTransaction;
pub use store::{AppendError, Options, Store};
pub use ticket::{Committed, NotCommitted, Place, Ticket};
