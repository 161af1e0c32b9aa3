//! What lives beside the log in the same process.
//!
//! - [`LocalTransport`]: the client's way to the broker without a socket and without a codec.
//! - [`BrokerMeter`]: a processor's counts, among those of the broker.
//! - [`demo`]: a broker, a real access log, and a processor that counts it.

pub mod demo;
mod meter;
mod transport;

pub use meter::BrokerMeter;
pub use transport::LocalTransport;
