//! Describes where brokers keep their logs, and how large each partition is there.

use std::collections::BTreeMap;

use mainstem_protocol::{
    BrokerId, Text,
    messages::{
        DescribeLogDirsRequest,
        describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsResult},
    },
};

use super::{Admin, AdminError};
use crate::{TopicPartition, topic_partition, transport::Node};

/// A directory of logs.
///
/// ```
/// # mainstem_client::testing::example(async |transport| {
/// use mainstem_client::{Admin, AdminConfig, TopicPartition};
///
/// let admin = Admin::new(&transport, AdminConfig::default());
/// let broker = admin.describe_cluster().await?.brokers[0].id;
/// let first = TopicPartition::new("greetings", 0);
/// for dir in admin.describe_log_dirs(broker, None).await? {
///     println!("{}: {} B in {} partitions", dir.path, dir.sizes.values().sum::<u64>(), dir.sizes.len());
///     assert!(dir.sizes.contains_key(&first));
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    /// Where it is, on its broker.
    pub path: Text,
    /// Bytes of the volume that it is on; none where the broker is too old to say.
    pub total_bytes: Option<u64>,
    /// Bytes of that volume which are free.
    pub usable_bytes: Option<u64>,
    /// Bytes of each partition.
    pub sizes: BTreeMap<TopicPartition, u64>,
}

impl Admin {
    /// The directories of a broker, with those of `partitions` that it keeps; with none given, all that it keeps.
    ///
    /// # Errors
    /// Where the broker does not answer, or a directory is offline.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, TopicPartition};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let broker = admin.describe_cluster().await?.brokers[0].id;
    /// let first = TopicPartition::new("greetings", 0);
    /// let dirs = admin.describe_log_dirs(broker, Some(&[first.clone()])).await?;
    /// assert!(dirs[0].sizes[&first] > 0);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn describe_log_dirs(
        &self,
        broker: BrokerId,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<LogDir>, AdminError> {
        let subject = format!("log directories of broker {broker}");
        let request = DescribeLogDirsRequest { topics: partitions.map(by_topic) };
        self.trying(|| async {
            self.cluster.refresh(&[], false).await?;
            let answer = self.cluster.ask(Node::Id(broker), request.clone()).await?;
            AdminError::check(&subject, answer.error_code, None)?;
            answer.results.into_iter().map(|result| log_dir(&subject, result)).collect()
        })
        .await
    }
}

fn by_topic(partitions: &[TopicPartition]) -> Vec<DescribableLogDirTopic> {
    let topics = topic_partition::by_topic(partitions.iter().map(|each| (&each.topic, each.partition)));
    topics.into_iter().map(|(topic, partitions)| DescribableLogDirTopic { topic, partitions }).collect()
}

fn log_dir(subject: &str, result: DescribeLogDirsResult) -> Result<LogDir, AdminError> {
    AdminError::check(subject, result.error_code, None)?;
    let sizes = result.topics.into_iter().flat_map(|topic| {
        let name = topic.name;
        let partitions = topic.partitions.into_iter();
        partitions.map(move |partition| {
            let size = u64::try_from(partition.partition_size).unwrap_or(0);
            (TopicPartition { topic: name.clone(), partition: partition.partition_index }, size)
        })
    });
    Ok(LogDir {
        path: result.log_dir,
        total_bytes: u64::try_from(result.total_bytes).ok(),
        usable_bytes: u64::try_from(result.usable_bytes).ok(),
        sizes: sizes.collect(),
    })
}
