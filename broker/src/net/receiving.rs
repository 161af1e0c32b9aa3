//! Room for requests that are still arriving, of all connections together.
//!
//! A peer gets it in steps, as its bytes come: what it announces counts for nothing. So requests that have begun could
//! take all the room and each wait for more; one at a time may therefore go on without any (`overdraft`), and their
//! time is limited. Requests that have come whole are counted elsewhere, so that small ones, which need no room
//! here, are answered whatever the others do.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that requests may take while they arrive. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Receiving {
    room: Arc<Semaphore>,
    overdraft: Arc<Semaphore>,
}

/// The room that one request, or one connection's buffer, has. Given back when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    room: Option<OwnedSemaphorePermit>,
    overdraft: Option<OwnedSemaphorePermit>,
}

impl Receiving {
    /// Room for `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(bytes)), overdraft: Arc::new(Semaphore::new(1)) }
    }

    /// Raises what is held to `bytes`, where there is room at once.
    pub(super) fn try_hold(&self, held: &mut Held, bytes: usize) -> bool {
        let more = held.missing(bytes);
        match Arc::clone(&self.room).try_acquire_many_owned(more) {
            Ok(permit) => held.add(permit),
            Err(_) => return false,
        }
        true
    }

    /// Raises what is held to `bytes`, as soon as there is room, or when it is this one's turn to go without. May be
    /// dropped.
    pub(super) async fn hold(&self, held: &mut Held, bytes: usize) {
        if held.overdraft.is_some() || self.try_hold(held, bytes) {
            return;
        }
        let more = held.missing(bytes);
        tokio::select! {
            biased;
            room = Arc::clone(&self.room).acquire_many_owned(more) => room.into_iter().for_each(|room| held.add(room)),
            turn = Arc::clone(&self.overdraft).acquire_owned() => held.overdraft = turn.ok(),
        }
    }

    #[cfg(test)]
    fn left(&self) -> usize {
        self.room.available_permits()
    }
}

impl Held {
    /// Takes out all but `bytes`, and the turn to go without.
    pub(super) fn split(&mut self, bytes: usize) -> Self {
        let excess = self.bytes().saturating_sub(bytes);
        let room = self.room.as_mut().and_then(|room| room.split(excess));
        Self { room, overdraft: self.overdraft.take() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    fn missing(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.saturating_sub(self.bytes())).unwrap_or(u32::MAX)
    }

    fn add(&mut self, permit: OwnedSemaphorePermit) {
        match &mut self.room {
            Some(room) => room.merge(permit),
            None => self.room = Some(permit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_held_in_steps_and_given_back() {
        let (receiving, mut held) = (Receiving::new(100), Held::default());
        receiving.hold(&mut held, 30).await;
        receiving.hold(&mut held, 80).await;
        assert_eq!((held.bytes(), receiving.left()), (80, 20));
        let request = held.split(10);
        assert_eq!((held.bytes(), request.bytes()), (10, 70));
        drop(request);
        assert_eq!(receiving.left(), 90);
        drop(held);
        assert_eq!(receiving.left(), 100);
    }

    #[tokio::test]
    async fn where_there_is_no_room_one_at_a_time_goes_on_without() {
        let (receiving, mut first, mut second) = (Receiving::new(100), Held::default(), Held::default());
        receiving.hold(&mut first, 50).await;
        receiving.hold(&mut second, 50).await;
        assert!(!receiving.try_hold(&mut first, 60));
        receiving.hold(&mut first, 1000).await;
        tokio::select! {
            biased;
            () = receiving.hold(&mut second, 60) => panic!("the other one has its turn"),
            () = std::future::ready(()) => {}
        }
        drop(first.split(0));
        receiving.hold(&mut second, 60).await;
        assert_eq!(second.bytes(), 60);
    }
}
