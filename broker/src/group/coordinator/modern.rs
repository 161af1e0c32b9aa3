//! Changes of groups of the newer protocol (KIP-848): they happen when their records have a place in the log, and are
//! answered when those are committed.

use std::{sync::Arc, time::Duration};

use mainstem_protocol::{
    ErrorCode, Text,
    formats::offsets::{GroupMetadataKey, Key},
};
use mainstem_storage::{AppendError, Ticket, config::Resource};
use tracing::{debug, warn};

use super::{Coordinator, Group, Slot, topics::TopicView};
use crate::{
    config::GroupTimes,
    group::{
        classic,
        log::{Made, Records, error_code},
        modern::{self, Change, Record, Refusal, stored_record},
    },
    task::OnFailure,
};

/// How long a group waits before it tries again what found no room in the log.
const REST: Duration = Duration::from_millis(100);

/// Why a change did not happen yet.
enum Hindered {
    Refused(Refusal),
    NoRoom(Records),
}

/// A change that has happened in memory: what to answer, and what is on its way to the log.
struct Placed<A> {
    answer: A,
    ticket: Option<(Ticket, u64)>,
}

impl Coordinator {
    /// Changes a group, and answers when the change is stored. What changes nothing is answered when everything that was
    /// placed before is.
    ///
    /// # Errors
    /// What the machine says, or the code for records that could not be stored.
    pub(super) async fn change<A>(
        &self,
        slot: &Arc<Slot>,
        may_convert: bool,
        change: impl Fn(&modern::Group, &TopicView) -> Result<Change<A>, Refusal>,
    ) -> Result<A, Refusal> {
        let id = slot.read(|group| group.id().clone());
        let mut made = None;
        let placed = loop {
            match self.place_change(slot, may_convert, &change, made.as_ref()) {
                Ok(placed) => break placed,
                Err(Hindered::Refused(refusal)) => return Err(refusal),
                Err(Hindered::NoRoom(records)) => {
                    let room = self.make_room(&id, &records).await;
                    made = Some(room.map_err(|error| refused(error_code(&error)))?);
                }
            }
        };
        match placed.ticket {
            Some((ticket, number)) => self.await_change(slot, id, ticket, number).await.map_err(refused)?,
            None => slot.decided().await,
        }
        Ok(placed.answer)
    }

    fn place_change<A>(
        &self,
        slot: &Arc<Slot>,
        may_convert: bool,
        change: impl Fn(&modern::Group, &TopicView) -> Result<Change<A>, Refusal>,
        made: Option<&Made>,
    ) -> Result<Placed<A>, Hindered> {
        let (answer, ticket) = self.change_slot(slot, |group, waiting| {
            // Looked at in the order of the changes: a later one must not know less of the topics.
            let (topics, now) = (self.topic_view(), self.now());
            let (mut converted, was_stored) = (None, self.was_stored(group));
            let (machine, upgrade) = match &*group {
                Group::Modern(group) => (group, Vec::new()),
                Group::Classic(classic) if may_convert => {
                    let upgraded = self.upgraded(classic, &topics, now).map_err(Hindered::Refused)?;
                    (&*converted.insert(upgraded.0), upgraded.1)
                }
                Group::Classic(classic) => return Err(Hindered::Refused(not_a_consumer_group(&classic.id))),
            };
            let mut change = change(machine, &topics).map_err(Hindered::Refused)?;
            let successor = self.successor(machine, change.successor.take(), now);
            let mut records = self.change_records(machine, &[&upgrade, &change.records], was_stored);
            records.extend(
                successor.iter().flat_map(|group| self.metadata_records(group, &group.assignments())),
            );
            let ticket = self.place_records(&machine.id, records, made)?;
            if let (Group::Classic(classic), Some(converted)) = (&*group, converted) {
                waiting.send_away(classic);
                *group = Group::Modern(converted);
            }
            let Group::Modern(machine) = group else { return Err(Hindered::Refused(gone())) };
            machine.set_session_timeout(self.times(&machine.id).session);
            let answer = machine.apply(change, now);
            if let Some(successor) = successor {
                *group = Group::Classic(successor);
            }
            Ok((answer, ticket))
        })?;
        Ok(Placed { answer, ticket })
    }

