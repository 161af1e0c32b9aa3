//! Why the store refuses.

use mainstem_protocol::{Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, TopicId};

/// Why a group got no place in the journal. Nothing of it was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Space must be made first: by `make_room`, which blocks.
    #[error("no room yet")]
    NoRoom,
    /// The topic or the partition does not exist.
    #[error("partition {partition} of topic {topic} does not exist")]
    UnknownPartition {
        /// The topic.
        topic: TopicId,
        /// Its partition.
        partition: PartitionId,
    },
    /// The group has no batches.
    #[error("the append group is empty")]
    Empty,
    /// The group is bigger than the journal takes.
    #[error("the append group has {bytes} bytes, the journal takes {bytes_max}")]
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// What is possible.
        bytes_max: u64,
    },
    /// A batch of the producer is missing before this one.
    #[error("producer {producer_id}: sequence {found} follows {last}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: ProducerId,
        /// The last sequence that is known; -1 for none.
        last: Sequence,
        /// The first one of the batch.
        found: Sequence,
    },
    /// A newer instance of the producer has written already.
    #[error("producer {producer_id}: epoch {found} is older than {current}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: ProducerId,
        /// The epoch that is known.
        current: ProducerEpoch,
        /// That of the batch.
        found: ProducerEpoch,
    },
    /// A batch outside of any transaction, of a producer that has one open here.
    #[error("producer {producer_id} has a transaction open from offset {first} on: this batch is in none")]
    InvalidTransactionState {
        /// The producer.
        producer_id: ProducerId,
        /// The first offset of its transaction.
        first: Offset,
    },
    /// A newer coordinator has ended transactions of the producer already.
    #[error("producer {producer_id}: coordinator epoch {found} is older than {current}")]
    CoordinatorFenced {
        /// The producer.
        producer_id: ProducerId,
        /// The epoch that is known.
        current: i32,
        /// That of the marker.
        found: i32,
    },
    /// The partition remembers as many producers as it may, and all of them may still repeat what they sent.
    #[error(
        "the partition remembers {most} producers, and none has been silent for long (max.producers.per.partition)"
    )]
    TooManyProducers {
        /// How many it may remember.
        most: u32,
    },
    /// The log has the markers of as many aborted transactions as may be told to readers.
    #[error("the partition has {most} aborted transactions: no more are begun until old segments go")]
    TooManyAborted {
        /// How many there may be.
        most: usize,
    },
    /// The log start cannot move there.
    #[error("offset {offset} is not within the log, {log_start} to {high_watermark}")]
    OffsetOutOfRange {
        /// The offset that was asked for.
        offset: Offset,
        /// Where the log begins.
        log_start: Offset,
        /// Where it ends for readers.
        high_watermark: Offset,
    },
    /// There is no space on the disk; there may be later.
    #[error("the disk is full")]
    DiskFull,
    /// A file could not be made or grown.
    #[error("storage failed: {0}")]
    Storage(String),
    /// The journal has failed; the process must stop.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
}

impl AppendError {
    /// What the disk says about space that was asked for.
    pub(crate) fn of_io(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self::DiskFull,
            _ => Self::Storage(error.to_string()),
        }
    }
}

/// A sync or a write failed: nothing more is accepted in this process (durability rule 27).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log directory is poisoned: {reason}")]
pub struct Poisoned {
    /// What failed.
    pub reason: String,
}
