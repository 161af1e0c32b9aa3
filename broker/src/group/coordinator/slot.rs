//! A group, those who wait for its answers, and the order of its commits.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mainstem_protocol::{ErrorCode, Text};
use mainstem_storage::Ticket;
use tokio::sync::{oneshot, watch};

use super::{Coordinator, Group};
use crate::group::classic::{self, Action, JoinAnswer, Store, SyncAnswer, Waiter};

/// A store of a group that was begun, and will be told how it ended.
pub(super) type Storing = oneshot::Receiver<Result<(), ErrorCode>>;

/// A group in memory.
pub(super) struct Slot {
    state: Mutex<Locked>,
    /// The number of the last commit that is decided. Commits are decided in the order of their places.
    decided: watch::Sender<u64>,
    /// Whether the group is deleted: until somebody makes it anew, there is none.
    is_deleted: AtomicBool,
}

struct Locked {
    group: Group,
    waiting: Waiting,
    /// Commits that have been given a place.
    placed: u64,
    /// How often a store was begun: of two on their way, the later one counts.
    stores: u64,
    /// When the timers will tell the group the time.
    armed: Option<Duration>,
}

/// Those whose answers are still to come.
#[derive(Default)]
pub(super) struct Waiting {
    last: u64,
    joins: HashMap<Waiter, oneshot::Sender<JoinAnswer>>,
    syncs: HashMap<Waiter, oneshot::Sender<SyncAnswer>>,
}

impl Waiting {
    fn next(&mut self) -> Waiter {
        self.last += 1;
        Waiter(self.last)
    }

    pub(super) fn join(&mut self) -> (Waiter, oneshot::Receiver<JoinAnswer>) {
        let (waiter, (sender, receiver)) = (self.next(), oneshot::channel());
        self.joins.insert(waiter, sender);
        (waiter, receiver)
    }

    pub(super) fn sync(&mut self) -> (Waiter, oneshot::Receiver<SyncAnswer>) {
        let (waiter, (sender, receiver)) = (self.next(), oneshot::channel());
        self.syncs.insert(waiter, sender);
        (waiter, receiver)
    }

    /// Everybody who waits for something of a group that is no more is to join again.
    pub(super) fn send_away(&mut self, group: &classic::Group) {
        // There is nothing to be stored of it.
        drop(self.answer(group.send_away()));
    }

    /// Answers what is to be answered and returns what is to be stored.
    fn answer(&mut self, actions: Vec<Action>) -> Vec<Store> {
        let mut stores = Vec::new();
        for action in actions {
            match action {
                Action::Joined(waiter, answer) => tell(self.joins.remove(&waiter), answer),
                Action::Synced(waiter, answer) => tell(self.syncs.remove(&waiter), answer),
                Action::Store(store) => stores.push(store),
            }
        }
        stores
    }
}

impl Locked {
    /// What the timers were asked for was asked for the group that was here before.
    fn become_new(&mut self, group: Group) {
        self.group = group;
        self.armed = None;
    }

    fn place<T, E>(&mut self, place: impl FnOnce(&mut Group) -> Result<T, E>) -> Result<(T, u64), E> {
        let given = place(&mut self.group)?;
        self.placed += 1;
        Ok((given, self.placed))
    }
}

fn tell<T>(sender: Option<oneshot::Sender<T>>, answer: T) {
    if let Some(sender) = sender {
        // Whoever asked may have gone.
        drop(sender.send(answer));
    }
}