    /// The group that a classic one becomes when a member of the newer protocol joins it, with its records.
    fn upgraded(
        &self,
        group: &classic::Group,
        topics: &TopicView,
        now: Duration,
    ) -> Result<(modern::Group, Vec<Record>), Refusal> {
        if group.state == classic::State::Empty {
            return Ok((self.new_modern(&group.id), Vec::new()));
        }
        modern::Group::upgraded_from(group, self.modern_limits(&group.id), topics, now)
    }

    /// The classic group that takes the place of one of the newer protocol.
    fn successor(
        &self,
        group: &modern::Group,
        stored: Option<classic::Stored>,
        now: Duration,
    ) -> Option<classic::Group> {
        stored.map(|stored| classic::Group::restored(group.id.clone(), self.limits(), stored, now))
    }

    fn place_records(
        &self,
        group: &Text,
        records: Records,
        made: Option<&Made>,
    ) -> Result<Option<Ticket>, Hindered> {
        if records.is_empty() {
            return Ok(None);
        }
        self.0.log.append(group, &records, made).map(Some).map_err(|error| match error {
            AppendError::NoRoom => Hindered::NoRoom(records),
            error => Hindered::Refused(refused(error_code(&error))),
        })
    }

    /// Whether something of a classic group is in the log, or on its way there.
    fn was_stored(&self, group: &Group) -> bool {
        match group {
            Group::Classic(classic) => classic.generation > 0 || self.0.log.metadata(&classic.id).is_some(),
            Group::Modern(_) => false,
        }
    }

    /// The records of a change; the classic group that it takes the place of goes with it.
    fn change_records(&self, group: &modern::Group, records: &[&[Record]], was_stored: bool) -> Records {
        let classic = was_stored.then(|| (Key::Group(GroupMetadataKey { group: group.id.clone() }), None));
        let mut stored: Records = classic.into_iter().collect();
        stored.extend(records.iter().flat_map(|records| self.modern_records(group, records)));
        stored
    }

    /// Records as they stand in the log. Names come from requests, whose lengths fit.
    pub(super) fn modern_records(&self, group: &modern::Group, records: &[Record]) -> Records {
        let now = self.0.clock.now();
        let stored = |record: &Record| {
            let stored = record.stored(&group.id, now);
            stored
                .inspect_err(|error| warn!(group = &*group.id, %error, "record does not fit its format"))
                .ok()
        };
        records.iter().filter_map(stored).collect()
    }

