//! What will have become of a batch: all its tickets look at one place, and wait in one list.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use mainstem_protocol::{Offset, Timestamp};

use super::ProduceError;
use crate::TopicPartition;

/// What became of a batch: its first offset, and the broker's time.
pub(super) type BatchResult = Result<(Offset, Timestamp), ProduceError>;

/// What will have become of a batch.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The number of the batch among all batches of the producer.
    pub(super) batch: u64,
    pub(super) partition: TopicPartition,
    result: OnceLock<BatchResult>,
    waiting: Mutex<Waiting>,
}

impl Outcome {
    pub(super) fn new(batch: u64, partition: TopicPartition) -> Arc<Self> {
        Arc::new(Self { batch, partition, result: OnceLock::new(), waiting: Mutex::default() })
    }

    /// The first result counts.
    pub(super) fn resolve(&self, result: BatchResult) {
        if self.result.set(result).is_ok() {
            let waiting = std::mem::take(&mut *self.waiting());
            waiting.wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }

    pub(super) fn is_resolved(&self) -> bool {
        self.result.get().is_some()
    }

    /// The result; where there is none yet, whoever asks waits at `place` from here on.
    pub(super) fn poll(&self, place: &mut Place, context: &Context<'_>) -> Poll<&BatchResult> {
        if let Some(result) = self.result.get() {
            return Poll::Ready(result);
        }
        let mut waiting = self.waiting();
        // The result is there before those who wait are taken: whoever looks under their lock cannot miss both.
        if let Some(result) = self.result.get() {
            return Poll::Ready(result);
        }
        waiting.put(place, context.waker());
        Poll::Pending
    }

    /// Waits for the result. Dropped, nobody waits any more.
    pub(super) async fn wait(&self) -> &BatchResult {
        let mut wait = Wait { outcome: self, place: Place::default() };
        poll_fn(move |context| wait.outcome.poll(&mut wait.place, context)).await
    }

    /// Gives a place up.
    pub(super) fn leave(&self, place: &mut Place) {
        if let Some(index) = place.0.take() {
            self.waiting().clear(index);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits without a ticket.
struct Wait<'a> {
    outcome: &'a Outcome,
    place: Place,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.outcome.leave(&mut self.place);
    }
}

/// Where somebody waits, if anywhere.
#[derive(Debug, Default)]
pub(super) struct Place(Option<u32>);

/// Those who wait. A place that is given up goes to the next one who comes, so there are never more places than there
/// once were waiting together; the list grows with the batch, not with each record.
#[derive(Debug, Default)]
struct Waiting {
    wakers: Vec<Option<Waker>>,
    free: Vec<u32>,
}

impl Waiting {
    fn put(&mut self, place: &mut Place, waker: &Waker) {
        let index = *place.0.get_or_insert_with(|| self.place());
        match &mut self.wakers[index as usize] {
            Some(known) => known.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }

    fn place(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.wakers.push(None);
            (self.wakers.len() - 1) as u32
        })
    }

    fn clear(&mut self, index: u32) {
        // Once there is a result, nobody waits, and there are no places.
        if let Some(waker) = self.wakers.get_mut(index as usize) {
            *waker = None;
            self.free.push(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn outcome() -> Arc<Outcome> {
        Outcome::new(0, TopicPartition::new("t", 0))
    }

    #[test]
    fn all_who_wait_are_woken_once_and_those_who_left_are_not() {
        let (outcome, woken) = (outcome(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut places = [const { Place(None) }; 3];
        for index in [0, 1, 2, 0, 1, 2] {
            assert!(outcome.poll(&mut places[index], &Context::from_waker(&waker)).is_pending());
        }
        outcome.leave(&mut places[1]);
        outcome.resolve(Ok((Offset(5), Timestamp::NONE)));
        outcome.resolve(Err(ProduceError::Closed));
        assert_eq!(woken.0.load(Relaxed), 2);
        let Poll::Ready(Ok((offset, _))) = outcome.poll(&mut places[0], &Context::from_waker(&waker)) else {
            panic!("the first result counts");
        };
        assert_eq!(*offset, Offset(5));
        places.iter_mut().for_each(|place| outcome.leave(place));
    }

    #[test]
    fn places_that_were_given_up_are_used_again() {
        let outcome = outcome();
        let mut stays = Place::default();
        let context = Context::from_waker(Waker::noop());
        assert!(outcome.poll(&mut stays, &context).is_pending());
        for _ in 0..100 {
            let mut comes_and_goes = Place::default();
            assert!(outcome.poll(&mut comes_and_goes, &context).is_pending());
            outcome.leave(&mut comes_and_goes);
        }
        assert_eq!(outcome.waiting().wakers.len(), 2);
    }
}
