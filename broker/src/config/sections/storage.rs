//! Settings of `mainstem_storage`.

use std::path::PathBuf;
use std::time::Duration;

use mainstem_storage::store::CleanerOptions;

use super::{INT_MAX, LONG_MAX};
use crate::config::{LogAppend, Shape, setting::settings};

/// A terabyte: what is larger is a slip of the pen, and would only fill the disk.
const JOURNAL_BYTES_MAX: i64 = 1 << 40;

settings! {
    /// The data directory and the journal.
    pub struct StorageSettings at storage, "Storage" {
        /// The data directory. It is made where it does not exist; one broker at a time may use it.
        dir: PathBuf = "./data".into(), "log.dir", Shape::word().kafka("ServerLogConfigs");

        /// The most that the journal may take of the disk. Every append goes through it; the bigger it is, the longer writing
        /// may run ahead of the segments, and the longer a start after a crash may take. At most a quarter of it goes into one
        /// append, so that the default lets a record of 64 MiB through.
        journal_bytes: u64 = 288 * 1024 * 1024, "journal.bytes", Shape::bytes(1024 * 1024, JOURNAL_BYTES_MAX);

        /// The number of this broker. A data directory keeps the number that it was made with.
        node_id: i32 = 1, "node.id", Shape::count(0, INT_MAX).kafka("KRaftConfigs");

        /// How segments are appended to: by writes, or through a mapped window of the file. Both give the same bytes.
        append: LogAppend = LogAppend::Write, "log.append", Shape::word();

        /// How often segments are looked at whose time or size is over.
        retention_check_interval: Duration = Duration::from_secs(300), "log.retention.check.interval.ms",
            Shape::milliseconds(1, LONG_MAX).kafka("ServerLogConfigs");

        /// How long an idle producer's last batches are remembered, so that a repeat is known. A producer that was idle for
        /// longer starts anew without losing anything.
        producer_id_expiration: Duration = Duration::from_secs(24 * 60 * 60), "producer.id.expiration.ms",
            Shape::milliseconds(1, INT_MAX).kafka("TransactionLogConfig").dynamic();

        /// Idempotent producers that a partition remembers; each takes up to 300 bytes of memory. Where there are more, those
        /// that were silent for longest, as the timestamps of their records say, are forgotten before their time, though none
        /// that wrote within the last ten minutes: where all did, a new one is refused with POLICY_VIOLATION.
        producers_per_partition: u32 = 10_000, "max.producers.per.partition", Shape::count(1, INT_MAX);

        /// Partitions that all topics together may have, and so topics too. More are refused with POLICY_VIOLATION; the
        /// broker's own topics are counted and never refused, and what is there stays where the number is lowered.
        partitions: u32 = 100_000, "max.broker.partitions", Shape::count(1, INT_MAX);

        /// Whether topics with `cleanup.policy=compact` are compacted.
        compaction: bool = true, "log.cleaner.enable", Shape::word().kafka("CleanerConfig");

        /// Bytes that the keys of one compaction may take, 24 for each key that the new part of a log has; where they are
        /// more, it is compacted in several passes. The memory is held only while a topic is compacted.
        compaction_memory: usize = 128 * 1024 * 1024, "log.cleaner.dedupe.buffer.size",
            Shape::bytes(1024, LONG_MAX).kafka("CleanerConfig").dynamic();

        /// Bytes that compaction reads and writes in a second at most. A whole number here; the default is no limit.
        compaction_rate: u64 = i64::MAX.unsigned_abs(), "log.cleaner.io.max.bytes.per.second",
            Shape::bytes(1, LONG_MAX).kafka("CleanerConfig").dynamic();

        /// How long compaction waits when no topic is dirty enough.
        compaction_backoff: Duration = Duration::from_secs(15), "log.cleaner.backoff.ms",
            Shape::milliseconds(0, LONG_MAX).kafka("CleanerConfig").dynamic();

        /// Accepted and without effect: one thread compacts all topics, the dirtiest first.
        compaction_threads: u32 = 1, "log.cleaner.threads", Shape::count(0, INT_MAX).kafka("CleanerConfig").dynamic();
    }
}

impl StorageSettings {
    /// How compacted topics are cleaned.
    pub(crate) fn cleaner(&self) -> CleanerOptions {
        CleanerOptions {
            is_enabled: self.compaction,
            dedupe_buffer_bytes: self.compaction_memory,
            bytes_per_second_max: self.compaction_rate as f64,
            backoff: self.compaction_backoff,
        }
    }
}
