//! Why something is not known about the cluster.

use mainstem_protocol::{ErrorCode, Text};

use crate::transport::TransportError;

/// Why a topic or the cluster could not be asked about.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{Cluster};
///
/// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
/// let error = cluster.topic(&"farewells".into(), false, Duration::ZERO).await.unwrap_err();
/// assert_eq!(error.to_string(), "topic farewells is not available: UNKNOWN_TOPIC_OR_PARTITION");
/// # Ok(())
/// # });
/// ```
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
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// let error = cluster.topic(&"farewells".into(), false, Duration::ZERO).await.unwrap_err();
    /// // Somebody may create it yet.
    /// assert!(error.is_retriable());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_retriable(),
            // Those who were asked first may know the cluster.
            Self::Refused(ErrorCode::REBOOTSTRAP_REQUIRED) => true,
            Self::Refused(code) | Self::Topic { code, .. } => code.is_retriable(),
        }
    }

    /// What the broker says, where it is the broker that says no.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster, ErrorCode};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// let error = cluster.topic(&"farewells".into(), false, Duration::ZERO).await.unwrap_err();
    /// assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Transport(_) => None,
            Self::Refused(code) | Self::Topic { code, .. } => Some(*code),
        }
    }
}
