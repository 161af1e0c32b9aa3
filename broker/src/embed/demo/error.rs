//! Why the demo did not get to its end.

use std::io;

use mainstem_client::{
    admin::AdminError, consumer::ConsumeError, offsets::ListOffsetsError, producer::ProduceError,
    producer::SendError,
};
use mainstem_processor::runtime::TaskError;
use mainstem_storage::store::Poisoned;

use crate::{broker, task::Failure};

/// Why the demo ends early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The broker did not start.
    #[error(transparent)]
    Broker(#[from] broker::StartError),
    /// The broker cannot go on.
    #[error(transparent)]
    Failure(Failure),
    /// The broker did not stop as it should.
    #[error(transparent)]
    Shutdown(#[from] Poisoned),
    /// A topic cannot be created.
    #[error(transparent)]
    Topic(#[from] AdminError),
    /// The access log in the binary is damaged.
    #[error("the access log in this binary cannot be unpacked: {0}")]
    Bundle(io::Error),
    /// A line is not taken.
    #[error("the access log was not fed: {0}")]
    Send(#[from] SendError),
    /// A line was not stored.
    #[error("the access log was not fed: {0}")]
    Produce(#[from] ProduceError),
    /// A topic's end is not known.
    #[error(transparent)]
    Offsets(#[from] ListOffsetsError),
    /// Results cannot be read.
    #[error("results cannot be read: {0}")]
    Consume(#[from] ConsumeError),
    /// The processor did not start.
    #[error("the processor did not start: {0}")]
    Start(#[from] mainstem_processor::StartError),
    /// The processor failed.
    #[error("the processor failed: {0}")]
    Processor(#[from] TaskError),
    /// Standard output is gone, or signals cannot be had.
    #[error(transparent)]
    Io(#[from] io::Error),
}
