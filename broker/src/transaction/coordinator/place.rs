//! Something happens to a transactional id: what becomes of it gets its place in the journal while the id is held, so that
//! nothing comes between the decision and its place. Whoever waits for room decides anew behind it.

use std::sync::Arc;

use mainstem_protocol::{ErrorCode, PartitionId, ProducerId, Text, TopicId};
use mainstem_storage::{AppendError, AppendGroup, Marker, NotCommitted, ProducerView, Ticket};
use tokio::sync::oneshot;
use tracing::warn;

use super::{
    Coordinator,
    slot::{Locked, Slot, Waiting},
};
use crate::{
    partition::append,
    producer_ids,
    task::OnFailure,
    transaction::machine::{Change, Markers, NeedsProducerId, Step, Transaction},
};

/// The epoch that markers carry of the coordinator. There is one coordinator, and it does not move.
const COORDINATOR_EPOCH: i32 = 0;

/// A change and the group that stores it; kept while room is made for it.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) change: Change,
    pub(super) group: AppendGroup,
}

/// What came of an attempt.
enum Tried<T> {
    Answered(Result<T, ErrorCode>, Waiting),
    NeedsProducerId,
    NoRoom(Ready),
    Failed(ErrorCode),
}

/// The fate of a change that has its place.
pub(super) type Fate = oneshot::Receiver<Result<mainstem_storage::Committed, NotCommitted>>;

impl Coordinator {
    /// Lets something happen to a transactional id, and answers when that is durable. `decide` is asked once or more.
    ///
    /// # Errors
    /// What `decide` answers, or why it could not be stored.
    pub(super) async fn happen<T>(
        &self,
        slot: &Arc<Slot>,
        decide: impl Fn(Option<&Transaction>, Option<ProducerId>) -> Result<Step<T>, NeedsProducerId>,
    ) -> Result<T, ErrorCode> {
        let (mut fresh, mut ready) = (None, None);
        loop {
            match self.attempt(slot, |transaction| decide(transaction, fresh), ready.take()) {
                Tried::Answered(answer, waiting) => return waiting.durable().await.and(answer),
                Tried::NeedsProducerId => fresh = Some(producer_ids::next(&self.0.store).await?),
                Tried::NoRoom(refused) => ready = Some(self.make_room(refused).await?),
                Tried::Failed(error) => return Err(error),
            }
        }
    }

    fn attempt<T>(
        &self,
        slot: &Arc<Slot>,
        decide: impl FnOnce(Option<&Transaction>) -> Result<Step<T>, NeedsProducerId>,
        ready: Option<Ready>,
    ) -> Tried<T> {
        let mut locked = slot.lock();
        let Ok(Step { change, answer }) = decide(locked.transaction.as_ref()) else {
            return Tried::NeedsProducerId;
        };
        let Some(change) = change else { return Tried::Answered(answer, slot.waiting(&locked)) };
        let mut ready = match self.ready(&slot.id, change, ready) {
            Ok(ready) => ready,
            Err(error) => return Tried::Failed(error),
        };
        match self.append(&slot.id, &mut ready) {
            Ok(ticket) => {
                // Whoever waits does so for all that was placed.
                drop(self.placed(slot, &mut locked, ready.change, ticket));
                Tried::Answered(answer, slot.waiting(&locked))
            }
            Err(AppendError::NoRoom) => Tried::NoRoom(ready),
            Err(error) => Tried::Failed(error_code(&error)),
        }
    }

    /// The group for a change: the one for which room was made, where that is for the same change.
    pub(super) fn ready(&self, id: &Text, change: Change, made: Option<Ready>) -> Result<Ready, ErrorCode> {
        match made.filter(|made| made.change == change) {
            Some(made) => Ok(made),
            None => Ok(Ready { group: self.group(id, &change, &[])?, change }),
        }
    }

    /// Gives a group its place. Partitions that are gone need no marker, and neither do those where somebody has ended the
    /// transaction with a newer marker (WriteTxnMarkers).
    fn append(&self, id: &Text, ready: &mut Ready) -> Result<Ticket, AppendError> {
        let mut left_out = Vec::new();
        loop {
            let error = match (self.0.store.append(&ready.group), &ready.change.markers) {
                (Err(error), Some(markers)) => (error, markers),
                (placed, _) => return placed,
            };
            let more = match error {
                (AppendError::UnknownPartition { topic, partition }, _) => vec![(topic, partition)],
                (
                    AppendError::InvalidProducerEpoch { .. } | AppendError::CoordinatorFenced { .. },
                    markers,
                ) => self.ended_by_others(markers),
                (error, _) => return Err(error),
            };
            let known = left_out.len();
            left_out.extend(
                more.into_iter().filter(|place| !left_out[..known].contains(place)).collect::<Vec<_>>(),
            );
            if left_out.len() == known {
                return Err(AppendError::Empty);
            }
            warn!(
                id = id.as_ref() as &str,
                partitions = left_out.len(),
                "markers of a transaction are left out"
            );
            ready.group = self.group(id, &ready.change, &left_out).map_err(|_| AppendError::Empty)?;
        }
    }

