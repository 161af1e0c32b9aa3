//! Producer, consumer and admin for any Kafka cluster; the connection is behind one seam.
//!
//! # Layout
//!
//! - [`transport`]: the seam, [`Transport`], and its form over TCP; a broker in the same process brings its own.
//! - `testing`: a broker in memory and the transport's suite, for tests (feature `testing`).
//! - [`caps`]: every limit on what is held in memory, waited for or tried again.
//!
//! **Architecture invariant:** only `protocol` is known here, and no broker in particular.

mod backoff;
pub mod caps;
mod task;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transport;

pub use transport::{Node, TcpConfig, TcpTransport, Transport, TransportError};