    /// Waits in a task of its own: whoever asked may go, but what was placed must be told as decided.
    async fn await_change(
        &self,
        slot: &Arc<Slot>,
        id: Text,
        ticket: Ticket,
        number: u64,
    ) -> Result<(), ErrorCode> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let (coordinator, slot) = (self.clone(), Arc::clone(slot));
        self.0.tasks.spawn("group change", OnFailure::Log, async move {
            let committed = ticket.await.map(drop).map_err(|_| ErrorCode::NOT_COORDINATOR);
            if committed.is_err() {
                // Memory is ahead of the log: the group is read again.
                coordinator.groups().remove(&id);
            }
            slot.decide(number);
            // Whoever asked may have gone.
            let _ = sender.send(committed);
        });
        receiver.await.unwrap_or(Err(ErrorCode::NOT_COORDINATOR))
    }

    /// Tells a group the time: members who are silent or late are taken out.
    pub(super) fn tick_modern(&self, slot: &Arc<Slot>, made: Option<&Made>) {
        let now = self.now();
        let placed = self.place_change(slot, false, |group, topics| Ok(group.tick(now, topics)), made);
        let id = slot.read(|group| group.id().clone());
        match placed {
            Ok(Placed { ticket: Some((ticket, number)), .. }) => {
                debug!(group = &*id, "members are out");
                let (coordinator, slot) = (self.clone(), Arc::clone(slot));
                self.0.tasks.spawn("group expiry", OnFailure::Log, async move {
                    // Nobody waits for it.
                    let _ = coordinator.await_change(&slot, id, ticket, number).await;
                });
            }
            Ok(Placed { ticket: None, .. }) => {}
            Err(Hindered::NoRoom(records)) => {
                let (coordinator, slot) = (self.clone(), Arc::clone(slot));
                self.0.tasks.spawn("group room", OnFailure::Log, async move {
                    match coordinator.make_room(&id, &records).await {
                        Ok(made) => coordinator.tick_modern(&slot, Some(&made)),
                        Err(_) => coordinator.0.timers.arm(coordinator.now() + REST, &id),
                    }
                });
            }
            Err(Hindered::Refused(_)) => self.0.timers.arm(now + REST, &id),
        }
    }

    /// Makes a classic group of one of the newer protocol that has no members (Kafka: `maybeDeleteEmptyConsumerGroup`).
    ///
    /// # Errors
    /// The code for records that could not be stored.
    pub(super) async fn make_classic(&self, slot: &Arc<Slot>) -> Result<(), ErrorCode> {
        let id = slot.read(|group| group.id().clone());
        let mut made = None;
        let placed = loop {
            match self.change_slot(slot, |group, _| self.place_classic(group, made.as_ref())) {
                Ok(((), placed)) => break placed,
                Err(Hindered::Refused(Refusal { error, .. })) => return Err(error),
                Err(Hindered::NoRoom(records)) => {
                    made = Some(self.make_room(&id, &records).await.map_err(|error| error_code(&error))?);
                }
            }
        };
        match placed {
            Some((ticket, number)) => self.await_change(slot, id, ticket, number).await,
            None => Ok(()),
        }
    }

    fn place_classic(
        &self,
        group: &mut Group,
        made: Option<&Made>,
    ) -> Result<((), Option<Ticket>), Hindered> {
        let Group::Modern(modern) = &*group else { return Ok(((), None)) };
        if !modern.is_empty() {
            return Ok(((), None));
        }
        let ticket = self.place_records(&modern.id, modern.tombstones(), made)?;
        *group = Group::Classic(classic::Group::new(modern.id.clone(), self.limits()));
        Ok(((), ticket))
    }

    pub(super) fn new_modern(&self, id: &Text) -> modern::Group {
        modern::Group::new(id.clone(), self.modern_limits(id))
    }

    /// The times of a group: its own (KIP-848's settings of groups), or the broker's.
    pub(super) fn times(&self, group: &str) -> GroupTimes {
        let resources = self.0.log.store().resources();
        // There are none most of the time: then no name is copied for the look-up.
        let own =
            (!resources.is_empty()).then(|| resources.get(&Resource::Group(group.to_owned()))).flatten();
        GroupTimes::of(&self.0.settings, own)
    }

    pub(super) fn modern_limits(&self, group: &str) -> modern::Limits {
        let settings = &self.0.settings;
        let may_downgrade = settings.consumer_migration_policy.may_downgrade();
        modern::Limits {
            session_timeout: self.times(group).session,
            members_max: settings.consumer_size_max,
            assignors: settings.consumer_assignors.0.clone(),
            may_upgrade: settings.consumer_migration_policy.may_upgrade(),
            classic_members_max: may_downgrade.then_some(settings.size_max),
        }
    }

    /// A group of the newer protocol as its records tell of it.
    pub(super) fn stored_modern(&self, id: &Text) -> Option<modern::Group> {
        let mut records = Vec::new();
        for (key, value) in self.0.log.consumer_group(id) {
            let record = stored_record(key, value);
            let record = record
                .inspect_err(|error| warn!(group = &**id, %error, "record of a group is not understood"));
            records.extend(record.ok().flatten());
        }
        let exists = records.iter().any(|record| matches!(record, Record::Epoch(_)));
        exists.then(|| modern::Group::restored(id.clone(), self.modern_limits(id), records, self.now()))
    }
}

fn not_a_consumer_group(id: &Text) -> Refusal {
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("Group {id} is not a consumer group."))
}

const fn gone() -> Refusal {
    refused(ErrorCode::COORDINATOR_NOT_AVAILABLE)
}

const fn refused(error: ErrorCode) -> Refusal {
    Refusal { error, message: None }
}
