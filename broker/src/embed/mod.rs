//! What lives beside the log in the same process.
//!
//! - [`LocalTransport`]: the client's way to the broker without a socket and without a codec.

mod transport;

pub use transport::LocalTransport;
