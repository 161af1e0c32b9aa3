//! Adds partitions to topics.

use mainstem_protocol::{
    BrokerId, Text,
    messages::{
        CreatePartitionsRequest,
        create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic},
    },
};

use super::{Admin, AdminError};

/// More partitions for a topic. Records stay where they are, so that from then on a key may be in two partitions: the one
/// that it was in, and the one that it is in now.
///
/// ```
/// use mainstem_client::admin::NewPartitions;
///
/// let more = NewPartitions::new("orders", 12);
/// assert_eq!((&*more.topic, more.total), ("orders", 12));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPartitions {
    /// The topic.
    pub topic: Text,
    /// How many partitions it has then, those that it has now included.
    pub total: i32,
    /// Which brokers keep each of the new ones, the leader first; none to leave that to the cluster.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
    /// Whether nothing is changed, and the answer says whether it could be.
    pub validate_only: bool,
}

impl NewPartitions {
    /// So many partitions altogether, on brokers that the cluster chooses.
    ///
    /// ```
    /// use mainstem_client::admin::NewPartitions;
    ///
    /// assert_eq!(NewPartitions::new("orders", 12).assignments, None);
    /// ```
    #[must_use]
    pub fn new(topic: impl Into<Text>, total: i32) -> Self {
        Self { topic: topic.into(), total, assignments: None, validate_only: false }
    }

    /// The same, to be checked and not done.
    ///
    /// ```
    /// use mainstem_client::admin::NewPartitions;
    ///
    /// assert!(NewPartitions::new("orders", 12).validate_only().validate_only);
    /// ```
    #[must_use]
    pub fn validate_only(self) -> Self {
        Self { validate_only: true, ..self }
    }
}

impl Admin {
    /// Gives a topic more partitions.
    ///
    /// # Errors
    /// Where there is no such topic, it has as many already, or the cluster does not want it.
    ///
    /// # Cancel safety
    /// Dropped, the topic may have got them all the same; calling again then says that it has as many already.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Admin, AdminConfig, admin::NewPartitions};
    ///
    /// let admin = Admin::new(&transport, AdminConfig::default());
    /// admin.create_partitions(NewPartitions::new("greetings", 5)).await?;
    /// assert_eq!(admin.describe_topic("greetings").await?.partitions.len(), 5);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn create_partitions(&self, partitions: NewPartitions) -> Result<(), AdminError> {
        let (name, subject) = (partitions.topic.clone(), format!("topic {}", partitions.topic));
        self.cluster.refresh(&[], false).await?;
        let request = self.partitions_request(partitions);
        let created = self.trying(|| async {
            let answer = self.cluster.ask(self.cluster.controller(), request.clone()).await?;
            let no_answer = || AdminError::NoAnswer { subject: subject.clone() };
            let topic = answer.results.into_iter().next().ok_or_else(no_answer)?;
            AdminError::check(&subject, topic.error_code, topic.error_message.as_ref())
        });
        let created = created.await;
        self.cluster.forget(&name);
        created
    }

    fn partitions_request(&self, partitions: NewPartitions) -> CreatePartitionsRequest {
        let NewPartitions { topic, total, assignments, validate_only } = partitions;
        let assign = |broker_ids| CreatePartitionsAssignment { broker_ids };
        let assignments = assignments.map(|assignments| assignments.into_iter().map(assign).collect());
        let topic = CreatePartitionsTopic { name: topic, count: total, assignments };
        CreatePartitionsRequest { topics: vec![topic], timeout_ms: self.timeout_ms(), validate_only }
    }
}
