//! Why there are no records, and why offsets were not committed.

use mainstem_protocol::{
    ErrorCode, Offset, Text,
    records::{HeaderError, OpenError, RecordError},
};

use crate::{
    TopicPartition,
    cluster::{CoordinatorError, MetadataError},
    offsets::ListOffsetsError,
    transport::TransportError,
};

/// Why a poll has failed. What is retriable was tried again before; another poll may succeed all the same.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Consumer, ConsumerConfig, Offset, TopicPartition, consumer::{ConsumeError, OffsetReset}};
///
/// let first = TopicPartition::new("greetings", 0);
/// let config = ConsumerConfig { offset_reset: OffsetReset::Fail, ..ConsumerConfig::default() };
/// let mut consumer = Consumer::new(&transport, config);
/// consumer.assign([first.clone()]);
/// consumer.seek(&first, Offset(77));
/// let error = consumer.next().await.unwrap_err();
/// assert!(matches!(error, ConsumeError::OutOfRange { offset: Offset(77), .. }));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The group does not have this member.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The committed offsets are not known.
    #[error(transparent)]
    Committed(#[from] CommittedError),
    /// The first or last offset is not known.
    #[error(transparent)]
    Offsets(#[from] ListOffsetsError),
    /// There is no offset to begin at, and the settings say not to choose one.
    #[error("{partition} has no offset to begin at")]
    NoOffset {
        /// The partition.
        partition: TopicPartition,
    },
    /// The offset is not there, or not there any more, and the settings say not to choose another.
    #[error("{partition} has no offset {offset}")]
    OutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset that was asked for.
        offset: Offset,
    },
    /// The broker cannot be asked for records, or answers what is none.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The broker refused to hand out records.
    #[error("{partition} cannot be read: {code}")]
    Refused {
        /// The partition.
        partition: TopicPartition,
        /// What the broker says.
        code: ErrorCode,
    },
    /// What the broker handed out is damaged. The position stays before it; a seek goes past it.
    #[error("{partition} is damaged behind offset {offset}: {damage}")]
    Damaged {
        /// The partition.
        partition: TopicPartition,
        /// The position.
        offset: Offset,
        /// What is wrong.
        damage: Damage,
    },
}

/// What may be wrong with a batch.
///
/// ```
/// assert_eq!(mainstem_client::consumer::Damage::Checksum.to_string(), "the checksum of the batch is wrong");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum Damage {
    /// It is none.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The broker keeps it back, since it is not what was once written.
    #[error("the broker has found it to be damaged where it is kept")]
    AtBroker,
    /// Its checksum is not that of its bytes.
    #[error("the checksum of the batch is wrong")]
    Checksum,
    /// It cannot be decompressed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its records are none.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl ConsumeError {
    /// Whether polling again, without doing anything about it, may help.
    ///
    /// ```
    /// use mainstem_client::{ErrorCode, TopicPartition, consumer::ConsumeError};
    ///
    /// let partition = TopicPartition::new("greetings", 0);
    /// let error = ConsumeError::Refused { partition, code: ErrorCode::TOPIC_AUTHORIZATION_FAILED };
    /// assert!(!error.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Group(error) => error.is_retriable(),
            Self::Committed(error) => error.is_retriable(),
            Self::Offsets(error) => error.is_retriable(),
            Self::Transport(error) => error.is_retriable(),
            Self::Refused { code, .. } => code.is_retriable(),
            Self::NoOffset { .. } | Self::OutOfRange { .. } | Self::Damaged { .. } => false,
        }
    }
}

/// Why a consumer is no member of its group.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Consumer, ConsumerConfig, consumer::GroupError};
///
/// let mut consumer = Consumer::new(&transport, ConsumerConfig::default());
/// assert!(matches!(consumer.subscribe(["greetings"]), Err(GroupError::NoGroup)));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum GroupError {
    /// The consumer has no group.
    #[error("the consumer has no group to be a member of")]
    NoGroup,
    /// The group's coordinator is not known.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// The coordinator could not be asked.
    #[error("coordinator of group {group} does not answer: {source}")]
    Transport {
        /// The group.
        group: Text,
        /// What went wrong.
        source: TransportError,
    },
    /// The coordinator refused.
    #[error("group {group} does not take the member: {code}{}", detail(.message.as_ref()))]
    Refused {
        /// The group.
        group: Text,
        /// What the broker says.
        code: ErrorCode,
        /// What it says in words; the newer protocol (KIP-848) alone has room for that.
        message: Option<Text>,
    },
    /// Another consumer goes by the name of this static member (`group.instance.id`). This one is none any more.
    #[error("another member of group {group} goes by the name {instance}")]
    Fenced {
        /// The group.
        group: Text,
        /// The name.
        instance: Text,
    },
    /// The broker does not know groups of the new protocol.
    #[error(
        "the broker does not share out partitions of group {group} (KIP-848): use group protocol `classic`, or a broker of Kafka 4.0 or newer"
    )]
    NoSuchProtocol {
        /// The group.
        group: Text,
    },
    /// The pattern of topics is no regular expression.
    #[error("topics cannot be chosen by {pattern}: {reason}")]
    Pattern {
        /// The pattern.
        pattern: Text,
        /// What is wrong with it.
        reason: String,
    },
    /// The topics' partitions are not known, so the leader cannot share them out.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// What other members or the coordinator sent is no subscription or assignment.
    #[error("group {group} was sent something unreadable: {reason}")]
    Unreadable {
        /// The group.
        group: Text,
        /// What is wrong.
        reason: String,
    },
}

