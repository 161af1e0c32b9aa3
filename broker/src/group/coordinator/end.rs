//! Offsets go, and groups with them: what takes them out of the log follows from what is committed, so every commit that
//! has its place already must be decided before, and none may get a place meanwhile.

use std::sync::Arc;

use mainstem_protocol::{ErrorCode, Text};
use mainstem_storage::{AppendError, Ticket};

use super::{Coordinator, Group, Slot, slot::Storing};
use crate::{
    caps,
    group::{
        classic,
        log::{Made, Records, error_code},
    },
};

/// What is to go.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    pub(super) records: Records,
    /// Whether the group itself goes with them.
    pub(super) is_last: bool,
}

/// Why nothing has gone.
enum Kept {
    Refused(ErrorCode),
    NoRoom(Records),
}

/// Tombstones that are on their way to the log.
pub(super) struct Ending {
    id: Text,
    slot: Arc<Slot>,
    /// None where nothing was stored that could go.
    storing: Option<Storing>,
}

impl Coordinator {
    /// Takes away what `plan` says of the group, and answers when that is stored.
    ///
    /// # Errors
    /// What `plan` refuses, or why it could not be stored.
    pub(super) async fn end(
        &self,
        id: &Text,
        slot: Arc<Slot>,
        plan: impl FnMut(&Group) -> Result<Tombstones, ErrorCode>,
    ) -> Result<(), ErrorCode> {
        let ending = self.begin_end(id, slot, plan).await?;
        self.finish_end(ending).await
    }

    /// Gives the tombstones their place, so that several groups can be waited for together.
    pub(super) async fn begin_end(
        &self,
        id: &Text,
        slot: Arc<Slot>,
        mut plan: impl FnMut(&Group) -> Result<Tombstones, ErrorCode>,
    ) -> Result<Ending, ErrorCode> {
        let mut made = None;
        for _ in 0..caps::TOMBSTONES_TRIED_MAX {
            let placed = slot.placed();
            slot.decided().await;
            match slot.place_end(placed, |group| self.place_planned(group, made.as_ref(), &mut plan)) {
                Some(Ok((ticket, number))) => return Ok(self.ending(id, slot, ticket, number)),
                Some(Err(Kept::Refused(error))) => return Err(error),
                Some(Err(Kept::NoRoom(records))) => {
                    made = Some(self.make_room(id, &records).await.map_err(|error| error_code(&error))?);
                }
                // Somebody has committed meanwhile.
                None => {}
            }
        }
        Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)
    }

    /// Waits until what was begun is stored.
    pub(super) async fn finish_end(&self, ending: Ending) -> Result<(), ErrorCode> {
        let Ending { id, slot, storing } = ending;
        if let Some(storing) = storing {
            storing.await.unwrap_or(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE))?;
        }
        self.forget(&id, &slot);
        Ok(())
    }

    fn ending(&self, id: &Text, slot: Arc<Slot>, ticket: Option<Ticket>, number: u64) -> Ending {
        let storing = ticket.map(|ticket| self.watch_commit(Arc::clone(&slot), ticket, number));
        if storing.is_none() {
            slot.decide(number);
        }
        Ending { id: id.clone(), slot, storing }
    }

    fn place_planned(
        &self,
        group: &Group,
        made: Option<&Made>,
        plan: impl FnOnce(&Group) -> Result<Tombstones, ErrorCode>,
    ) -> Result<(Option<Ticket>, Option<Group>), Kept> {
        let Tombstones { records, is_last } = plan(group).map_err(Kept::Refused)?;
        let successor = is_last.then(|| classic::Group::new(group.id().clone(), self.limits()));
        let successor = successor.map(Group::Classic);
        if records.is_empty() {
            return Ok((None, successor));
        }
        match self.0.log.append(group.id(), &records, made) {
            Ok(ticket) => Ok((Some(ticket), successor)),
            Err(AppendError::NoRoom) => Err(Kept::NoRoom(records)),
            Err(error) => Err(Kept::Refused(error_code(&error))),
        }
    }
}
