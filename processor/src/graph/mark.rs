//! Marks: records in a repartition topic that say how far the time of the task has come which writes them. They have
//! neither key nor value, and these headers:
//!
//! | header | bytes |
//! |---|---|
//! | `mainstem.task` | the number of the task, four bytes, big-endian |
//! | `mainstem.watermark` | milliseconds since 1970, eight bytes, big-endian; the greatest number is the end of the input |
//! | `mainstem.idle` | none; it is there where the task expects nothing for a while |
//!
//! The end of the input is that of one run: each run writes a mark of its own, and believes no other
//! ([`crate::watermark`]).

use mainstem_client::{Headers, PartitionId, Record, Text, Timestamp};

use crate::{OutputRecord, record::Emitted};

const TASK: &[u8] = b"mainstem.task";
const WATERMARK: &[u8] = b"mainstem.watermark";
const IDLE: &[u8] = b"mainstem.idle";

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) task: i32,
    pub(crate) watermark: Timestamp,
    pub(crate) is_idle: bool,
}

impl Mark {
    /// Reads a mark; none where the record is an ordinary one.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        if record.key.is_some() || record.value.is_some() || record.headers.is_empty() {
            return None;
        }
        let task = record.headers.last(TASK)??.as_ref().try_into().ok()?;
        let watermark = record.headers.last(WATERMARK)??.as_ref().try_into().ok()?;
        Some(Self {
            task: i32::from_be_bytes(task),
            watermark: Timestamp(i64::from_be_bytes(watermark)),
            is_idle: record.headers.last(IDLE).is_some(),
        })
    }

    /// The mark as a record. Its timestamp says nothing, and is zero so that no topic refuses it.
    pub(crate) fn record(&self, topic: &Text, partition: PartitionId) -> Emitted {
        let (task, watermark) = (self.task.to_be_bytes(), self.watermark.0.to_be_bytes());
        let idle = self.is_idle.then_some((IDLE, None));
        let headers = [(TASK, Some(&task[..])), (WATERMARK, Some(&watermark[..]))].into_iter().chain(idle);
        let headers = Headers::new(headers).unwrap_or_default();
        let record = OutputRecord { timestamp: Timestamp(0), headers, ..OutputRecord::default() };
        Emitted { topic: topic.clone(), partition: Some(partition), record }
    }
}

#[cfg(test)]
mod tests {
    use mainstem_client::Offset;

    use super::*;

    #[test]
    fn marks_come_back_and_ordinary_records_are_none() {
        for (watermark, is_idle) in [(i64::MIN, false), (7, true), (i64::MAX, false)] {
            let mark = Mark { task: 3, watermark: Timestamp(watermark), is_idle };
            let OutputRecord { key, value, timestamp, headers } =
                mark.record(&Text::from("r"), PartitionId(0)).record;
            let mut record = Record { offset: Offset(0), timestamp, key, value, headers };
            assert_eq!(Mark::of(&record), Some(mark));
            record.key = Some("k".into());
            assert_eq!(Mark::of(&record), None);
        }
    }
}
