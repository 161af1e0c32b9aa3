//! The one place where this crate starts tasks.

use std::future::Future;

use tokio::task::JoinHandle;
use tracing::{Instrument, debug_span};

/// Starts a task of that name. The task ends by itself, when what it serves is dropped.
#[expect(clippy::disallowed_methods, reason = "this is the module that names tasks")]
pub(crate) fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future.instrument(debug_span!("task", name)))
}
