//! ListGroups (Kafka: `GroupMetadataManager.listGroups`).

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{ListGroupsRequest, ListGroupsResponse, list_groups::ListedGroup},
};

use super::{Coordinator, Group};

impl Coordinator {
    /// Every group that is in memory or stored, and passes the filters.
    pub async fn list_groups(&self, request: ListGroupsRequest) -> ListGroupsResponse {
        let failed =
            || ListGroupsResponse { error_code: ErrorCode::UNKNOWN_SERVER_ERROR, ..Default::default() };
        self.off_reactor("groups to list", move |this| this.list(&request)).await.unwrap_or_else(failed)
    }

    /// Blocks for as long as it takes to look through everything that is committed.
    pub(super) fn list(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let ListGroupsRequest { states_filter, types_filter } = request;
        // Kafka trims the names of states, not those of types.
        let is_state =
            |state: &str| states_filter.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(state));
        let is_type = |kind: &str| types_filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(kind));
        let is_wanted = |group: &ListedGroup| {
            (states_filter.is_empty() || is_state(&group.group_state))
                && (types_filter.is_empty() || is_type(&group.group_type))
        };
        let listed = self.group_ids().into_iter().filter_map(|id| self.look(&id, listed));
        ListGroupsResponse { groups: listed.filter(is_wanted).collect(), ..Default::default() }
    }

    /// Looks at a group; one that is not in memory is read for that and not kept.
    pub(super) fn look<T>(&self, id: &Text, look: impl FnOnce(&Group) -> T) -> Option<T> {
        match self.in_memory(id) {
            Some(slot) if slot.is_deleted() => None,
            Some(slot) => Some(slot.read(|group| look(group))),
            None => self.stored(id).map(|group| look(&group)),
        }
    }
}

fn listed(group: &Group) -> ListedGroup {
    ListedGroup {
        group_id: group.id().clone(),
        protocol_type: group.protocol_type(),
        group_state: group.state(),
        group_type: group.kind(),
    }
}
