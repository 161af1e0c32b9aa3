//! The leader's work: sharing out partitions, and noticing when there are others to share out.

use std::collections::HashMap;

use mainstem_protocol::{
    Text,
    formats::consumer::{Assignment, Subscription},
    messages::{JoinGroupResponse, sync_group::SyncGroupRequestAssignment},
};

use super::{
    super::assignor::{self, Assignor, Claim},
    GroupError, Member,
    join::FORMAT_VERSION,
};
use crate::TopicPartition;

impl Member {
    /// The leader's work; others have none.
    pub(super) async fn share_out(
        &mut self,
        joined: &JoinGroupResponse,
        assignor: Assignor,
    ) -> Result<Vec<SyncGroupRequestAssignment>, GroupError> {
        self.shared_out = None;
        if joined.leader != joined.member_id {
            return Ok(Vec::new());
        }
        let claims = self.claims(joined)?;
        let mut topics: Vec<_> = claims.iter().flat_map(|claim| &claim.topics).cloned().collect();
        topics.sort();
        topics.dedup();
        self.cluster.refresh(&topics, self.config.creates_topics).await?;
        let counts = self.counts(&topics);
        let shares = match joined.skip_assignment {
            // A static leader has come back: the group goes on as it was (KIP-814), and is watched as before.
            true => assignor::Shares::new(),
            false => assignor.assign(&claims, &counts),
        };
        self.shared_out = Some(counts);
        shares.into_iter().map(|(member_id, share)| self.assignment(member_id, &share)).collect()
    }

    fn assignment(
        &self,
        member_id: Text,
        share: &[TopicPartition],
    ) -> Result<SyncGroupRequestAssignment, GroupError> {
        let assignment = Assignment { assigned_partitions: assignor::by_topic(share), user_data: None };
        let assignment = assignment.to_bytes(FORMAT_VERSION).map_err(|error| self.unreadable(&error))?;
        Ok(SyncGroupRequestAssignment { member_id, assignment })
    }

    fn claims(&self, joined: &JoinGroupResponse) -> Result<Vec<Claim>, GroupError> {
        let members = joined.members.iter().map(|member| {
            let subscription = Subscription::from_bytes(member.metadata.clone());
            let subscription = subscription.map_err(|error| self.unreadable(&error))?;
            Ok(Claim::new(member.member_id.clone(), member.group_instance_id.clone(), subscription))
        });
        members.collect()
    }

    /// Whether topics have other partitions than those that this member shared out as the leader.
    pub(super) async fn partitions_changed(&self) -> bool {
        let Some(before) = &self.shared_out else { return false };
        let topics: Vec<_> = before.keys().cloned().collect();
        self.cluster.refresh(&topics, false).await.is_ok() && self.counts(&topics) != *before
    }

    /// How many partitions topics have. Those that are not there yet have none: once they are, there is something to
    /// share out.
    fn counts(&self, topics: &[Text]) -> HashMap<Text, usize> {
        let metadata = self.cluster.metadata();
        let count = |topic: &Text| metadata.topic(topic).map_or(0, |topic| topic.partitions.len());
        topics.iter().map(|topic| (topic.clone(), count(topic))).collect()
    }
}
