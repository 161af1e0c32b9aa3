//! Out of the log: at once where the page cache has it, on a blocking thread where the medium must be asked.

use std::sync::Arc;

use mainstem_protocol::{ErrorCode, Offset, Timestamp, records::Records};
use mainstem_storage::{
    Isolation, Partition, Read, TimeMatch, Visible,
    segment::{FileRange, ReadError, Wait},
};

/// Whole batches from `offset` on, as such a reader sees them, of at most `bytes_max` bytes, unless the first alone is
/// bigger and `at_least_one` is set.
///
/// # Errors
/// The code for the wire.
pub(crate) async fn read(
    partition: &Arc<Partition>,
    visible: Visible,
    offset: Offset,
    isolation: Isolation,
    (bytes_max, at_least_one): (usize, bool),
) -> Result<Records, ErrorCode> {
    if !(visible.log_start..=visible.high_watermark).contains(&offset) {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let read = Read { bytes_max, at_least_one, wait: Wait::No, isolation };
    match partition.read(&visible, offset, read) {
        Err(ReadError::Cold) => {
            let read = Read { wait: Wait::Yes, ..read };
            blocking(partition, move |partition| partition.read(&visible, offset, read)).await
        }
        read => read.map_err(|error| code(&error)),
    }
}

/// The first record that is not older than `timestamp`.
///
/// # Errors
/// The code for the wire.
pub(crate) async fn offset_of_timestamp(
    partition: &Arc<Partition>,
    visible: Visible,
    timestamp: Timestamp,
) -> Result<Option<TimeMatch>, ErrorCode> {
    blocking(partition, move |partition| partition.offset_for_timestamp(&visible, timestamp)).await
}

/// The first record with the largest timestamp of all.
///
/// # Errors
/// The code for the wire.
pub(crate) async fn offset_of_largest_timestamp(
    partition: &Arc<Partition>,
    visible: Visible,
) -> Result<Option<TimeMatch>, ErrorCode> {
    blocking(partition, move |partition| partition.offset_of_largest_timestamp(&visible)).await
}

/// How many records there are, as their offsets say: batches are not walked to be counted.
pub(crate) fn count(records: &Records) -> u64 {
    let Records::Range(range) = records else { return 0 };
    range.as_any().downcast_ref().map_or(0, FileRange::offsets)
}

/// The offset behind the records, or one behind that; `None` where there are none.
pub(crate) fn end(records: &Records) -> Option<Offset> {
    let Records::Range(range) = records else { return None };
    range.as_any().downcast_ref().and_then(FileRange::next_offset)
}

async fn blocking<T, F>(partition: &Arc<Partition>, read: F) -> Result<T, ErrorCode>
where
    F: FnOnce(&Partition) -> Result<T, ReadError> + Send + 'static,
    T: Send + 'static,
{
    let partition = Arc::clone(partition);
    let reading = tokio::task::spawn_blocking(move || read(&partition));
    match reading.await {
        Ok(result) => result.map_err(|error| code(&error)),
        Err(_panicked) => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

/// The codes for what may go wrong with a read.
const fn code(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::Damaged(_) => ErrorCode::CORRUPT_MESSAGE,
        ReadError::Cold | ReadError::Io(_) => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}
