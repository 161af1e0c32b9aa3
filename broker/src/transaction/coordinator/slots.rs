//! The transactional ids in memory, of which there is room for so many.

use std::{collections::HashMap, sync::Arc};

use mainstem_protocol::{ErrorCode, Text, wire::Detach};

use super::slot::Slot;
use crate::transaction::machine::Transaction;

/// Transactional ids by name.
pub(super) struct Slots {
    known: HashMap<Text, Arc<Slot>>,
    most: usize,
}

impl Slots {
    /// Room for `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { known: HashMap::new(), most }
    }

    /// One that is in memory.
    pub(super) fn get(&self, id: &Text) -> Option<Arc<Slot>> {
        self.known.get(id).map(Arc::clone)
    }

    /// All that are in memory.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.known.values()
    }

    /// One that was in use when the broker stopped; there is always room for it.
    pub(super) fn restore(&mut self, id: Text, transaction: Transaction) -> Arc<Slot> {
        let slot = Arc::new(Slot::new(id.clone(), Some(transaction)));
        self.known.insert(id, Arc::clone(&slot));
        slot
    }

    /// One that is in memory, or else as it is loaded. Where there is no room, those that are idle are let go.
    ///
    /// # Errors
    /// COORDINATOR_NOT_AVAILABLE where none is idle: clients come again.
    pub(super) fn get_or_insert(
        &mut self,
        id: &Text,
        load: impl FnOnce(&Text) -> Option<Transaction>,
    ) -> Result<Arc<Slot>, ErrorCode> {
        if let Some(slot) = self.get(id) {
            return Ok(slot);
        }
        if self.known.len() >= self.most {
            self.known.retain(|_, slot| !slot.is_idle());
        }
        if self.known.len() >= self.most {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        // What is kept must not keep the request that it came with.
        let mut id = id.clone();
        id.detach();
        let slot = Arc::new(Slot::new(id.clone(), load(&id)));
        self.known.insert(id, Arc::clone(&slot));
        Ok(slot)
    }

    /// Lets those go that nobody uses and of which nothing is known.
    pub(super) fn forget_unknown(&mut self) {
        self.known.retain(|_, slot| !(slot.is_idle() && slot.lock().transaction.is_none()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Text = Text::from_static("first");
    const SECOND: Text = Text::from_static("second");

    #[test]
    fn an_id_in_memory_is_found_where_there_is_no_room_for_another() {
        let mut slots = Slots::new(1);
        let first = slots.get_or_insert(&FIRST, |_| None).unwrap();
        assert_eq!(slots.get_or_insert(&SECOND, |_| None).unwrap_err(), ErrorCode::COORDINATOR_NOT_AVAILABLE);
        let again = slots.get_or_insert(&FIRST, |_| panic!("it is in memory")).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn an_idle_id_makes_room_for_another_and_none_is_let_go_that_is_asked_for() {
        let mut slots = Slots::new(1);
        drop(slots.get_or_insert(&FIRST, |_| None).unwrap());
        drop(slots.get_or_insert(&FIRST, |_| panic!("it is in memory")).unwrap());
        drop(slots.get_or_insert(&SECOND, |_| None).unwrap());
        assert!(slots.get(&FIRST).is_none() && slots.get(&SECOND).is_some());
    }
}