    fn ended_by_others(&self, markers: &Markers) -> Vec<(TopicId, PartitionId)> {
        let topics = self.0.store.topics();
        let is_newer = |known: &ProducerView| {
            let is_fenced = known.coordinator_epoch > COORDINATOR_EPOCH;
            known.id == markers.producer.id && (is_fenced || known.epoch > markers.producer.epoch)
        };
        let ended = |(name, id): (&Text, PartitionId)| {
            let topic = topics.named(name)?;
            topic.partition(id)?.producers().iter().any(is_newer).then_some((topic.id, id))
        };
        markers.partitions.iter().filter_map(ended).collect()
    }

    /// What a change stores: the state of the id, and the markers that go with it.
    fn group(
        &self,
        id: &Text,
        change: &Change,
        left_out: &[(TopicId, PartitionId)],
    ) -> Result<AppendGroup, ErrorCode> {
        let log = self.0.log.get().ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
        let (mut group, now) = (AppendGroup::new(), self.0.clock.now());
        let pushed = log.push(&mut group, id, Some(&change.next), now);
        pushed.map_err(|_| ErrorCode::INVALID_REQUEST)?;
        if let Some(markers) = &change.markers {
            self.push_markers(&mut group, change, markers, left_out);
        }
        Ok(group)
    }

    fn push_markers(
        &self,
        group: &mut AppendGroup,
        change: &Change,
        markers: &Markers,
        left_out: &[(TopicId, PartitionId)],
    ) {
        let Markers { producer, outcome, partitions } = markers;
        let (topics, now) = (self.0.store.topics(), self.0.clock.now());
        let marker = Marker {
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            coordinator_epoch: COORDINATOR_EPOCH,
            committed: outcome.is_commit(),
            version: change.next.version,
        };
        for (name, partition) in partitions.iter() {
            let Some(topic) = topics.named(name).filter(|topic| topic.partition(partition).is_some()) else {
                continue;
            };
            if !left_out.contains(&(topic.id, partition)) {
                group.push_marker(topic.id, partition, marker, now);
            }
        }
    }

    /// The id is from here on what it becomes. The fate is waited for in a task of its own: whoever asked may go, but what
    /// was placed must be told as decided.
    pub(super) fn placed(
        &self,
        slot: &Arc<Slot>,
        locked: &mut Locked,
        change: Change,
        ticket: Ticket,
    ) -> Fate {
        self.count(&change);
        self.watch(slot, locked.become_next(Some(change.next)), ticket)
    }

    pub(super) fn watch(&self, slot: &Arc<Slot>, number: u64, ticket: Ticket) -> Fate {
        let (sender, receiver) = oneshot::channel();
        let (this, slot) = (self.clone(), Arc::clone(slot));
        self.0.tasks.spawn("transaction", OnFailure::Log, async move {
            let fate = ticket.await;
            match &fate {
                Ok(_) => slot.decide(number),
                Err(error) => {
                    warn!(id = slot.id.as_ref() as &str, %error, "a change of a transaction is lost");
                    slot.lose(number, this.0.log.get().and_then(|log| log.load(&slot.id)));
                }
            }
            // Whoever asked may have gone.
            let _ = sender.send(fate);
        });
        receiver
    }

    /// Waits for room, off the reactor.
    pub(super) async fn make_room(&self, ready: Ready) -> Result<Ready, ErrorCode> {
        let Ready { change, group } = ready;
        let made = append::make_room(&self.0.store, group).await;
        made.map(|group| Ready { change, group }).map_err(|error| error_code(&error))
    }
}

/// The code for a change that got no place.
pub(super) fn error_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::TooLarge { .. } => ErrorCode::POLICY_VIOLATION,
        // Clients look for the coordinator again, and then find it as it is by then.
        _ => ErrorCode::COORDINATOR_NOT_AVAILABLE,
    }
}
