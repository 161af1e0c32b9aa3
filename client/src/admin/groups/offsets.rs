//! Reads, sets and deletes what groups have committed.

use std::collections::BTreeMap;

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, Text,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
        offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    },
};

use super::{
    super::{Admin, AdminError},
    AlterGroupOffsetsError, DeleteGroupOffsetsError,
};
use crate::{
    TopicPartition,
    consumer::{OffsetAndMetadata, commit_topics, committed_in, committed_request},
    topic_partition::by_topic,
    transport::{Lane, Node},
};

impl Admin {
    /// How far a group has read: every partition for which it has committed an offset. A group that is not there has
    /// committed nothing.
    ///
    /// # Errors
    /// Where its coordinator does not answer.
    ///
    /// # Cancel safety
    /// Dropped, nothing has changed; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, Offset, TopicPartition};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// admin.alter_group_offsets("readers", &[(first.clone(), Offset(1))]).await?;
    /// assert_eq!(admin.list_group_offsets("readers").await?[&first].offset, Offset(1));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn list_group_offsets(
        &self,
        group: &str,
    ) -> Result<BTreeMap<TopicPartition, OffsetAndMetadata>, AdminError> {
        let (subject, id) = (format!("offsets of group {group}"), Text::from(group));
        self.trying(|| async {
            let node = Node::Id(self.cluster.coordinator(&id, self.config.timeout).await?);
            let (request, limit) =
                (|version| committed_request(&id, None, version), self.config.request_timeout);
            let answer = self.cluster.call_in_version(node, Lane::General, request, limit).await?;
            let (code, offsets) = committed_in(answer);
            let mut codes = offsets.iter().map(|(_, _, code)| *code).chain([code]);
            AdminError::check(&subject, codes.find(|code| !code.is_none()).unwrap_or_default(), None)?;
            let known = offsets.into_iter().filter(|(_, committed, _)| committed.offset >= Offset::ZERO);
            Ok(known.map(|(partition, committed, _)| (partition, committed)).collect())
        })
        .await
    }

    /// Sets how far a group has read, as if it had committed these offsets. Others stay as they are. A group that is not
    /// there comes into being, without members.
    ///
    /// # Errors
    /// Where the group has members, or a partition is refused.
    ///
    /// # Cancel safety
    /// Dropped, some or all of the offsets may be set; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, Offset, TopicPartition};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// admin.alter_group_offsets("readers", &[(first.clone(), Offset::ZERO)]).await?;
    /// assert_eq!(admin.list_group_offsets("readers").await?[&first].offset, Offset::ZERO);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, Offset)],
    ) -> Result<(), AlterGroupOffsetsError> {
        let id = Text::from(group);
        let request = commit_request(&id, offsets);
        let mut retry = self.cluster.retry(self.config.timeout);
        loop {
            match self.commit_from_outside(&id, &request).await {
                Err(error) if error.is_passing() && retry.pause().await => {}
                result => return result,
            }
        }
    }

    async fn commit_from_outside(
        &self,
        group: &Text,
        request: &OffsetCommitRequest,
    ) -> Result<(), AlterGroupOffsetsError> {
        let node = Node::Id(self.cluster.coordinator(group, self.config.timeout).await?);
        let answer = self.cluster.ask(node, request.clone()).await?;
        check_commit(group, answer)
    }

    /// Deletes what a group has committed for some partitions.
    ///
    /// # Errors
    /// Where there is no such group, or its members read one of the topics.
    ///
    /// # Cancel safety
    /// Dropped, some or all of the offsets may be deleted; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, Offset, TopicPartition};
    ///
    /// let first = TopicPartition::new("greetings", 0);
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// admin.alter_group_offsets("readers", &[(first.clone(), Offset(1))]).await?;
    /// admin.delete_group_offsets("readers", &[first]).await?;
    /// assert!(admin.list_group_offsets("readers").await?.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<(), DeleteGroupOffsetsError> {
        let (subject, id) = (format!("offsets of group {group}"), Text::from(group));
        let request = delete_request(&id, partitions);
        let deleted = self.trying(|| async {
            let node = Node::Id(self.cluster.coordinator(&id, self.config.timeout).await?);
            let answer = self.cluster.ask(node, request.clone()).await?;
            AdminError::check(&subject, answer.error_code, None)?;
            Ok(answer)
        });
        match deleted.await {
            Ok(answer) => check_delete(&id, answer),
            Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => {
                Err(DeleteGroupOffsetsError::NotFound { group: id })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A commit as those send it that are no members: without a member and a generation.
fn commit_request(group: &Text, offsets: &[(TopicPartition, Offset)]) -> OffsetCommitRequest {
    let offsets: Vec<_> =
        offsets.iter().map(|(partition, offset)| (partition.clone(), (*offset).into())).collect();
    OffsetCommitRequest {
        group_id: group.clone(),
        topics: commit_topics(&offsets),
        ..OffsetCommitRequest::default()
    }
}

/// The broker says for each partition whether it was committed; the first that was not speaks for all.
fn check_commit(group: &Text, answer: OffsetCommitResponse) -> Result<(), AlterGroupOffsetsError> {
    let topics = answer.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter();
        (&topic.name, partitions.map(|partition| (partition.partition_index, partition.error_code)))
    });
    match first_refused(topics) {
        Some((partition, code)) => Err(AlterGroupOffsetsError::of(group, partition, code)),
        None => Ok(()),
    }
}

fn delete_request(group: &Text, partitions: &[TopicPartition]) -> OffsetDeleteRequest {
    let each = partitions.iter().map(|TopicPartition { topic, partition }| {
        (topic, OffsetDeleteRequestPartition { partition_index: *partition })
    });
    let topics = by_topic(each).into_iter();
    let topic = |(name, partitions)| OffsetDeleteRequestTopic { name, partitions };
    OffsetDeleteRequest { group_id: group.clone(), topics: topics.map(topic).collect() }
}

fn check_delete(group: &Text, answer: OffsetDeleteResponse) -> Result<(), DeleteGroupOffsetsError> {
    let topics = answer.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter();
        (&topic.name, partitions.map(|partition| (partition.partition_index, partition.error_code)))
    });
    match first_refused(topics) {
        Some((partition, code)) => Err(DeleteGroupOffsetsError::of(group, partition, code)),
        None => Ok(()),
    }
}

fn first_refused<'a>(
    topics: impl Iterator<Item = (&'a Text, impl Iterator<Item = (PartitionId, ErrorCode)>)>,
) -> Option<(TopicPartition, ErrorCode)> {
    let partitions = topics.flat_map(|(topic, partitions)| partitions.map(move |each| (topic, each)));
    let mut refused = partitions.filter(|(_, (_, code))| !code.is_none());
    let (topic, (partition, code)) = refused.next()?;
    Some((TopicPartition { topic: topic.clone(), partition }, code))
}
