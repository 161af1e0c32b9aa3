//! Producer, consumer and admin for any Kafka cluster; the connection is behind one seam.
//!
//! # Layout
//!
//! - [`transport`]: the seam, [`Transport`], and its form over TCP; a broker in the same process brings its own.
//! - [`Cluster`]: metadata, leaders, coordinators, and requests in the right version.
//! - [`consumer`]: reads records, of chosen partitions or as a member of a group.
//! - [`admin`]: creates, lists, describes and deletes topics.
//! - [`producer`]: writes records, in batches, each of them once and in order.
//! - [`metrics`]: what a client has done, in numbers.
//! - [`offsets`]: first and last offsets, and those at a time.
//! - `testing`: a broker in memory and the transport's suite, for tests (feature `testing`).
//! - [`caps`]: every limit on what is held in memory, waited for or tried again.
//!
//! **Architecture invariant:** only `protocol` is known here, and no broker in particular.

pub mod admin;
mod alarm;
mod backoff;
pub mod caps;
pub mod clock;
pub mod cluster;
pub mod consumer;
pub mod metrics;
pub mod offsets;
pub mod producer;
mod task;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod topic_partition;
pub mod transport;

pub use admin::{Admin, AdminConfig, NewTopic};
pub use cluster::Cluster;
pub use consumer::{Consumer, ConsumerConfig};
pub use offsets::OffsetSpec;
pub use producer::{Producer, ProducerConfig, ProducerRecord, TransactionalProducer};
pub use topic_partition::TopicPartition;
pub use transport::{Node, TcpConfig, TcpTransport, Transport, TransportError};

/// The words of the protocol that appear in this crate's interfaces.
pub use mainstem_protocol::{
    BrokerId, ErrorCode, LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId, Text, Timestamp,
    TopicId,
    records::{Compression, Headers, Record},
};

/// The protocol itself, for those who need more of it.
pub use mainstem_protocol as protocol;
