//! Why a processor does not start, and why a task ends.

use std::{io, sync::Arc};

use mainstem_client::{
    Text,
    admin::AdminError,
    cluster::MetadataError,
    consumer::{CommitError, ConsumeError},
    offsets::ListOffsetsError,
    producer::{ProduceError, SendError},
};

/// Why a processor was not started.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    /// An input cannot be had.
    #[error("input is not available: {0}")]
    Input(MetadataError),
    /// The spec names no input, or none that has partitions.
    #[error("the processor has no input")]
    NoInput,
    /// The inputs have more partitions than there may be tasks.
    #[error("the processor would have {tasks} tasks, and {limit} is the limit")]
    TooManyTasks {
        /// How many there would be.
        tasks: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A changelog cannot be had.
    #[error("changelog is not available: {0}")]
    Changelog(AdminError),
    /// A changelog was made for other inputs.
    #[error("changelog {topic} has {found} partitions, and the inputs have {expected}")]
    ChangelogPartitions {
        /// The changelog.
        topic: Text,
        /// How many it has.
        found: usize,
        /// How many tasks there are.
        expected: usize,
    },
    /// The system refuses a thread.
    #[error("thread of the processor was not started: {0}")]
    Thread(Arc<io::Error>),
}

/// Why a task, or one attempt at it, has ended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TaskError {
    /// The processor returned an error.
    #[error("processor failed: {0}")]
    User(Arc<dyn std::error::Error + Send + Sync>),
    /// The processor panicked.
    #[error("processor panicked: {0}")]
    Panic(String),
    /// State could not be brought back.
    #[error("state was not restored from {topic}: {reason}")]
    Restore {
        /// The changelog.
        topic: Text,
        /// What is wrong.
        reason: String,
    },
    /// Inputs could not be read.
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// Offsets could not be looked up.
    #[error(transparent)]
    Offsets(#[from] ListOffsetsError),
    /// A topic could not be looked up.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A record was not taken by the producer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A record was not stored.
    #[error(transparent)]
    Produce(#[from] ProduceError),
    /// Positions were not committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The task's runtime or its thread is gone.
    #[error("the task's thread ended: {0}")]
    Thread(String),
}

impl TaskError {
    /// Whether another attempt may succeed: user code fails again on the same input, and what is refused for good
    /// stays so.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::User(_) | Self::Panic(_) | Self::Restore { .. } | Self::Thread(_) => false,
            Self::Consume(error) => error.is_retriable(),
            Self::Offsets(error) => error.is_retriable(),
            Self::Metadata(error) => error.is_retriable(),
            Self::Send(error) => error.is_retriable(),
            Self::Produce(error) => error.is_retriable(),
            Self::Commit(error) => error.is_retriable(),
        }
    }
}