fn detail(message: Option<&Text>) -> String {
    message.map_or_else(String::new, |message| format!(" ({message})"))
}

impl GroupError {
    /// Whether joining later may help.
    ///
    /// ```
    /// assert!(!mainstem_client::consumer::GroupError::NoGroup.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Coordinator(error) => error.is_retriable(),
            Self::Transport { source, .. } => source.is_retriable(),
            Self::Refused { code, .. } => {
                code.is_retriable()
                    || matches!(
                        *code,
                        ErrorCode::REBALANCE_IN_PROGRESS
                            | ErrorCode::UNKNOWN_MEMBER_ID
                            | ErrorCode::ILLEGAL_GENERATION
                            | ErrorCode::MEMBER_ID_REQUIRED
                    )
            }
            Self::Metadata(error) => error.is_retriable(),
            Self::NoGroup
            | Self::Fenced { .. }
            | Self::NoSuchProtocol { .. }
            | Self::Pattern { .. }
            | Self::Unreadable { .. } => false,
        }
    }
}

/// Why offsets were not committed.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Consumer, ConsumerConfig, Offset, TopicPartition, consumer::CommitError};
///
/// let mut consumer = Consumer::new(&transport, ConsumerConfig::default());
/// let committed = consumer.commit(&[(TopicPartition::new("greetings", 0), Offset(1))]).await;
/// assert!(matches!(committed, Err(CommitError::NoGroup)));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// The consumer has no group.
    #[error("the consumer has no group to commit offsets for")]
    NoGroup,
    /// Too many commits are on their way; this one is not.
    #[error("{0} commits are on their way already")]
    Busy(usize),
    /// The commits in front of this one took all of its time, so it was not even tried.
    #[error("offsets of group {group} are not committed: commits before them took all the time")]
    Overdue {
        /// The group.
        group: Text,
    },
    /// The group has moved on without this member: its partitions belong to others now, or will soon.
    #[error("group {group} has moved on without this member: {code}")]
    NotMember {
        /// The group.
        group: Text,
        /// What the broker says.
        code: ErrorCode,
    },
    /// The group's coordinator is not known.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// The coordinator could not be asked. The offsets may be committed or not.
    #[error("offsets of group {group} may not be committed: {source}")]
    Transport {
        /// The group.
        group: Text,
        /// What went wrong.
        source: TransportError,
    },
    /// The coordinator refused.
    #[error("offset of {partition} is not committed: {code}")]
    Refused {
        /// The partition.
        partition: TopicPartition,
        /// What the broker says.
        code: ErrorCode,
    },
}

impl CommitError {
    /// Whether committing again may help.
    ///
    /// ```
    /// use mainstem_client::{ErrorCode, consumer::CommitError};
    ///
    /// let error = CommitError::NotMember { group: "readers".into(), code: ErrorCode::ILLEGAL_GENERATION };
    /// assert!(!error.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::NoGroup | Self::NotMember { .. } => false,
            Self::Busy(_) | Self::Overdue { .. } => true,
            Self::Coordinator(error) => error.is_retriable(),
            Self::Transport { source, .. } => source.is_retriable(),
            Self::Refused { code, .. } => code.is_retriable(),
        }
    }
}

/// Why committed offsets are not known.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::CommittedError};
///
/// let consumer = Consumer::new(&transport, ConsumerConfig::default());
/// let committed = consumer.committed(&[TopicPartition::new("greetings", 0)]).await;
/// assert!(matches!(committed, Err(CommittedError::NoGroup)));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommittedError {
    /// The consumer has no group.
    #[error("the consumer has no group whose offsets could be looked up")]
    NoGroup,
    /// The group's coordinator is not known.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// The coordinator could not be asked.
    #[error("offsets of group {group} are not known: {source}")]
    Transport {
        /// The group.
        group: Text,
        /// What went wrong.
        source: TransportError,
    },
    /// The coordinator refused.
    #[error("offsets of group {group} are not known: {code}")]
    Refused {
        /// The group.
        group: Text,
        /// What the broker says.
        code: ErrorCode,
    },
}

impl CommittedError {
    /// Whether asking later may help.
    ///
    /// ```
    /// assert!(!mainstem_client::consumer::CommittedError::NoGroup.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::NoGroup => false,
            Self::Coordinator(error) => error.is_retriable(),
            Self::Transport { source, .. } => source.is_retriable(),
            Self::Refused { code, .. } => code.is_retriable(),
        }
    }
}
