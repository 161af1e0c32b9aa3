//! Sockets: what comes in as frames goes to dispatch as requests; what dispatch answers leaves as frames.
//!
//! - [`Reserved`], [`Listener`], [`Net`]: binding, listening, accepting, limits on connections.
//! - `connection`: one connection, from its first byte to its last.
//! - `frame_reader`, `replies`, `sender`: frames in; replies in order; bytes and file ranges out.
//! - `receiving`: how much may be half received, of all connections together.
//! - `refusals`: what the log says of peers that err.
//! - [`Endpoint`]: what clients are told to dial.
//!
//! **Architecture Invariant:** nothing here knows what a request means, apart from ApiVersions, which opens a connection.

mod connection;
mod endpoint;
mod frame_reader;
mod limits;
mod listener;
mod receiving;
mod refusals;
mod replies;
mod sender;

pub use endpoint::Endpoint;
pub use listener::{BindError, Listener, Net, Reserved};
