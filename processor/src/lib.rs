//! Stateful stream processing over any Kafka cluster, batch at a time.
//!
//! # Layout
//!
//! - [`Processor`]: what users write: it gets batches, a [`Context`], and the news that time has passed.
//! - [`ProcessorSpec`]: its name, inputs, outputs, stores and settings.
//! - [`window`]: event-time windows that are closed by the watermark.
//! - [`state`]: stores behind an overlay, with their changelogs.
//! - [`runtime`]: tasks on threads of their own: restore, poll, process, commit.
//! - [`Meter`]: where the runtime reports what goes through it.
//! - [`caps`]: every limit on what is held or started.
//!
//! **Architecture invariant:** only `client` is known here, so a processor runs against any Kafka cluster, and beside
//! the log of a broker in the same process by the transport alone.
//!
//! # Guarantees
//!
//! At least once. A commit writes the outputs first, then the changes of state together with the positions in the
//! inputs, then the group's offsets. A restart takes up state and positions of one commit, so state counts each
//! record once as long as the changes of one commit fit into one batch; outputs may be written twice. The group's
//! offsets tell others how far the processor has come; it is the changelog that says where to go on.
//!
//! Tasks take their partitions as they are, without membership of a group: one instance of a processor runs at a time.

pub mod caps;
mod context;
mod meter;
mod processor;
mod record;
pub mod runtime;
mod spec;
pub mod state;
mod watermark;
pub mod window;

pub use context::{Context, UnknownName};
pub use meter::{Meter, NoMeter};
pub use processor::{ProcessResult, Processor};
pub use record::{InputBatch, InputRecord, OutputRecord};
pub use runtime::{Handle, StartError, TaskState};
pub use spec::{InputEnd, ProcessorSpec};
pub use window::{TumblingWindows, Window};
