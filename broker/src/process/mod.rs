//! What a long-running command needs of the process: log lines, descriptors, threads, signals.

mod descriptors;
pub(crate) mod levels;
mod logging;
mod runtime;
mod signals;

pub use descriptors::raise_limit as raise_descriptor_limit;
pub use logging::{InitError, init as init_logging};
pub use runtime::build as build_runtime;
pub use signals::Signals;
