//! How a transactional producer stands. No I/O.
//!
//! The rules are those of Kafka's `TransactionManager`: what a code means for a transaction, when the producer needs another
//! epoch, when there is something to end at all.

use std::collections::HashSet;

use mainstem_protocol::{ApiKey, ErrorCode, ProducerEpoch, ProducerId};

use super::{
    super::ProduceError,
    config::TransactionConfig,
    error::{Operation, TransactionCause, TransactionError},
};
use crate::TopicPartition;

/// How the broker does transactions (KIP-890).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::producer) enum Generation {
    /// Partitions and groups are added by requests of their own, and all transactions of a producer share its epoch.
    #[default]
    First,
    /// What is written adds itself, and each transaction has an epoch of its own.
    Second,
}

impl Generation {
    /// The newest version of an API whose meaning is this generation's (Kafka: `ProduceRequest`, `EndTxnRequest` and
    /// `TxnOffsetCommitRequest` have a `LAST_STABLE_VERSION_BEFORE_TRANSACTION_V2` each).
    pub(in crate::producer) const fn newest(self, key: ApiKey) -> i16 {
        match (self, key) {
            (Self::First, ApiKey::Produce) => 11,
            (Self::First, ApiKey::EndTxn | ApiKey::TxnOffsetCommit) => 4,
            _ => i16::MAX,
        }
    }
}

/// Where the producer is between its transactions.
#[derive(Clone, Debug)]
enum Phase {
    /// It has no identity yet.
    New,
    /// No transaction is open.
    Ready,
    /// A transaction is open.
    Open,
    /// The transaction is being committed; `asked` once the coordinator may have heard of it.
    Committing { asked: bool },
    /// The transaction is being aborted.
    Aborting,
    /// The transaction can only be aborted.
    Failed(TransactionError),
    /// The producer can only be closed.
    Dead(TransactionError),
}

/// Whether the broker knows of the transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Started {
    #[default]
    No,
    /// It was told, and may not have heard.
    Perhaps,
    Yes,
}

#[derive(Debug)]
pub(super) struct State {
    config: TransactionConfig,
    phase: Phase,
    pub(super) generation: Generation,
    pub(super) identity: Option<(ProducerId, ProducerEpoch)>,
    /// Another number after each change after which sequences begin anew.
    pub(super) numbering: u64,
    pub(super) started: Started,
    /// Partitions of the transaction, in the first generation.
    pub(super) partitions: HashSet<TopicPartition>,
    /// Batches failed, so that sequences have gaps or are not known.
    needs_epoch: bool,
    /// The coordinator does not know the producer id any more, and would not end its transaction.
    id_lost: bool,
    /// Offsets were to be added, and nobody has said that they are.
    pub(super) offsets_unsettled: bool,
    busy: bool,
}

/// How a transaction is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// Whether the coordinator has to be asked to end it.
    pub(super) end: Started,
    /// Whether another epoch has to be asked for.
    pub(super) renew: bool,
}

impl State {
    pub(super) fn new(config: TransactionConfig) -> Self {
        Self {
            config,
            phase: Phase::New,
            generation: Generation::default(),
            identity: None,
            numbering: 0,
            started: Started::No,
            partitions: HashSet::new(),
            needs_epoch: false,
            id_lost: false,
            offsets_unsettled: false,
            busy: false,
        }
    }

    /// Takes the turn for an operation; it is given back by [`Self::rest`].
    pub(super) const fn take_turn(&mut self, operation: Operation) -> Result<(), TransactionError> {
        if self.busy {
            let state = "another operation is under way";
            return Err(TransactionError::OutOfTurn { operation, state });
        }
        self.busy = true;
        Ok(())
    }

    pub(super) const fn rest(&mut self) {
        self.busy = false;
    }

    /// Whether an operation may begin now; it then stands so.
    pub(super) fn begin(&mut self, operation: Operation) -> Result<(), TransactionError> {
        let next = match (operation, &self.phase) {
            // Whoever is fenced hears of that whatever it wants, and of a failed transaction unless it aborts that.
            (_, Phase::Dead(error)) => return Err(error.clone()),
            (Operation::Abort, Phase::Failed(_)) => Phase::Aborting,
            (_, Phase::Failed(error)) => return Err(error.clone()),
            (Operation::Init, Phase::New) => Phase::New,
            (Operation::Begin, Phase::Ready) => Phase::Open,
            (Operation::Send | Operation::SendOffsets, Phase::Open) => Phase::Open,
            (Operation::Commit, Phase::Open) if self.offsets_unsettled => {
                let state = "offsets are not known to be in the transaction, send them again or abort it";
                return Err(TransactionError::OutOfTurn { operation, state });
            }
            (Operation::Commit, Phase::Open) => Phase::Committing { asked: false },
            (Operation::Commit, Phase::Committing { asked }) => Phase::Committing { asked: *asked },
            (Operation::Abort, Phase::Open | Phase::Aborting | Phase::Committing { asked: false }) => {
                Phase::Aborting
            }
            (operation, phase) => {
                return Err(TransactionError::OutOfTurn { operation, state: phase.describe() });
            }
        };
        self.phase = next;
        Ok(())
    }

    /// Notes that the producer has its identity.
    pub(super) fn identified(&mut self, generation: Generation, identity: (ProducerId, ProducerEpoch)) {
        self.generation = generation;
        self.finish(Some(identity));
    }

