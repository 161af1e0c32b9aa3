//! Offsets as lines of `TOPIC,PARTITION,OFFSET`, in the form of `kafka-consumer-groups.sh --export`.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::io::{self, Read};
use std::path::Path;

use mainstem_client::TopicPartition;

use super::plan::Step;
use crate::cli::Error;

/// What stands for standard input.
const STDIN: &str = "-";

/// Reads a file of offsets.
pub(super) fn read(path: &Path) -> Result<BTreeMap<TopicPartition, i64>, Error> {
    let shown = path.display();
    let text = if path.as_os_str() == STDIN { of_stdin() } else { read_to_string(path) };
    let text = text.map_err(|error| Error::usage(format_args!("{shown} cannot be read: {error}")))?;
    parse(&text).map_err(|error| Error::usage(format_args!("{shown}: {error}")))
}

fn of_stdin() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// What some editors and spreadsheets begin a file of UTF-8 with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file that says no offsets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum FileError {
    #[error("line {line}: expected TOPIC,PARTITION,OFFSET, such as orders,0,1000, and not {text:?}")]
    Line { line: usize, text: String },
    #[error("line {line}: {partition} was there before")]
    Twice { line: usize, partition: TopicPartition },
    #[error("there are no offsets in it")]
    Empty,
}

fn parse(text: &str) -> Result<BTreeMap<TopicPartition, i64>, FileError> {
    let mut offsets = BTreeMap::new();
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let lines = text.lines().map(str::trim).zip(1..).filter(|(text, _)| !text.is_empty());
    for (text, line) in lines {
        let refused = || FileError::Line { line, text: text.to_owned() };
        let (partition, offset) = parse_line(text).ok_or_else(refused)?;
        if offsets.insert(partition.clone(), offset).is_some() {
            return Err(FileError::Twice { line, partition });
        }
    }
    if offsets.is_empty() { Err(FileError::Empty) } else { Ok(offsets) }
}

/// Kafka's tool quotes the topic where it thinks so.
fn parse_line(text: &str) -> Option<(TopicPartition, i64)> {
    let fields: Vec<&str> = text.split(',').map(|field| field.trim().trim_matches('"')).collect();
    let [topic, partition, offset] = fields[..] else { return None };
    let partition: i32 = partition.parse().ok().filter(|partition| *partition >= 0)?;
    let offset = offset.parse().ok().filter(|offset| *offset >= 0)?;
    (!topic.is_empty()).then(|| (TopicPartition::new(topic, partition), offset))
}

/// The same of a partition's new offset.
pub(super) fn line(step: &Step) -> String {
    format!("{},{},{}", step.topic, step.partition, step.new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_a_topic_a_partition_and_an_offset() {
        let offsets = parse("orders,0,5\n\n\"orders\", 1, 7\n").unwrap();
        let expected = [(TopicPartition::new("orders", 0), 5), (TopicPartition::new("orders", 1), 7)];
        assert_eq!(offsets, BTreeMap::from(expected));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_topic() {
        let offsets = parse("\u{feff}orders,0,5\n").unwrap();
        assert_eq!(offsets, BTreeMap::from([(TopicPartition::new("orders", 0), 5)]));
    }

    #[test]
    fn a_line_that_says_something_else_is_named() {
        for line in ["orders", "orders,0", "orders,0,5,6", ",0,5", "orders,-1,5", "orders,0,-5", "orders,x,5"]
        {
            let text = format!("orders,9,9\n{line}\n");
            assert_eq!(parse(&text), Err(FileError::Line { line: 2, text: line.to_owned() }), "{line}");
        }
        assert_eq!(parse("\n"), Err(FileError::Empty));
        let partition = TopicPartition::new("orders", 0);
        assert_eq!(parse("orders,0,5\norders,0,6"), Err(FileError::Twice { line: 2, partition }));
    }
}
