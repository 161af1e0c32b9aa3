//! What a producer's batch must be, in the order in which Kafka asks (`ProduceRequest.validateRecords`,
//! `UnifiedLog.analyzeAndValidateRecords`, `LogValidator`): of several things that are wrong, clients learn the first.
//!
//! Batches that are small or not compressed are checked where they come in; what must be decompressed at length goes to
//! a blocking thread, so that no other connection waits for it.

use std::{cell::RefCell, ops::RangeInclusive, sync::Arc};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    ErrorCode, Offset, Timestamp,
    caps::DECOMPRESSED_BYTES_MAX,
    records::{
        Batch, Compression, DecompressError, Records, TimestampType,
        header::{self, HEADER_BYTES},
        validate::{Rules, Summary, ValidateError, Validator, only_batch},
    },
};
use mainstem_storage::{TopicConfig, config::CompressionType};
use tokio::sync::Semaphore;

use super::recompress::recompress;
use crate::caps::{BLOCKING_CHECKS_MAX, INLINE_BATCH_BYTES_MAX, INLINE_DECOMPRESSED_BYTES_MAX};

/// The first version of Produce in which zstd may be used (KIP-110).
const ZSTD_SINCE: i16 = 7;

/// A batch that is not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// The code on the wire.
    pub(crate) code: ErrorCode,
    /// For people.
    pub(crate) message: String,
    /// The records at fault, by their place in the batch.
    pub(crate) records: Vec<(i32, String)>,
}

/// What a batch is measured against.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// That of the Produce request.
    pub(crate) version: i16,
    /// The broker's time.
    pub(crate) now: Timestamp,
    /// The topic's settings.
    pub(crate) config: Arc<TopicConfig>,
}

/// Batches that are decompressed at length at the same time: each may take its limit of memory.
static BLOCKING: Semaphore = Semaphore::const_new(BLOCKING_CHECKS_MAX);

thread_local! {
    /// Buffers and contexts of the codecs, one set for each thread.
    static VALIDATOR: RefCell<Validator> = RefCell::default();
}

/// Checks the batch of a producer and makes of it what the topic keeps.
///
/// # Errors
/// Where it must not be appended.
pub(crate) async fn check(records: Records, terms: Terms) -> Result<Batch, Rejected> {
    let batch = check_outside(in_memory(records)?, &terms)?;
    if is_inline(&batch, &terms) {
        match check_inside(&batch, &terms, INLINE_DECOMPRESSED_BYTES_MAX) {
            Err(ValidateError::Decompress(DecompressError::TooLarge { .. })) => {}
            checked => return kept(batch, checked, &terms),
        }
    }
    let permit = BLOCKING.acquire().await;
    let checking = tokio::task::spawn_blocking(move || {
        let checked = check_inside(&batch, &terms, DECOMPRESSED_BYTES_MAX);
        kept(batch, checked, &terms)
    });
    let checked = checking.await;
    drop(permit);
    checked.map_err(|panic| Rejected::new(ErrorCode::UNKNOWN_SERVER_ERROR, panic.to_string()))?
}

/// Requests off a socket lie in memory. One from within the process that gives a range of the log is odd, and refused.
fn in_memory(records: Records) -> Result<Bytes, Rejected> {
    match records {
        Records::Bytes(bytes) => Ok(bytes),
        Records::Range(_) => {
            Err(Rejected::new(ErrorCode::INVALID_RECORD, "batches to append must be in memory"))
        }
    }
}

fn is_inline(batch: &Batch, terms: &Terms) -> bool {
    batch.bytes().len() <= INLINE_BATCH_BYTES_MAX && terms.target_of(batch).is_none()
}

/// What can be told without going through the records.
fn check_outside(records: Bytes, terms: &Terms) -> Result<Batch, Rejected> {
    let batch = only_batch(records)?;
    let header = batch.header();
    if header.attributes.compression() == Ok(Compression::Zstd) && terms.version < ZSTD_SINCE {
        let message = format!("zstd needs version {ZSTD_SINCE} of Produce");
        return Err(Rejected::new(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, message));
    }
    if header.base_offset != Offset::ZERO {
        return Err(ValidateError::BaseOffset(header.base_offset).into());
    }
    check_size(&batch, terms)?;
    Ok(batch)
}

