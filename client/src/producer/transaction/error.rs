//! Why a transaction cannot go on, and what the caller may do about it.

use std::{fmt, time::Duration};

use mainstem_protocol::{ApiKey, ErrorCode, Text};

use super::super::{ProduceError, SendError};
use crate::{cluster::CoordinatorError, transport::TransportError};

/// What a caller wanted of a transactional producer.
///
/// ```
/// assert_eq!(mainstem_client::producer::Operation::Commit.to_string(), "commit");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`init_transactions`](super::TransactionalProducer::init_transactions).
    Init,
    /// [`begin`](super::TransactionalProducer::begin).
    Begin,
    /// [`send`](super::TransactionalProducer::send).
    Send,
    /// [`send_offsets_to_transaction`](super::TransactionalProducer::send_offsets_to_transaction).
    SendOffsets,
    /// [`commit`](super::TransactionalProducer::commit).
    Commit,
    /// [`abort`](super::TransactionalProducer::abort).
    Abort,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "init_transactions",
            Self::Begin => "begin",
            Self::Send => "send",
            Self::SendOffsets => "send_offsets_to_transaction",
            Self::Commit => "commit",
            Self::Abort => "abort",
        })
    }
}

/// What went wrong behind a [`TransactionError`].
///
/// ```
/// use mainstem_client::{ErrorCode, producer::TransactionCause, protocol::ApiKey};
///
/// let cause = TransactionCause::Refused { key: ApiKey::EndTxn, code: ErrorCode::TRANSACTION_ABORTABLE };
/// assert_eq!(cause.to_string(), "the broker answers EndTxn with TRANSACTION_ABORTABLE");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransactionCause {
    /// A record of the transaction was not stored, or may not have been.
    #[error(transparent)]
    Record(#[from] ProduceError),
    /// A broker refused.
    #[error("the broker answers {key} with {code}")]
    Refused {
        /// What it was asked.
        key: ApiKey,
        /// What it says.
        code: ErrorCode,
    },
    /// The broker that would have to be asked was not found.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// The request did not go through.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl TransactionCause {
    /// Whether asking again may help.
    pub(super) const fn is_retriable(&self) -> bool {
        match self {
            Self::Record(_) => false,
            Self::Refused { code, .. } => code.is_retriable(),
            Self::Coordinator(error) => error.is_retriable(),
            Self::Transport(error) => error.is_retriable(),
        }
    }

    /// What a broker said, where one did.
    pub(super) const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. }
            | Self::Coordinator(CoordinatorError::Refused { code, .. })
            | Self::Record(ProduceError::Refused { code, .. }) => Some(*code),
            _ => None,
        }
    }
}

/// What a caller may do after a [`TransactionError`].
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::producer::{Remedy, TransactionError};
///
/// let fenced = TransactionError::Fenced { id: "billing-1".into(), timeout: Duration::from_secs(60) };
/// assert_eq!(fenced.remedy(), Remedy::Close);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// Make the same call again.
    CallAgain,
    /// Abort the transaction, and begin another one.
    Abort,
    /// Close the producer. Another one of the same transactional id may take its place, unless this one was fenced because one
    /// has already.
    Close,
    /// Make another call: this one was out of turn, or its arguments are wrong. The transaction is as it was.
    Mend,
}

/// Why an operation of a transactional producer has failed.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{ProducerConfig, TransactionalProducer};
/// use mainstem_client::producer::{Remedy, TransactionConfig, TransactionError};
///
/// let config = ProducerConfig::default();
/// let old = TransactionalProducer::new(&transport, config.clone(), TransactionConfig::new("billing-1"));
/// old.init_transactions().await?;
/// // Somebody else takes over.
/// let new = TransactionalProducer::new(&transport, config, TransactionConfig::new("billing-1"));
/// new.init_transactions().await?;
/// old.begin()?;
/// old.send(mainstem_client::ProducerRecord::new("greetings").value("too late")).await?;
/// let error = old.commit().await.unwrap_err();
/// assert!(matches!(error, TransactionError::Fenced { .. }));
/// assert_eq!(error.remedy(), Remedy::Close);
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransactionError {
    /// Another producer of the same transactional id has taken over, or the broker has aborted a transaction that was open for
    /// too long. Nothing that this producer does counts any more.
    #[error(
        "the producer of transactional id {id} is fenced, close it: another one has taken over, or a transaction was open for longer than {timeout:?}"
    )]
    Fenced {
        /// The transactional id.
        id: Text,
        /// The setting `timeout`.
        timeout: Duration,
    },
    /// The transaction cannot be committed any more. Once it is aborted, the next one can begin.
    #[error("the transaction has to be aborted: {cause}")]
    Abortable {
        /// What went wrong first.
        cause: Box<TransactionCause>,
    },
    /// The producer cannot go on.
    #[error("the producer has to be closed: {cause}")]
    Fatal {
        /// What went wrong.
        cause: Box<TransactionCause>,
    },
    /// Nobody has answered in time. Whether it took place is not known; the same call may be made again, and finds out.
    #[error("{operation} was not answered within {waited:?} and may be called again: {last}")]
    TimedOut {
        /// What was wanted.
        operation: Operation,
        /// The setting `max_block`.
        waited: Duration,
        /// What went wrong last.
        last: Box<TransactionCause>,
    },
    /// It is not the time for this.
    #[error("{operation} is out of turn: {state}")]
    OutOfTurn {
        /// What was wanted.
        operation: Operation,
        /// How the producer stands.
        state: &'static str,
    },
    /// The record was not taken, and is no part of the transaction.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl TransactionError {
    /// What the caller may do.
    ///
    /// ```
    /// use mainstem_client::producer::{Remedy, SendError, TransactionError};
    ///
    /// let error = TransactionError::from(SendError::TooLarge { bytes: 2, limit: 1 });
    /// assert_eq!(error.remedy(), Remedy::Mend);
    /// ```
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Fenced { .. } | Self::Fatal { .. } | Self::Send(SendError::Closed) => Remedy::Close,
            Self::Abortable { .. } => Remedy::Abort,
            Self::TimedOut { .. } => Remedy::CallAgain,
            Self::OutOfTurn { .. } => Remedy::Mend,
            Self::Send(error) => match error.is_retriable() {
                true => Remedy::CallAgain,
                false => Remedy::Mend,
            },
        }
    }
}
