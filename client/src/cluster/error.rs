//! Why something is not known about the cluster.

use mainstem_protocol::{ErrorCode, Text};

use crate::transport::TransportError;

/// Why a topic or the cluster could not be asked about.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MetadataError {
    /// No broker could be asked.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The broker does not answer such questions.
    #[error("the broker refused to describe the cluster: {0}")]
    Refused(ErrorCode),
    /// The topic is in trouble, or there is none.
    #[error("topic {topic} is not available: {code}")]
    Topic {
        /// The topic.
        topic: Text,
        /// What the broker says.
        code: ErrorCode,
    },
}

impl MetadataError {
    pub(super) fn topic(topic: &Text, code: ErrorCode) -> Self {
        Self::Topic { topic: topic.clone(), code }
    }

    /// Whether asking later may help.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_retriable(),
            Self::Refused(code) | Self::Topic { code, .. } => code.is_retriable(),
        }
    }

    /// What the broker says, where it is the broker that says no.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Transport(_) => None,
            Self::Refused(code) | Self::Topic { code, .. } => Some(*code),
        }
    }
}