fn check_size(batch: &Batch, terms: &Terms) -> Result<(), Rejected> {
    let (bytes, most) = (batch.bytes().len() as u64, terms.config.max_message_bytes);
    if bytes <= most {
        return Ok(());
    }
    let message = format!("batch of {bytes} bytes is above max.message.bytes, {most}");
    Err(Rejected::new(ErrorCode::MESSAGE_TOO_LARGE, message))
}

fn check_inside(
    batch: &Batch,
    terms: &Terms,
    decompressed_bytes_max: usize,
) -> Result<Summary, ValidateError> {
    let rules = Rules { timestamps: terms.timestamps(), decompressed_bytes_max };
    VALIDATOR.with_borrow_mut(|validator| validator.check(batch, &rules))
}

/// The batch as the topic keeps it: with the right timestamps, in the topic's compression.
fn kept(batch: Batch, checked: Result<Summary, ValidateError>, terms: &Terms) -> Result<Batch, Rejected> {
    let summary = checked?;
    if let (true, Some(index)) = (terms.config.cleanup_policy.compact, summary.first_without_key) {
        return Err(Rejected::record(index, "a compacted topic cannot accept a record without a key"));
    }
    let batch = stamped(batch, &summary);
    let is_recompressed = terms.target_of(&batch).is_some();
    let batch = match terms.target_of(&batch) {
        Some(compression) => {
            recompress(&batch, compression, terms.config.compression_levels.of(compression))?
        }
        None => batch,
    };
    // What became larger is measured again (Kafka: `UnifiedLog.append`).
    if is_recompressed {
        check_size(&batch, terms)?;
    }
    if batch.bytes().len() as u64 > terms.config.segment_bytes {
        let message = format!("batch is above segment.bytes, {}", terms.config.segment_bytes);
        return Err(Rejected::new(ErrorCode::RECORD_LIST_TOO_LARGE, message));
    }
    Ok(batch)
}

/// Says the largest timestamp as it is. Producers have it right, so a copy is rarely made. Log append times are set
/// where the batch gets its place.
fn stamped(batch: Batch, summary: &Summary) -> Batch {
    if summary.max_timestamp == batch.header().max_timestamp {
        return batch;
    }
    let mut bytes = BytesMut::from(batch.bytes().as_ref());
    if let Some(header) = bytes.first_chunk_mut::<HEADER_BYTES>() {
        header::patch_timestamp(header, TimestampType::CreateTime, summary.max_timestamp);
    }
    // Nothing that a batch is made of has changed, so it is one still.
    Batch::split_from(&mut bytes.freeze()).unwrap_or(batch)
}

impl Terms {
    fn timestamps(&self) -> RangeInclusive<Timestamp> {
        match self.config.timestamp_type {
            TimestampType::CreateTime => {
                let before = self.now.0.saturating_sub_unsigned(self.config.timestamp_before_max_ms);
                let after = self.now.0.saturating_add_unsigned(self.config.timestamp_after_max_ms);
                Timestamp(before)..=Timestamp(after)
            }
            // The producer's times are not kept, so they may be anything.
            TimestampType::LogAppendTime => Timestamp(i64::MIN)..=Timestamp(i64::MAX),
        }
    }

    /// The compression into which the batch must be brought; none where it may stay as it is.
    fn target_of(&self, batch: &Batch) -> Option<Compression> {
        match self.config.compression_type {
            CompressionType::Fixed(target) if batch.header().attributes.compression() != Ok(target) => {
                Some(target)
            }
            CompressionType::Fixed(_) | CompressionType::Producer => None,
        }
    }
}

impl Rejected {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), records: Vec::new() }
    }

    fn record(index: i32, message: &str) -> Self {
        let summary = "one or more records have been rejected";
        let records = vec![(index, message.to_owned())];
        Self { code: ErrorCode::INVALID_RECORD, message: summary.to_owned(), records }
    }
}

impl From<ValidateError> for Rejected {
    fn from(error: ValidateError) -> Self {
        let message = error.to_string();
        let records = error.record_index().map(|index| (index, message.clone()));
        Self { code: error.error_code(), records: records.into_iter().collect(), message }
    }
}

#[cfg(test)]
mod tests;
