//! What lives beside the log in the same process.
//!
//! - [`LocalTransport`]: the client's way to the broker without a socket and without a codec.
//! - [`run`]: runs a topology beside the log.
//! - [`EmbeddedBroker`]: a broker for the tests of those who use it.
//! - [`BrokerMeter`]: a processor's counts, among those of the broker.
//! - [`demo`]: a broker, a real access log, and a processor that counts it.

mod beside;
pub mod demo;
mod embedded;
mod meter;
mod transport;

pub use beside::run;
pub use embedded::{
    EmbeddedBroker, EmbeddedBrokerBuilder, EmbeddedStartError, ReadError, RestartError, WriteError,
};
pub use meter::BrokerMeter;
pub use transport::LocalTransport;
