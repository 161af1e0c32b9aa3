//! Every limit on what a processor holds or starts, where no setting says otherwise.

use std::time::Duration;

/// Tasks of one topology.
pub const TASKS_MAX: usize = 10_000;

/// Threads that the tasks of one topology share.
pub const THREADS_MAX: usize = 64;

/// Bytes of output and state that may wait for a commit before one is made. Less than what one batch may hold where
/// nobody has set anything (1 MiB), so that the changes of a commit are one batch.
pub const UNCOMMITTED_BYTES_MAX: usize = 512 * 1024;

/// The longest time between two commits while there is something to commit.
pub const COMMIT_INTERVAL: Duration = Duration::from_millis(200);

/// Records that a task takes at once.
pub const BATCH_RECORDS: usize = 1000;

/// Answers of a join by a foreign key that one update of the right table gives at once; the next ones follow when these
/// are sent.
pub const ANSWERS_MAX: usize = 1000;

/// Bytes of such answers, if that is less.
pub const ANSWERS_BYTES_MAX: usize = 1024 * 1024;

/// Records for topics behind which a task that takes its records one by one sends them before it takes the next one.
pub const EMITTED_MAX: usize = 1000;

/// Bytes of such records, if that is less.
pub const EMITTED_BYTES_MAX: usize = 1024 * 1024;

/// The first wait before a task that failed is started again; it doubles from failure to failure.
pub const RESTART_BACKOFF: Duration = Duration::from_millis(100);

/// The longest wait before a task is started again.
pub const RESTART_BACKOFF_MAX: Duration = Duration::from_secs(10);

/// How long brokers are given to answer what a task cannot do without.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a batch that takes up the changes of a commit.
pub const CHANGELOG_BATCH_BYTES: usize = 1_000_000;

/// Bytes of a segment of a changelog. The last segment is not compacted, so that a start reads at least so much of it once
/// there is so much.
pub const CHANGELOG_SEGMENT_BYTES: usize = 64 * 1024 * 1024;

/// Values of a store that are kept at hand beyond those that a commit has still to write.
pub const CELLS_MAX: usize = 64 * 1024;

/// Values of a store that may wait for a commit before they are written all the same.
pub const CHANGED_CELLS_MAX: usize = 16 * 1024;

/// Records of a key that a window by count may keep.
pub const COUNTED_RECORDS_MAX: u32 = 10_000;

/// Windows that one record may lie in.
pub const WINDOWS_OF_A_RECORD_MAX: i64 = 10_000;

/// How long an input must have nothing new before it is idle and its time not waited for.
pub const IDLE_AFTER: Duration = Duration::from_secs(10);

/// Records of an input that may wait to be merged with those of others, before no more of it are fetched (Kafka:
/// `buffered.records.per.partition`).
pub const BUFFERED_RECORDS_PER_PARTITION: usize = 1000;

/// Bytes of keys and values of an input that may wait to be merged.
pub const BUFFERED_BYTES_PER_PARTITION: usize = 4 * 1024 * 1024;

/// How often to look whether an input that others wait for has come to its end.
pub const MERGE_LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Timers by the clock that a task may wait for.
pub const WALL_CLOCK_TIMERS_MAX: usize = 100_000;

/// How long a task that waits for a timer sleeps at most before it looks at the clock, which may have been set; and how often
/// it looks where its time goes by the clock because its inputs are idle.
pub const WALL_CLOCK_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Rounds through all tasks that the test driver makes for one record before it takes the topology to be endless.
pub const TEST_ROUNDS_MAX: usize = 1000;

/// The least memory that state on disk can work with.
pub const STATE_MEMORY_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// Threads that write out and merge state on disk, whatever the number of its stores.
pub const STATE_WORKERS: usize = 2;

/// Files of state on disk that are open at a time.
pub const STATE_FILES_MAX: usize = 256;

/// Bytes of the name of a table in a state directory: processor, task and store.
pub const STATE_NAME_BYTES_MAX: usize = 255;

/// Different keys of a topic that are looked at to see by which partitioner it was written.
pub const SAMPLED_KEYS_MAX: usize = 256;

/// Different keys without which nothing is concluded: fewer may lie as they do by chance.
pub const SAMPLED_KEYS_MIN: usize = 16;

/// Answers that are waited for to see by which partitioner a topic was written, and how long for each.
pub const SAMPLES_MAX: usize = 16;

/// As [`SAMPLES_MAX`].
pub const SAMPLE_PATIENCE: Duration = Duration::from_millis(500);

/// Milliseconds that a commit waits at most for what earlier ones have written to reach the disk.
pub const STATE_WAITS_MAX: usize = 1000;

/// How long an open transaction must have held back an input before brokers are asked whose it is.
pub const HELD_BACK_PATIENCE: Duration = Duration::from_secs(10);

/// How often they are asked again while nothing has changed.
pub const HELD_BACK_ASK_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// How often a task that has nothing to do looks whether an open transaction holds back its inputs.
pub const HELD_BACK_LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// How often a restore that takes long says how far it is.
pub const RESTORE_REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// How long brokers keep tombstones where a changelog does not say (Kafka: `delete.retention.ms`).
pub const TOMBSTONES_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Values within values that one of Avro may have.
#[cfg(feature = "avro")]
pub const AVRO_DEPTH_MAX: usize = 64;

/// Items of arrays and maps that a value of Avro may have beyond its bytes: items may take none.
#[cfg(feature = "avro")]
pub const AVRO_EMPTY_ITEMS_MAX: usize = 1024;

/// Schemas of Avro that one set of them keeps; each for as long as the process runs.
#[cfg(feature = "avro")]
pub const AVRO_SCHEMAS_MAX: usize = 1024;

/// Messages within messages that the index of one of Protocol Buffers may lead through.
#[cfg(feature = "protobuf")]
pub const PROTOBUF_INDEXES_MAX: usize = 64;
