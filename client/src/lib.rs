//! Producer, consumer and admin for any Kafka cluster; the connection is behind one seam.
//!
//! # Layout
//!
//! - [`transport`]: the seam, [`Transport`], and its form over TCP; a broker in the same process brings its own.
//! - [`Cluster`]: metadata, leaders, coordinators, and requests in the right version.
//! - [`producer`]: writes records, in batches, each of them once and in order.
//! - `testing`: a broker in memory and the transport's suite, for tests (feature `testing`).
//! - [`caps`]: every limit on what is held in memory, waited for or tried again.
//!
//! **Architecture invariant:** only `protocol` is known here, and no broker in particular.

mod backoff;
pub mod caps;
pub mod clock;
pub mod cluster;
pub mod producer;
mod task;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod topic_partition;
pub mod transport;

pub use cluster::Cluster;
pub use producer::{Producer, ProducerConfig, ProducerRecord};
pub use topic_partition::TopicPartition;
pub use transport::{Node, TcpConfig, TcpTransport, Transport, TransportError};