    /// Whether records go out: those that are sent while the transaction is open, until they are stored.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Committing { asked: false })
    }

    /// Why records that were not sent yet are given up.
    pub(super) fn gives_up(&self) -> Option<String> {
        match &self.phase {
            Phase::Aborting => Some("its transaction was aborted".to_owned()),
            Phase::Failed(error) | Phase::Dead(error) => Some(error.to_string()),
            _ => None,
        }
    }

    /// Notes that the coordinator is told, or has heard, that something belongs to the transaction.
    pub(super) fn started(&mut self, started: Started) {
        self.started = self.started.max(started);
    }

    /// How the transaction is to be ended; from here on the coordinator may have heard of it.
    pub(super) fn ending(&mut self) -> Ending {
        if let Phase::Committing { asked } = &mut self.phase {
            *asked = self.started > Started::No;
        }
        let end = if self.id_lost { Started::No } else { self.started };
        // In the second generation the end of a transaction brings the next epoch, unless there is nothing to end.
        let renew = self.id_lost || (self.needs_epoch && self.generation == Generation::First);
        Ending { end, renew }
    }

    /// Notes that the transaction is over; with the identity that goes on, where it is another one.
    pub(super) fn finish(&mut self, identity: Option<(ProducerId, ProducerEpoch)>) {
        if identity.is_some() {
            self.identity = identity;
        }
        if identity.is_some() || self.generation == Generation::Second {
            self.numbering += 1;
        }
        self.phase = Phase::Ready;
        self.started = Started::No;
        self.partitions.clear();
        self.needs_epoch = false;
        self.id_lost = false;
        self.offsets_unsettled = false;
    }

    /// Notes that a record of the transaction was not stored.
    pub(super) fn record_failed(&mut self, error: ProduceError) {
        self.needs_epoch = true;
        let is_fatal = matches!(
            error,
            ProduceError::Refused {
                code: ErrorCode::CLUSTER_AUTHORIZATION_FAILED
                    | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                    | ErrorCode::INVALID_PRODUCER_ID_MAPPING
                    | ErrorCode::UNSUPPORTED_VERSION,
                ..
            }
        );
        let is_fenced = matches!(error, ProduceError::Refused { code: ErrorCode::PRODUCER_FENCED, .. });
        let cause = Box::new(TransactionCause::Record(error));
        self.fail(match (is_fenced, is_fatal) {
            (true, _) => self.fenced(),
            (_, true) => TransactionError::Fatal { cause },
            _ => TransactionError::Abortable { cause },
        });
    }

    /// What a cause that does not pass means for the transaction; it then stands so.
    pub(super) fn failed(&mut self, cause: TransactionCause) -> TransactionError {
        let code = cause.code();
        let lost =
            matches!(code, Some(ErrorCode::UNKNOWN_PRODUCER_ID | ErrorCode::INVALID_PRODUCER_ID_MAPPING));
        if lost {
            (self.id_lost, self.needs_epoch) = (true, true);
        }
        let cause = Box::new(cause);
        let error = match code {
            Some(ErrorCode::PRODUCER_FENCED | ErrorCode::INVALID_PRODUCER_EPOCH) => self.fenced(),
            Some(code) if lost || is_abortable(code) => TransactionError::Abortable { cause },
            _ => TransactionError::Fatal { cause },
        };
        self.fail(error.clone());
        error
    }

    pub(super) fn fenced(&self) -> TransactionError {
        TransactionError::Fenced { id: self.config.id.clone(), timeout: self.config.timeout }
    }

    /// The first failure of a transaction counts, and none of an aborted one; the end of the producer always does.
    fn fail(&mut self, error: TransactionError) {
        let is_end = !matches!(error, TransactionError::Abortable { .. });
        match self.phase {
            Phase::Dead(_) => {}
            Phase::New if !matches!(error, TransactionError::Fenced { .. }) => {}
            _ if is_end => self.phase = Phase::Dead(error),
            Phase::Open | Phase::Committing { .. } => self.phase = Phase::Failed(error),
            _ => {}
        }
    }

    /// What stands in the way of a commit.
    pub(super) fn trouble(&self) -> Option<TransactionError> {
        match &self.phase {
            Phase::Failed(error) | Phase::Dead(error) => Some(error.clone()),
            _ => None,
        }
    }

    /// Whether a transaction would be left open.
    pub(super) const fn is_unfinished(&self) -> bool {
        matches!(
            self.phase,
            Phase::Open | Phase::Aborting | Phase::Failed(_) | Phase::Committing { asked: false }
        )
    }
}

impl Phase {
    const fn describe(&self) -> &'static str {
        match self {
            Self::New => "call init_transactions first",
            Self::Ready => "no transaction is open",
            Self::Open => "a transaction is open",
            Self::Committing { .. } => "the transaction is being committed, call commit until it answers",
            Self::Aborting => "the transaction is being aborted, call abort until it answers",
            Self::Failed(_) => "the transaction has failed",
            Self::Dead(_) => "the producer has failed",
        }
    }
}

/// What concerns this transaction alone: the next one may fare better.
const fn is_abortable(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::TRANSACTION_ABORTABLE
            | ErrorCode::TOPIC_AUTHORIZATION_FAILED
            | ErrorCode::GROUP_AUTHORIZATION_FAILED
            | ErrorCode::OPERATION_NOT_ATTEMPTED
            | ErrorCode::INVALID_TOPIC_EXCEPTION
            | ErrorCode::OFFSET_METADATA_TOO_LARGE
            | ErrorCode::INVALID_COMMIT_OFFSET_SIZE
            | ErrorCode::FENCED_INSTANCE_ID
            | ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::STALE_MEMBER_EPOCH
            | ErrorCode::REBALANCE_IN_PROGRESS
    )
}
