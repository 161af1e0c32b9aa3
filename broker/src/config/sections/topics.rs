//! Settings of topics as a whole; what a single topic has is in `mainstem_storage::config`.

use super::INT_MAX;
use crate::config::{Shape, setting::settings};

settings! {
    /// How topics come to be.
    pub struct TopicSettings at topics, "Topics" {
        /// Partitions of a topic whose creator leaves the number to the broker.
        partitions: u32 = 1, "num.partitions", Shape::count(1, 100_000).kafka("ServerLogConfigs");

        /// Partitions that one answer of DescribeTopicPartitions tells of; whoever wants more asks again from there on.
        partitions_per_request: usize = 2000, "max.request.partition.size.limit",
            Shape::count(1, INT_MAX).kafka("ServerConfigs");

        /// Whether a topic that a client names is created where it does not exist.
        auto_create: bool = true, "auto.create.topics.enable", Shape::word().kafka("ServerLogConfigs");

        /// Whether topics can be deleted.
        delete: bool = true, "delete.topic.enable", Shape::word().kafka("ServerConfigs");
    }
}
