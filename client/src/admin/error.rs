//! Why the cluster was not changed or described.

use mainstem_protocol::{ErrorCode, Text};

use crate::{
    cluster::{CoordinatorError, MetadataError},
    transport::TransportError,
};

/// Why an admin's request failed.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, NewTopic};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let error = admin.create_topic(NewTopic::new("greetings", 1)).await.unwrap_err();
/// assert_eq!(error.to_string(), "topic greetings: TOPIC_ALREADY_EXISTS");
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum AdminError {
    /// No broker could be asked.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A topic or the cluster is not known.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The coordinator of a group is not known.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// The broker refused.
    #[error("{subject}: {code}{}", .message.as_ref().map_or_else(String::new, |message| format!(" ({message})")))]
    Refused {
        /// What the request was about.
        subject: String,
        /// What the broker says.
        code: ErrorCode,
        /// What it says in words.
        message: Option<Text>,
    },
    /// The broker answered something else.
    #[error("the broker's answer says nothing about {subject}")]
    NoAnswer {
        /// What the request was about.
        subject: String,
    },
}

impl AdminError {
    pub(super) fn check(subject: &str, code: ErrorCode, message: Option<&Text>) -> Result<(), Self> {
        if code.is_none() {
            return Ok(());
        }
        let message = message.filter(|message| !message.is_empty()).cloned();
        Err(Self::Refused { subject: subject.to_owned(), code, message })
    }

    /// Whether the same request may succeed later.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let error = admin.delete_topic("farewells").await.unwrap_err();
    /// assert!(!error.is_retriable());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_retriable(),
            Self::Metadata(error) => error.is_retriable(),
            // It was tried for as long as may be.
            Self::Coordinator(_) => false,
            // Kafka calls this retriable because a topic may be new to a broker; to an admin it is an answer.
            Self::Refused { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. } => false,
            Self::Refused { code, .. } => code.is_retriable(),
            Self::NoAnswer { .. } => false,
        }
    }

    /// What the broker says, where it is the broker that says no.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, ErrorCode};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let error = admin.delete_topic("farewells").await.unwrap_err();
    /// assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Metadata(error) => error.code(),
            Self::Refused { code, .. } | Self::Coordinator(CoordinatorError::Refused { code, .. }) => {
                Some(*code)
            }
            Self::Coordinator(CoordinatorError::Transport { .. })
            | Self::Transport(_)
            | Self::NoAnswer { .. } => None,
        }
    }
}
