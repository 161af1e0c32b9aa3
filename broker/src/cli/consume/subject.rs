//! What is read: a topic, or every topic whose name matches.

use std::collections::BTreeSet;

use mainstem_client::consumer::{Consumer, GroupError};
use mainstem_client::{Admin, Text, TopicPartition};
use regex::Regex;

use super::failure::no_such_partition;
use crate::cli::Error;

/// What is read.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// One topic.
    Topic(String),
    /// The topics that match, and those that come later; the broker's own never do.
    Matching(Pattern),
}

/// A regular expression that the whole name of a topic has to match.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    source: String,
    whole: Regex,
}

/// As `kafka-console-consumer --include` takes it.
pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    // The expression alone is tried first, so that nothing in it can close the group around it.
    let valid = Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$")));
    let whole =
        valid.map_err(|error| format!("expected a regular expression, such as 'orders.*': {error}"))?;
    Ok(Pattern { source: text.to_owned(), whole })
}

impl Subject {
    /// Their partitions as they are now, those with these numbers alone where any are named.
    pub(super) async fn partitions(
        &self,
        admin: &Admin,
        numbers: &[i32],
    ) -> Result<Vec<TopicPartition>, Error> {
        match self {
            Self::Topic(topic) => of_topic(admin, topic, numbers).await,
            Self::Matching(pattern) => matching(admin, pattern).await,
        }
    }

    /// Becomes a member of the consumer's group for it.
    pub(super) fn subscribe(&self, consumer: &mut Consumer) -> Result<(), GroupError> {
        match self {
            Self::Topic(topic) => consumer.subscribe([topic.as_str()]),
            Self::Matching(pattern) => consumer.subscribe_pattern(pattern.source.as_str()),
        }
    }

    /// The topics without which nothing is left to read: a pattern may find others, unless reading has an end.
    pub(super) fn needed(&self, partitions: &[TopicPartition], has_end: bool) -> Vec<Text> {
        let topics = partitions.iter().map(|partition| partition.topic.clone());
        let needed = topics.filter(|_| has_end || matches!(self, Self::Topic(_)));
        needed.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What to say where there is nothing to be read.
    pub(super) fn nothing(&self) -> String {
        match self {
            Self::Topic(topic) => format!("{topic} has no partitions"),
            Self::Matching(Pattern { source, .. }) => format!("no topic matches {source}"),
        }
    }
}

async fn of_topic(admin: &Admin, name: &str, numbers: &[i32]) -> Result<Vec<TopicPartition>, Error> {
    let topic = admin.describe_topic(name).await?;
    let there: Vec<i32> = topic.partitions.iter().map(|partition| partition.id.0).collect();
    if let Some(missing) = numbers.iter().find(|number| !there.contains(number)) {
        return Err(no_such_partition(name, there.len(), *missing));
    }
    let wanted = if numbers.is_empty() { &there } else { numbers };
    Ok(wanted.iter().map(|number| TopicPartition::new(name, *number)).collect())
}

async fn matching(admin: &Admin, pattern: &Pattern) -> Result<Vec<TopicPartition>, Error> {
    let topics = admin.list_topics().await?;
    let read = topics.iter().filter(|topic| !topic.is_internal && pattern.whole.is_match(&topic.name));
    let partitions = read.flat_map(|topic| {
        let numbers = topic.partitions.iter().map(|partition| partition.id.0);
        numbers.map(|number| TopicPartition::new(topic.name.clone(), number))
    });
    Ok(partitions.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_match() {
        let check = |source: &str, names: &[(&str, bool)]| {
            let pattern = pattern(source).unwrap();
            for (name, expected) in names {
                assert_eq!(pattern.whole.is_match(name), *expected, "{source}: {name}");
            }
        };
        check("orders", &[("orders", true), ("orders-2", false), ("my-orders", false)]);
        check("orders|refunds", &[("orders", true), ("refunds", true), ("orders2", false)]);
        check("o.*", &[("orders", true), ("logs", false)]);
    }

    #[test]
    fn what_is_no_regular_expression_is_refused() {
        for text in ["(", "a)(b", "*"] {
            let error = pattern(text).unwrap_err();
            assert!(error.starts_with("expected a regular expression, such as 'orders.*': "), "{error}");
        }
    }
}
