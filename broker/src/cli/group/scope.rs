//! Which partitions of a group are meant.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use mainstem_client::admin::Admin;
use mainstem_client::{Offset, TopicPartition};
use mainstem_protocol::Text;

use crate::cli::Error;
use crate::cli::consume::failure::no_such_partition;

/// A topic, or some of its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicScope {
    topic: String,
    /// None for all of them.
    partitions: Option<Vec<i32>>,
}

/// Text that is no topic with partitions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a topic, such as orders, or some of its partitions, such as orders:0,2")]
pub(super) struct ScopeError;

impl FromStr for TopicScope {
    type Err = ScopeError;

    /// The names of topics have no colon in them.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let (topic, partitions) = match text.split_once(':') {
            Some((topic, partitions)) => (topic, Some(numbers(partitions)?)),
            None => (text, None),
        };
        if topic.is_empty() { Err(ScopeError) } else { Ok(Self { topic: topic.to_owned(), partitions }) }
    }
}

fn numbers(text: &str) -> Result<Vec<i32>, ScopeError> {
    let numbers = text.split(',').map(|number| number.trim().parse().ok().filter(|number| *number >= 0));
    numbers.collect::<Option<_>>().ok_or(ScopeError)
}

/// The partitions of the topics that were named; with none named, of those that the group has committed something for.
pub(super) async fn partitions(
    admin: &Admin,
    group: &str,
    named: &[TopicScope],
    committed: &BTreeMap<TopicPartition, Offset>,
) -> Result<BTreeSet<TopicPartition>, Error> {
    if !named.is_empty() {
        return of_topics(admin, named).await;
    }
    match committed.is_empty() {
        true => Err(Error::new(format_args!("group {group} has committed no offsets"))
            .advise("name the topics with --topic; `mainstem group list` shows what there is")),
        false => Ok(committed.keys().cloned().collect()),
    }
}

/// The partitions that a file names. Each has to be there: to ask for the offsets of one that is not would be to wait for it.
pub(super) async fn of_file(
    admin: &Admin,
    offsets: &BTreeMap<TopicPartition, i64>,
) -> Result<BTreeSet<TopicPartition>, Error> {
    of_topics(admin, &by_topic(offsets.keys())).await
}

fn by_topic<'a>(partitions: impl Iterator<Item = &'a TopicPartition>) -> Vec<TopicScope> {
    let mut topics = BTreeMap::<&Text, Vec<i32>>::new();
    for TopicPartition { topic, partition } in partitions {
        topics.entry(topic).or_default().push(partition.0);
    }
    let scope = |(topic, ids): (&Text, _)| TopicScope { topic: topic.to_string(), partitions: Some(ids) };
    topics.into_iter().map(scope).collect()
}

/// The partitions of the topics that were named.
pub(super) async fn of_topics(
    admin: &Admin,
    named: &[TopicScope],
) -> Result<BTreeSet<TopicPartition>, Error> {
    let mut partitions = BTreeSet::new();
    for TopicScope { topic, partitions: wanted } in named {
        let there = admin.describe_topic(topic).await?;
        let ids: BTreeSet<i32> = there.partitions.iter().map(|partition| partition.id.0).collect();
        let wanted = wanted.clone().unwrap_or_else(|| ids.iter().copied().collect());
        if let Some(missing) = wanted.iter().find(|id| !ids.contains(id)) {
            return Err(no_such_partition(topic, ids.len(), *missing));
        }
        partitions.extend(wanted.into_iter().map(|id| TopicPartition::new(topic.as_str(), id)));
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, Option<&[i32]>)>) {
        let scope = expected.map(|(topic, partitions)| TopicScope {
            topic: topic.to_owned(),
            partitions: partitions.map(<[i32]>::to_vec),
        });
        assert_eq!(text.parse::<TopicScope>().ok(), scope, "{text}");
    }

    #[test]
    fn a_topic_may_name_some_of_its_partitions() {
        check("orders", Some(("orders", None)));
        check("orders:0,2", Some(("orders", Some(&[0, 2]))));
        check("orders:7", Some(("orders", Some(&[7]))));
        for text in ["", ":1", "orders:", "orders:a", "orders:-1", "orders:1,,2", "orders:99999999999"] {
            check(text, None);
        }
    }
}
