//! Why a group was not changed, one enum for each way to change it.

use mainstem_protocol::{ErrorCode, Text};

use super::super::AdminError;
use crate::{TopicPartition, cluster::CoordinatorError, transport::TransportError};

/// Why a group was not deleted.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, admin::DeleteGroupError};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let error = admin.delete_group("nobody").await.unwrap_err();
/// assert!(matches!(error, DeleteGroupError::NotFound { .. }));
/// assert_eq!(error.to_string(), "there is no group nobody");
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteGroupError {
    /// It has members: they have to leave first, or be taken out by [`Admin::remove_members`](super::super::Admin::remove_members).
    #[error("group {group} has members; it can be deleted when they have left")]
    NotEmpty {
        /// The group.
        group: Text,
    },
    /// There is none of that name.
    #[error("there is no group {group}")]
    NotFound {
        /// The group.
        group: Text,
    },
    /// Something else is in the way.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl DeleteGroupError {
    pub(super) fn of(error: AdminError, group: &Text) -> Self {
        let group = group.clone();
        match error.code() {
            Some(ErrorCode::NON_EMPTY_GROUP) => Self::NotEmpty { group },
            Some(ErrorCode::GROUP_ID_NOT_FOUND) => Self::NotFound { group },
            _ => Self::Admin(error),
        }
    }

    /// Whether the same call may succeed later.
    ///
    /// ```
    /// use mainstem_client::admin::DeleteGroupError;
    ///
    /// assert!(DeleteGroupError::NotEmpty { group: "readers".into() }.is_retriable());
    /// assert!(!DeleteGroupError::NotFound { group: "readers".into() }.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::NotEmpty { .. } => true,
            Self::NotFound { .. } => false,
            Self::Admin(error) => error.is_retriable(),
        }
    }
}

/// Why offsets of a group were not changed.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use std::time::Duration;
/// use mainstem_client::{
///     Admin, AdminConfig, Consumer, ConsumerConfig, Offset, TopicPartition, admin::AlterGroupOffsetsError,
/// };
///
/// let mut consumer = Consumer::new(&transport, ConsumerConfig::group("readers"));
/// consumer.subscribe(["greetings"])?;
/// consumer.poll(Duration::from_secs(10)).await?;
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let begin = [(TopicPartition::new("greetings", 0), Offset::ZERO)];
/// let error = admin.alter_group_offsets("readers", &begin).await.unwrap_err();
/// assert!(matches!(error, AlterGroupOffsetsError::Active { .. }));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum AlterGroupOffsetsError {
    /// The group has members, and only they may commit. Nothing has changed.
    #[error("group {group} has members; its offsets can be set when they have left")]
    Active {
        /// The group.
        group: Text,
    },
    /// The offset of one partition was not taken; those of others may have been.
    #[error("offset of group {group} for {partition} was not set: {code}")]
    Refused {
        /// The group.
        group: Text,
        /// The first partition that was refused.
        partition: TopicPartition,
        /// What the broker says.
        code: ErrorCode,
    },
    /// The coordinator of the group is not known.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// The coordinator could not be asked; the offsets may have been set all the same.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl AlterGroupOffsetsError {
    /// What a coordinator means by a code (Kafka: `ClassicGroup.validateOffsetCommit`, and the same of consumer groups):
    /// a member that is not known, where a group without members would take anybody's commit.
    pub(super) fn of(group: &Text, partition: TopicPartition, code: ErrorCode) -> Self {
        let group = group.clone();
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::STALE_MEMBER_EPOCH
            | ErrorCode::REBALANCE_IN_PROGRESS => Self::Active { group },
            code => Self::Refused { group, partition, code },
        }
    }

    /// Whether the same call may succeed later.
    ///
    /// ```
    /// use mainstem_client::{ErrorCode, TopicPartition, admin::AlterGroupOffsetsError};
    ///
    /// let partition = TopicPartition::new("greetings", 9);
    /// let code = ErrorCode::OFFSET_METADATA_TOO_LARGE;
    /// assert!(!AlterGroupOffsetsError::Refused { group: "readers".into(), partition, code }.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Active { .. } => true,
            Self::Refused { code, .. } => code.is_retriable(),
            Self::Coordinator(error) => error.is_retriable(),
            Self::Transport(error) => error.is_retriable(),
        }
    }

    /// Whether to try again at once: members do not leave because somebody asks again.
    pub(super) const fn is_passing(&self) -> bool {
        match self {
            Self::Active { .. } | Self::Coordinator(_) => false,
            // Kafka calls this retriable because a topic may be new to a broker; to an admin it is an answer.
            Self::Refused { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. } => false,
            Self::Refused { code, .. } => code.is_retriable(),
            Self::Transport(error) => error.is_retriable(),
        }
    }
}

