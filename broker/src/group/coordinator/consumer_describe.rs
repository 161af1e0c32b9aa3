//! ConsumerGroupDescribe (KIP-848; Kafka: `GroupMetadataManager.consumerGroupDescribe`).

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{
        ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, consumer_group_describe::DescribedGroup,
    },
};

use super::{Coordinator, Group};

impl Coordinator {
    /// Describes each group that is asked for; `operations` are the bits that are told where they are wanted.
    #[must_use]
    pub fn consumer_group_describe(
        &self,
        request: ConsumerGroupDescribeRequest,
        operations: i32,
    ) -> ConsumerGroupDescribeResponse {
        let ConsumerGroupDescribeRequest { group_ids, include_authorized_operations } = request;
        let describe = |id: Text| {
            let mut group = self.describe_modern(id);
            if include_authorized_operations && group.error_code == ErrorCode::NONE {
                group.authorized_operations = operations;
            }
            group
        };
        ConsumerGroupDescribeResponse {
            groups: group_ids.into_iter().map(describe).collect(),
            ..Default::default()
        }
    }

    fn describe_modern(&self, group_id: Text) -> DescribedGroup {
        if group_id.is_empty() {
            return DescribedGroup {
                error_code: ErrorCode::INVALID_GROUP_ID,
                group_id,
                ..Default::default()
            };
        }
        let described = self.look(&group_id, |group| match group {
            Group::Modern(group) => group.described(|id| self.name_of(id)),
            Group::Classic(_) => not_found(&group_id, "is not a consumer group"),
        });
        described.unwrap_or_else(|| not_found(&group_id, "not found"))
    }
}

fn not_found(group_id: &Text, why: &str) -> DescribedGroup {
    DescribedGroup {
        error_code: ErrorCode::GROUP_ID_NOT_FOUND,
        error_message: Some(format!("Group {group_id} {why}.").into()),
        group_id: group_id.clone(),
        ..Default::default()
    }
}
