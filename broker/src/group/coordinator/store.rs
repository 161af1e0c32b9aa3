//! A group's generations in the log: an assignment is handed out only when it is stored.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{
    ErrorCode, Text, Timestamp,
    formats::consumer_groups,
    formats::offsets::{GroupMetadataKey, GroupMetadataValue, Key, MemberMetadata},
};
use mainstem_storage::{AppendError, Ticket};
use tokio::sync::oneshot;
use tracing::warn;

use super::{Coordinator, Group, Slot, slot::Storing};
use crate::{
    group::{
        classic::{self, Limits, Member, Profile, Protocol, Store, Stored},
        duration,
        log::{Made, Records, error_code},
    },
    task::OnFailure,
};

/// A generation on its way to the log.
struct Generation {
    /// Which store of the group this is.
    number: u64,
    records: Records,
    store: Store,
}

impl Coordinator {
    /// Gives a generation its place while the group is held, so that generations are stored in their order.
    pub(super) fn begin_store(
        &self,
        slot: &Arc<Slot>,
        group: &mut Group,
        stores: &mut u64,
        store: Store,
    ) -> Storing {
        // Only a classic group is stored as a whole.
        let Group::Classic(group) = group else { return oneshot::channel().1 };
        *stores += 1;
        let records = self.metadata_records(group, &store.assignments);
        let generation = Generation { number: *stores, records, store };
        let placed = self.0.log.append(&group.id, &generation.records, None);
        let storing = self.clone().finish_store(Arc::clone(slot), group.id.clone(), generation, placed);
        let (sender, receiver) = oneshot::channel();
        self.0.tasks.spawn("group store", OnFailure::Log, async move {
            // Whoever waits may have gone.
            let _ = sender.send(storing.await);
        });
        receiver
    }

    async fn finish_store(
        self,
        slot: Arc<Slot>,
        group: Text,
        generation: Generation,
        placed: Result<Ticket, AppendError>,
    ) -> Result<(), ErrorCode> {
        let stored = self.settle(&slot, &group, &generation, placed).await;
        let store = generation.store;
        if let Err(error) = stored {
            warn!(group = group.as_ref() as &str, generation = store.generation, %error, "group was not stored");
        }
        let now = self.now();
        self.with(&slot, |group, _| match group {
            Group::Classic(group) => ((), group.stored(store, stored, now)),
            Group::Modern(_) => ((), Vec::new()),
        });
        stored
    }

    async fn settle(
        &self,
        slot: &Slot,
        group: &Text,
        generation: &Generation,
        mut placed: Result<Ticket, AppendError>,
    ) -> Result<(), ErrorCode> {
        while matches!(placed, Err(AppendError::NoRoom)) {
            let made =
                self.make_room(group, &generation.records).await.map_err(|error| error_code(&error))?;
            // Meanwhile the group may have gone on: what is stored last must be the last.
            let place = || self.0.log.append(group, &generation.records, Some(&made));
            placed = slot.place_store(generation.number, place).unwrap_or(Err(AppendError::Empty));
        }
        let ticket = placed.map_err(|error| error_code(&error))?;
        ticket.await.map(drop).map_err(|_| ErrorCode::NOT_COORDINATOR)
    }

    /// Waits for room on a thread that may block.
    pub(super) async fn make_room(&self, group: &Text, records: &Records) -> Result<Made, AppendError> {
        let (group, records) = (group.clone(), records.clone());
        let made = self.off_reactor("group room", move |this| this.0.log.make_room(&group, records));
        made.await.unwrap_or(Err(AppendError::NoRoom))
    }

    pub(super) fn metadata_records(
        &self,
        group: &classic::Group,
        assignments: &BTreeMap<Text, Bytes>,
    ) -> Records {
        let key = Key::Group(GroupMetadataKey { group: group.id.clone() });
        let value = metadata(group, assignments, self.0.clock.now());
        let value = value.to_bytes(GroupMetadataValue::WRITTEN_VERSION);
        value.map(|value| vec![(key, Some(value))]).unwrap_or_default()
    }

    /// A group as it was stored last; also one of which only offsets are known.
    pub(super) fn stored(&self, id: &Text) -> Option<Group> {
        if let Some(group) = self.stored_modern(id) {
            return Some(Group::Modern(group));
        }
        let group = match self.0.log.metadata(id) {
            Some(value) => restored(id, value, self.limits(), self.now()),
            None => {
                self.has_offsets(id).then_some(())?;
                classic::Group::new(id.clone(), self.limits())
            }
        };
        Some(Group::Classic(group))
    }

    /// Whether a group has committed an offset, be it in a transaction that is open. Those are looked at first: a marker
    /// moves them to the others.
    fn has_offsets(&self, id: &Text) -> bool {
        !self.0.log.pending(id).is_empty() || self.0.log.offsets(id).next().is_some()
    }

    /// Brings back the groups that had members, so that those who do not come back are noticed.
    pub(super) fn restore(&self) {
        for key in self.0.log.keys() {
            let group = match key {
                Key::Group(GroupMetadataKey { group }) => group,
                Key::ConsumerGroup(consumer_groups::Key::Metadata(key)) => key.group_id,
                _ => continue,
            };
            if let Some(slot) = self.existing(&group) {
                self.with(&slot, |_, _| ((), Vec::new()));
            }
        }
    }
}

/// A group as it is stored.
pub(in crate::group) fn metadata(
    group: &classic::Group,
    assignments: &BTreeMap<Text, Bytes>,
    now: Timestamp,
) -> GroupMetadataValue {
    let protocol = group.protocol.clone().unwrap_or_default();
    let member = |member: &Member| MemberMetadata {
        member_id: member.id.clone(),
        group_instance_id: member.profile.instance_id.clone(),
        client_id: member.profile.client_id.clone(),
        client_host: member.profile.client_host.clone(),
        rebalance_timeout: millis(member.profile.rebalance_timeout),
        session_timeout: millis(member.profile.session_timeout),
        subscription: member.metadata(&protocol),
        assignment: assignments.get(&member.id).cloned().unwrap_or_default(),
    };
    GroupMetadataValue {
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        generation: group.generation,
        protocol: group.protocol.clone(),
        leader: group.leader.clone(),
        current_state_timestamp: now,
        members: group.members.values().map(member).collect(),
    }
}

/// A group as it was stored.
pub(in crate::group) fn restored(
    id: &Text,
    value: GroupMetadataValue,
    limits: Limits,
    now: Duration,
) -> classic::Group {
    let GroupMetadataValue {
        protocol_type,
        generation,
        protocol,
        leader,
        current_state_timestamp: _,
        members,
    } = value;
    let name = protocol.clone().unwrap_or_default();
    let stored = Stored {
        generation,
        protocol_type: Some(protocol_type).filter(|name| !name.is_empty()),
        protocol,
        leader,
        members: members.into_iter().map(|member| restored_member(member, &name)).collect(),
    };
    classic::Group::restored(id.clone(), limits, stored, now)
}

/// Of the protocols that a member knows only the chosen one was stored.
fn restored_member(member: MemberMetadata, protocol: &Text) -> (Text, Profile, Bytes) {
    let profile = Profile {
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        session_timeout: duration(member.session_timeout),
        rebalance_timeout: duration(member.rebalance_timeout),
        protocols: vec![Protocol { name: protocol.clone(), metadata: member.subscription }],
    };
    (member.member_id, profile, member.assignment)
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
