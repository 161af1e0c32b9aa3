//! Why a topology does not start, and why a task ends.

use std::{io, sync::Arc, time::Duration};

use mainstem_client::{
    Offset, Text,
    admin::AdminError,
    cluster::MetadataError,
    consumer::{CommitError, ConsumeError},
    offsets::ListOffsetsError,
    producer::{ProduceError, SendError},
};

use crate::{FormError, NodeError, PlanError, StoreFault, TopologyError, work::WorkError};

/// Why a topology was not started.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    /// The spec makes no topology.
    #[error(transparent)]
    Topology(Box<TopologyError>),
    /// The topology does not fit its topics.
    #[error(transparent)]
    Plan(Box<PlanError>),
    /// An input cannot be had.
    #[error("input is not available: {0}")]
    Input(MetadataError),
    /// A changelog or a repartition topic cannot be had.
    #[error("topic {topic} is not available: {error}")]
    Topic {
        /// The topic.
        topic: Text,
        /// Why not.
        error: AdminError,
    },
    /// Nobody says where repartition topics end.
    #[error("ends of repartition topics are not known: {0}")]
    Ends(ListOffsetsError),
    /// An input is to be read by the time of its appends, and has that of its producers.
    #[error(
        "source {node} wants the time at which records were appended to {topic}, which has that of their producers \
         (message.timestamp.type={found}): mainstem config set topic {topic} message.timestamp.type=LogAppendTime"
    )]
    ProducersTime {
        /// The source.
        node: Text,
        /// The topic.
        topic: Text,
        /// Its `message.timestamp.type`.
        found: Text,
    },
    /// A changelog or a repartition topic was made for other inputs.
    #[error(
        "topic {topic} has {found} partitions and needs {expected}: its inputs have changed, or what a repartition asks \
         for; give the topology another name, or delete the topic and what it holds"
    )]
    Partitions {
        /// The topic.
        topic: Text,
        /// How many it has.
        found: usize,
        /// How many there must be.
        expected: i32,
    },
    /// A repartition asks for another number of partitions than before.
    #[error(
        "node {node} asks for {asked} partitions, and its topic {topic} has {found}, as has the state behind it, whose keys \
         would not be found again: ask for {found}, or give the topology another name to begin anew"
    )]
    Repartitioned {
        /// The node that reads the topic.
        node: Text,
        /// The topic.
        topic: Text,
        /// How many it has.
        found: usize,
        /// How many it is to have.
        asked: i32,
    },
    /// A store is to be on disk, and nobody has said where.
    #[error("store {store} is to be kept on disk; set a state directory, or keep it in memory")]
    NoStateDirectory {
        /// The store.
        store: Text,
    },
    /// More threads than there may be.
    #[error("{threads} threads are wanted for the tasks, and {limit} is the limit")]
    TooManyThreads {
        /// How many are wanted.
        threads: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The system refuses a thread.
    #[error("thread for tasks was not started: {0}")]
    Thread(Arc<io::Error>),
}

impl From<TopologyError> for StartError {
    fn from(error: TopologyError) -> Self {
        Self::Topology(Box::new(error))
    }
}

impl From<PlanError> for StartError {
    fn from(error: PlanError) -> Self {
        Self::Plan(Box::new(error))
    }
}

/// Why a task, or one attempt at it, has ended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TaskError {
    /// A node cannot go on.
    #[error("node {node}: {error}")]
    Node {
        /// The node.
        node: Text,
        /// What is wrong.
        error: NodeError,
    },
    /// A global table cannot be read on.
    #[error("node {node}: {error}")]
    GlobalTable {
        /// The node that reads the table.
        node: Text,
        /// What is wrong.
        error: Box<Self>,
    },
    /// State could not be brought back.
    #[error("state was not restored from {topic}: {reason}")]
    Restore {
        /// The changelog.
        topic: Text,
        /// What is wrong.
        reason: String,
    },
    /// A store holds something else than the topology keeps there, or has a newer format.
    #[error(transparent)]
    Form(#[from] Box<FormError>),
    /// A store on disk cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Another task of this process has the store open, perhaps one that is just being stopped.
    #[error("store {store} is in use by another task of this process")]
    StoreInUse {
        /// The store.
        store: Text,
    },
    /// What a store on disk lacks was deleted from its changelog.
    #[error(
        "store {store} has its changelog {topic} up to offset {reached}, and that begins at {start}: the records between          were deleted, and state with them; bring the topic back, or have the state directory forget the processor to          go on with what is left"
    )]
    StateLost {
        /// The store.
        store: Text,
        /// Its changelog.
        topic: Text,
        /// What it has.
        reached: Offset,
        /// Where the changelog begins.
        start: Offset,
    },
    /// The beginning of a changelog, or of the topic of a global table, was deleted while it was read.
    #[error("{topic} lost records while state was read from it: {reason}")]
    Overtaken {
        /// The topic.
        topic: Text,
        /// What is wrong.
        reason: String,
    },
    /// Nobody hands out the rest of a changelog.
    #[error("state is not restored yet: {topic} does not go on, {limit:?} long")]
    Silence {
        /// The changelog.
        topic: Text,
        /// How long it was waited for.
        limit: Duration,
    },
    /// Inputs could not be read.
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// Offsets could not be looked up.
    #[error(transparent)]
    Offsets(#[from] ListOffsetsError),
    /// A record was not taken by the producer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A record was not stored.
    #[error(transparent)]
    Produce(#[from] ProduceError),
    /// Positions were not committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Something else than a node panicked, such as a meter.
    #[error("the task panicked: {0}")]
    Panic(String),
    /// The task's runtime or its thread is gone.
    #[error("the task's thread ended: {0}")]
    Thread(String),
}

impl From<WorkError> for TaskError {
    fn from(error: WorkError) -> Self {
        let WorkError { node, error } = error;
        Self::Node { node, error }
    }
}

impl TaskError {
    /// Whether another attempt may succeed: user code fails again on the same input unless it waits for something
    /// ([`NodeError::is_retriable`]), and what is refused for good stays so.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Node { error, .. } => error.is_retriable(),
            Self::GlobalTable { .. }
            | Self::Restore { .. }
            | Self::Store(_)
            | Self::Form(_)
            | Self::StateLost { .. }
            | Self::Panic(_)
            | Self::Thread(_) => false,
            Self::Silence { .. } | Self::StoreInUse { .. } | Self::Overtaken { .. } => true,
            Self::Consume(error) => error.is_retriable(),
            Self::Offsets(error) => error.is_retriable(),
            Self::Send(error) => error.is_retriable(),
            Self::Produce(error) => error.is_retriable(),
            Self::Commit(error) => error.is_retriable(),
        }
    }
}
