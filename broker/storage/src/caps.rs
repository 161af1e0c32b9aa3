//! Every limit of storage in one place.

use std::time::Duration;

/// What the journal is written in: a write begins and ends at a multiple of it.
pub const BLOCK_BYTES: u64 = 4096;

/// Payload that one journal frame may have; a bigger group is written ahead in data frames. Small journals have less.
pub const FRAME_PAYLOAD_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes that one round of the journal takes before it writes, so that no group waits for everybody's.
pub const ROUND_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Bytes of a big group's data frames that one round takes, so that it does not delay every other acknowledgement.
pub const ROUND_AHEAD_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Bytes that may wait for the journal's write before appends are refused with `NoRoom`.
pub const QUEUE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Files that the journal has at least: one that is written, and one to go on with while a checkpoint frees the first.
pub const JOURNAL_FILES_MIN: u64 = 4;

/// Batches of a producer that are remembered, so that a repeat is known (Kafka: `ProducerStateEntry`).
pub const PRODUCER_BATCHES_MAX: usize = 5;

/// Aborted transactions of a partition whose markers are still in its log; each takes 32 bytes of memory, and of a
/// checkpoint. Where there are as many, no more transactions are begun until old segments go.
pub const ABORTED_TRANSACTIONS_MAX: usize = 1024 * 1024;

/// How long a producer must have been silent for its partition to forget it before its time, where there are too many:
/// Kafka's clients repeat a batch for two minutes unless told otherwise (`delivery.timeout.ms`).
pub const PRODUCER_REPEAT_TIME: Duration = Duration::from_secs(10 * 60);

/// Producer ids that are taken from the journal at once (Kafka: `ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// The first and the largest step in which a segment's space is allocated (it doubles in between).
pub const ALLOCATION_STEP_BYTES: (u64, u64) = (64 * 1024, 16 * 1024 * 1024);

/// Partitions that one topic may have.
pub const PARTITIONS_MAX: u32 = 100_000;

/// Bytes that the value of a setting may have.
pub const SETTING_BYTES_MAX: usize = 1024;

/// Bytes of a file that is read as a whole: a checkpoint, `meta`, an index.
pub const WHOLE_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Files of old segments that are open at once; those with bytes that are not durable yet come on top.
pub const SEGMENT_DESCRIPTORS_MAX: usize = 4096;

/// Bytes of the indexes of old segments that are in memory at once; those of a full segment of 1 GiB have 2 to 5 MiB.
pub const SEGMENT_INDEX_BYTES_MAX: usize = 48 * 1024 * 1024;

/// Mappings that are open at once; what is above is copied. Linux has 65,530 for the whole process.
pub const MAPS_MAX: usize = 16 * 1024;

/// Damaged ranges that are remembered of one segment.
pub const DAMAGES_MAX: usize = 1024;

/// How long after a start retention looks at segments for the first time (Kafka: `log.initial.task.delay.ms`): whoever
/// starts a broker with old data has time to change a setting.
pub const INITIAL_TASK_DELAY: Duration = Duration::from_secs(30);

/// Brokers and groups that have settings of their own: each checkpoint says them all.
pub const RESOURCES_MAX: usize = 10_000;