/// Why committed offsets were not deleted.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, TopicPartition, admin::DeleteGroupOffsetsError};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let first = [TopicPartition::new("greetings", 0)];
/// let error = admin.delete_group_offsets("nobody", &first).await.unwrap_err();
/// assert!(matches!(error, DeleteGroupOffsetsError::NotFound { .. }));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteGroupOffsetsError {
    /// Members of the group read the topic; the offsets of others may have been deleted.
    #[error("group {group} reads {partition}; its offsets can be deleted when its members have left")]
    Subscribed {
        /// The group.
        group: Text,
        /// The first partition that is being read.
        partition: TopicPartition,
    },
    /// There is no such group.
    #[error("there is no group {group}")]
    NotFound {
        /// The group.
        group: Text,
    },
    /// One partition was refused; those of others may have been deleted.
    #[error("offset of group {group} for {partition} was not deleted: {code}")]
    Refused {
        /// The group.
        group: Text,
        /// The first partition that was refused.
        partition: TopicPartition,
        /// What the broker says.
        code: ErrorCode,
    },
    /// Something else is in the way.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl DeleteGroupOffsetsError {
    pub(super) fn of(group: &Text, partition: TopicPartition, code: ErrorCode) -> Self {
        let group = group.clone();
        match code {
            ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC => Self::Subscribed { group, partition },
            code => Self::Refused { group, partition, code },
        }
    }

    /// Whether the same call may succeed later.
    ///
    /// ```
    /// use mainstem_client::{TopicPartition, admin::DeleteGroupOffsetsError};
    ///
    /// let partition = TopicPartition::new("greetings", 0);
    /// assert!(DeleteGroupOffsetsError::Subscribed { group: "readers".into(), partition }.is_retriable());
    /// assert!(!DeleteGroupOffsetsError::NotFound { group: "readers".into() }.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Subscribed { .. } => true,
            Self::NotFound { .. } => false,
            Self::Refused { code, .. } => code.is_retriable(),
            Self::Admin(error) => error.is_retriable(),
        }
    }
}

/// Why members were not taken out of a group.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, admin::{Departure, RemoveMembersError}};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let error = admin.remove_members("readers", &[Departure::Member("m-1".into())]).await.unwrap_err();
/// assert!(matches!(error, RemoveMembersError::NotMember { .. }));
/// assert_eq!(error.to_string(), "group readers has no member m-1");
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum RemoveMembersError {
    /// The group does not know one of them; others may have been taken out.
    #[error("group {group} has no member {member}")]
    NotMember {
        /// The group.
        group: Text,
        /// The member, by its id or its instance id.
        member: Text,
    },
    /// One of them was refused; others may have been taken out.
    #[error("member {member} of group {group} was not taken out: {code}")]
    Refused {
        /// The group.
        group: Text,
        /// The member, by its id or its instance id.
        member: Text,
        /// What the broker says.
        code: ErrorCode,
    },
    /// Something else is in the way.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl RemoveMembersError {
    pub(super) fn of(group: &Text, member: &Text, code: ErrorCode) -> Self {
        let (group, member) = (group.clone(), member.clone());
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID => Self::NotMember { group, member },
            code => Self::Refused { group, member, code },
        }
    }

    /// Whether the same call may succeed later.
    ///
    /// ```
    /// use mainstem_client::admin::RemoveMembersError;
    ///
    /// assert!(!RemoveMembersError::NotMember { group: "readers".into(), member: "m-1".into() }.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::NotMember { .. } => false,
            Self::Refused { code, .. } => code.is_retriable(),
            Self::Admin(error) => error.is_retriable(),
        }
    }
}
