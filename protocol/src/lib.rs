//! The words on the Kafka wire. No I/O, no clock, and no panic on any bytes.
//!
//! # Layout
//!
//! - [`ids`]: numbers with types, so that an offset is never taken for an epoch.
//! - [`error_code`]: the table of Kafka's error codes.
//! - [`wire`]: primitive encodings, the bounded [`wire::Reader`], the copy-free [`wire::Writer`]; [`wire::Detach`] for
//!   what outlives its frame.
//! - [`messages`]: one description per API key; the codec follows from it.
//! - [`formats`]: what travels inside messages and internal topics: subscriptions, committed offsets.
//! - [`api_key`]: which keys there are, and the versions that are spoken.
//! - [`header`] and [`frame`]: what surrounds a message on a socket.
//! - [`records`]: record batches (format 2): view, builder, compression, control records.
//! - [`caps`]: every limit on what a peer may make us hold.
//! - `counting`: how often messages are encoded and decoded (feature `testing`).

pub mod api_key;
pub mod caps;
#[cfg(feature = "testing")]
pub mod counting;
pub mod error_code;
pub mod formats;
pub mod frame;
pub mod header;
pub mod ids;
pub mod messages;
pub mod records;
pub mod wire;

#[cfg(test)]
mod specimen;

pub use api_key::ApiKey;
pub use error_code::ErrorCode;
pub use ids::{
    BrokerId, CorrelationId, LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId, Sequence,
    Timestamp, TopicId,
};

/// A string that shares the memory of the frame it was read from.
pub use bytestring::ByteString as Text;
