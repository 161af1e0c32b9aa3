//! Deletes records from the front of partitions; and finds the leaders that such requests go to.

use std::time::Duration;

use mainstem_protocol::{
    ErrorCode, Offset, Text,
    messages::{
        DeleteRecordsRequest,
        delete_records::{DeleteRecordsPartition, DeleteRecordsTopic},
    },
};

use super::{Admin, AdminError};
use crate::{TopicPartition, cluster::MetadataError, transport::Node};

impl Admin {
    /// Deletes the records of a partition before an offset, and yields where the partition begins then. [`Offset::NONE`]
    /// stands for the high watermark: all that there is goes.
    ///
    /// # Errors
    /// Where the offset is behind the high watermark, the topic is compacted and nothing else, or the leader does not answer.
    ///
    /// # Cancel safety
    /// Dropped, the records may be deleted or not; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, Offset, TopicPartition};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// let first = TopicPartition::new("greetings", 0);
    /// assert_eq!(admin.delete_records(&first, Offset(1)).await?, Offset(1));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn delete_records(
        &self,
        partition: &TopicPartition,
        before: Offset,
    ) -> Result<Offset, AdminError> {
        let TopicPartition { topic: name, partition: partition_index } = partition.clone();
        let partitions = vec![DeleteRecordsPartition { partition_index, offset: before }];
        let topics = vec![DeleteRecordsTopic { name, partitions }];
        let request = DeleteRecordsRequest { topics, timeout_ms: self.timeout_ms() };
        self.trying(|| async {
            let answer = self.cluster.ask(self.leader_of(partition).await?, request.clone()).await?;
            let found = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
            let found = found.ok_or_else(|| AdminError::NoAnswer { subject: partition.to_string() })?;
            self.check_leader(partition, found.error_code, None)?;
            Ok(found.low_watermark)
        })
        .await
    }

    /// The broker that leads a partition.
    pub(super) async fn leader_of(&self, partition: &TopicPartition) -> Result<Node, AdminError> {
        let topic = self.cluster.topic(&partition.topic, false, Duration::ZERO).await?;
        if !topic.has(partition.partition) {
            let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            return Err(AdminError::Refused { subject: partition.to_string(), code, message: None });
        }
        let Some(leader) = self.cluster.leader(partition) else {
            // It is asked for anew with the next attempt.
            self.cluster.forget(&partition.topic);
            let code = ErrorCode::LEADER_NOT_AVAILABLE;
            return Err(MetadataError::Topic { topic: partition.topic.clone(), code }.into());
        };
        Ok(Node::Id(leader))
    }

    /// What a leader says; where it says no, it may be that it is none any more.
    pub(super) fn check_leader(
        &self,
        partition: &TopicPartition,
        code: ErrorCode,
        message: Option<&Text>,
    ) -> Result<(), AdminError> {
        if !code.is_none() {
            self.cluster.forget(&partition.topic);
        }
        AdminError::check(&partition.to_string(), code, message)
    }
}