impl Slot {
    pub(super) fn new(group: Group) -> Self {
        let state = Locked { group, waiting: Waiting::default(), placed: 0, stores: 0, armed: None };
        Self { state: Mutex::new(state), decided: watch::Sender::new(0), is_deleted: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Locked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the group.
    pub(super) fn read<T>(&self, look: impl FnOnce(&mut Group) -> T) -> T {
        look(&mut self.lock().group)
    }

    /// Gives a commit its place, if it may have one, and its number. Nothing else of the group happens meanwhile.
    pub(super) fn place<T, E>(&self, place: impl FnOnce(&mut Group) -> Result<T, E>) -> Result<(T, u64), E> {
        let mut locked = self.lock();
        let placed = locked.place(place)?;
        // There is something of the group again.
        self.is_deleted.store(false, Ordering::Release);
        Ok(placed)
    }

    /// How many commits have been given a place.
    pub(super) fn placed(&self) -> u64 {
        self.lock().placed
    }

    /// Gives tombstones their place unless a commit got one since `placed` was read. Where the group goes with them, it
    /// is new from here on, and there is none until somebody makes it.
    pub(super) fn place_end<T, E>(
        &self,
        placed: u64,
        place: impl FnOnce(&mut Group) -> Result<(T, Option<Group>), E>,
    ) -> Option<Result<(T, u64), E>> {
        let mut locked = self.lock();
        (locked.placed == placed).then(|| {
            let ((given, successor), number) = locked.place(place)?;
            if let Some(successor) = successor {
                locked.become_new(successor);
                locked.stores += 1;
                self.is_deleted.store(true, Ordering::Release);
            }
            Ok((given, number))
        })
    }

    /// Gives the store of that number its place, unless a later one was begun.
    pub(super) fn place_store<T>(&self, number: u64, place: impl FnOnce() -> T) -> Option<T> {
        let locked = self.lock();
        (locked.stores == number).then(place)
    }

    /// Whether the group is deleted.
    pub(super) fn is_deleted(&self) -> bool {
        self.is_deleted.load(Ordering::Acquire)
    }

    /// Makes a deleted group anew.
    pub(super) fn revive(&self, group: Group) {
        let mut locked = self.lock();
        if self.is_deleted.swap(false, Ordering::AcqRel) {
            locked.become_new(group);
        }
    }

    /// Says that a commit is decided, and with it all that were placed before.
    pub(super) fn decide(&self, number: u64) {
        self.decided.send_if_modified(|decided| {
            let rises = number > *decided;
            *decided = number.max(*decided);
            rises
        });
    }

    /// Until every commit that has its place by now is decided.
    pub(super) async fn decided(&self) {
        let placed = self.lock().placed;
        // The sender lives as long as the slot.
        let _ = self.decided.subscribe().wait_for(|decided| *decided >= placed).await;
    }
}

impl Coordinator {
    /// Does something with a group: answers go out, stores are begun, the next deadline is set.
    pub(super) fn with<T>(
        &self,
        slot: &Arc<Slot>,
        work: impl FnOnce(&mut Group, &mut Waiting) -> (T, Vec<Action>),
    ) -> T {
        self.with_stores(slot, work).0
    }

    /// As [`Self::with`], and tells of the stores that were begun.
    pub(super) fn with_stores<T>(
        &self,
        slot: &Arc<Slot>,
        work: impl FnOnce(&mut Group, &mut Waiting) -> (T, Vec<Action>),
    ) -> (T, Vec<Storing>) {
        let mut locked = slot.lock();
        let Locked { group, waiting, stores: number, armed, .. } = &mut *locked;
        let (result, actions) = work(group, waiting);
        let stores = waiting.answer(actions).into_iter();
        if !group.is_empty() {
            slot.is_deleted.store(false, Ordering::Release);
        }
        let stores = stores.map(|store| self.begin_store(slot, group, number, store)).collect();
        self.arm(group, armed);
        (result, stores)
    }

    /// Lets time pass for a group that has asked for it.
    pub(super) fn tick(&self, id: &Text) {
        let Some(slot) = self.existing(id) else { return };
        let now = self.now();
        slot.lock().armed = None;
        if slot.read(|group| group.is_modern()) {
            self.tick_modern(&slot, None);
        } else {
            self.with(&slot, |group, _| ((), group.tick(now)));
        }
    }

    /// Changes a group. A change that has something on its way to the log gets a number as a commit does.
    pub(super) fn change_slot<T, E>(
        &self,
        slot: &Slot,
        change: impl FnOnce(&mut Group, &mut Waiting) -> Result<(T, Option<Ticket>), E>,
    ) -> Result<(T, Option<(Ticket, u64)>), E> {
        let mut locked = slot.lock();
        let Locked { group, waiting, placed, stores, armed } = &mut *locked;
        let was_modern = group.is_modern();
        let (given, ticket) = change(group, waiting)?;
        if ticket.is_some() {
            *placed += 1;
            slot.is_deleted.store(false, Ordering::Release);
        }
        // A store of the classic group that it was must not come after it.
        *stores += u64::from(was_modern != group.is_modern());
        self.arm(group, armed);
        Ok((given, ticket.map(|ticket| (ticket, *placed))))
    }

    /// Asks to be told the time, unless that was asked for already.
    fn arm(&self, group: &Group, armed: &mut Option<Duration>) {
        let Some(deadline) = group.next_deadline() else { return };
        if armed.is_none_or(|armed| deadline < armed) {
            *armed = Some(deadline);
            self.0.timers.arm(deadline, group.id());
        }
    }
}
