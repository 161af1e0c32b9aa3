//! A partition by the name of its topic.

use std::{collections::HashMap, fmt};

use mainstem_protocol::{PartitionId, Text};

/// A partition of a topic.
///
/// ```
/// let partition = mainstem_client::TopicPartition::new("greetings", 3);
/// assert_eq!(partition.to_string(), "greetings-3");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Text,
    /// The partition's number.
    pub partition: PartitionId,
}

impl TopicPartition {
    /// A partition.
    ///
    /// ```
    /// use mainstem_client::{PartitionId, TopicPartition};
    ///
    /// assert_eq!(TopicPartition::new("greetings", 3).partition, PartitionId(3));
    /// ```
    #[must_use]
    pub fn new(topic: impl Into<Text>, partition: i32) -> Self {
        Self { topic: topic.into(), partition: PartitionId(partition) }
    }
}

/// Puts together what belongs to the same topic, as requests want it.
pub(crate) fn by_topic<'a, T>(each: impl IntoIterator<Item = (&'a Text, T)>) -> HashMap<Text, Vec<T>> {
    let mut topics: HashMap<Text, Vec<T>> = HashMap::new();
    for (topic, one) in each {
        topics.entry(topic.clone()).or_default().push(one);
    }
    topics
}

impl fmt::Display for TopicPartition {
    /// As Kafka writes it: `topic-3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
