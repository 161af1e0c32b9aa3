//! DescribeGroups (Kafka: `GroupMetadataManager.describeGroups`).

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{
        DescribeGroupsRequest, DescribeGroupsResponse,
        describe_groups::{DescribedGroup, DescribedGroupMember},
    },
};

use super::{Coordinator, Group};
use crate::group::classic::{self, Member, State};

/// From this version on a group that does not exist is an error (KIP-1043); before, it is a dead group.
const NOT_FOUND_SINCE: i16 = 6;

/// What Kafka calls the state of a group that does not exist.
const DEAD: Text = Text::from_static("Dead");

impl Coordinator {
    /// Describes each group that is asked for; `operations` are the bits that are told where they are wanted.
    #[must_use]
    pub fn describe_groups(
        &self,
        version: i16,
        request: DescribeGroupsRequest,
        operations: i32,
    ) -> DescribeGroupsResponse {
        let DescribeGroupsRequest { groups, include_authorized_operations } = request;
        let describe = |id: Text| {
            let mut group = self
                .look(&id, |group| described(group, version))
                .unwrap_or_else(|| not_found(id, "not found", version));
            if include_authorized_operations && group.error_code == ErrorCode::NONE {
                group.authorized_operations = operations;
            }
            group
        };
        DescribeGroupsResponse { groups: groups.into_iter().map(describe).collect(), ..Default::default() }
    }
}

fn described(group: &Group, version: i16) -> DescribedGroup {
    match group {
        Group::Classic(group) => described_classic(group),
        Group::Modern(group) => not_found(group.id.clone(), "is not a classic group", version),
    }
}

fn described_classic(group: &classic::Group) -> DescribedGroup {
    // Only a stable group has one protocol that all its members speak.
    let protocol = group.protocol.clone().filter(|_| group.state == State::Stable);
    let members = group.members.values().map(|member| described_member(member, protocol.as_ref()));
    DescribedGroup {
        group_id: group.id.clone(),
        group_state: group.state.name().into(),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        members: members.collect(),
        protocol_data: protocol.unwrap_or_default(),
        ..Default::default()
    }
}

fn described_member(member: &Member, protocol: Option<&Text>) -> DescribedGroupMember {
    DescribedGroupMember {
        member_id: member.id.clone(),
        group_instance_id: member.profile.instance_id.clone(),
        client_id: member.profile.client_id.clone(),
        client_host: member.profile.client_host.clone(),
        member_metadata: protocol.map(|protocol| member.metadata(protocol)).unwrap_or_default(),
        member_assignment: member.assignment.clone(),
    }
}

fn not_found(group_id: Text, why: &str, version: i16) -> DescribedGroup {
    let (error_code, error_message) = if version < NOT_FOUND_SINCE {
        (ErrorCode::NONE, None)
    } else {
        (ErrorCode::GROUP_ID_NOT_FOUND, Some(format!("Group {group_id} {why}.").into()))
    };
    DescribedGroup { error_code, error_message, group_id, group_state: DEAD, ..Default::default() }
}
