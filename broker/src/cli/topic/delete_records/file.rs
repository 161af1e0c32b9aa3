//! Offsets as `kafka-delete-records.sh` has them (Kafka: `DeleteRecordsCommand`).

use std::fs::read_to_string;
use std::io;
use std::path::Path;

use mainstem_client::TopicPartition;
use serde::Deserialize;

use super::plan::Before;
use crate::cli::Error;

/// What stands for standard input.
const STDIN: &str = "-";
/// The one version of the form.
const VERSION: u32 = 1;
/// The offset that stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "version")]
    version: u32,
    partitions: Vec<Entry>,
}

const fn version() -> u32 {
    VERSION
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    topic: String,
    partition: i32,
    offset: i64,
}

/// A file that says no offsets.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("version {0} is not known; expected {VERSION}")]
    Version(u32),
    #[error("{topic} has no partition {partition}; expected a whole number from 0 on")]
    Partition { topic: String, partition: i32 },
    #[error("offset {offset} of {partition} is none; expected one from 0 on, or -1 for the high watermark")]
    Offset { partition: TopicPartition, offset: i64 },
    #[error("there are no partitions in it")]
    Empty,
}

/// Reads a file of offsets.
pub(super) fn read(path: &Path) -> Result<Vec<(TopicPartition, Before)>, Error> {
    let shown = path.display();
    let text =
        if path.as_os_str() == STDIN { io::read_to_string(io::stdin().lock()) } else { read_to_string(path) };
    let text = text.map_err(|error| Error::usage(format_args!("{shown} cannot be read: {error}")))?;
    parse(&text).map_err(|error| Error::usage(format_args!("{shown}: {error}")))
}

fn parse(text: &str) -> Result<Vec<(TopicPartition, Before)>, FileError> {
    let File { version, partitions } = serde_json::from_str(text)?;
    match version {
        VERSION if partitions.is_empty() => Err(FileError::Empty),
        VERSION => partitions.into_iter().map(entry).collect(),
        other => Err(FileError::Version(other)),
    }
}

fn entry(entry: Entry) -> Result<(TopicPartition, Before), FileError> {
    let Entry { topic, partition, offset } = entry;
    if partition < 0 {
        return Err(FileError::Partition { topic, partition });
    }
    let partition = TopicPartition::new(topic, partition);
    match offset {
        HIGH_WATERMARK => Ok((partition, Before::HighWatermark)),
        0.. => Ok((partition, Before::Offset(offset))),
        _ => Err(FileError::Offset { partition, offset }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_partitions_and_offsets() {
        let text = r#"{"version":1,"partitions":[{"topic":"orders","partition":0,"offset":5},
            {"topic":"orders","partition":1,"offset":-1}]}"#;
        let expected = [
            (TopicPartition::new("orders", 0), Before::Offset(5)),
            (TopicPartition::new("orders", 1), Before::HighWatermark),
        ];
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn a_file_that_says_something_else_is_told_what_is_wrong() {
        let check = |text: &str, expected: &str| {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("", "line 1");
        check(r#"{"partitions":[]}"#, "no partitions");
        check(r#"{"version":2,"partitions":[]}"#, "version 2 is not known");
        check(r#"{"partitions":[{"topic":"a","partition":0}]}"#, "missing field `offset`");
        check(r#"{"partitions":[{"topic":"a","partition":-1,"offset":1}]}"#, "a has no partition -1");
        check(r#"{"partitions":[{"topic":"a","partition":0,"offset":-2}]}"#, "offset -2 of a-0 is none");
    }
}
