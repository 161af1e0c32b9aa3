//! A place in the journal for a batch.

use std::sync::Arc;

use mainstem_protocol::{PartitionId, TopicId, records::Batch};
use mainstem_storage::{AppendGroup, Store, Ticket, store::AppendError};

/// Gives the batch its place, as an append group of its own. Waits, off the reactor, where room must be made first.
///
/// # Errors
/// Where it gets none; nothing was appended then.
pub(crate) async fn place(
    store: &Arc<Store>,
    topic: TopicId,
    partition: PartitionId,
    batch: Batch,
) -> Result<Ticket, AppendError> {
    place_group(store, AppendGroup::single(topic, partition, batch)).await
}

/// Gives a group its place: all of its batches or none.
///
/// # Errors
/// As [`place`].
pub(crate) async fn place_group(store: &Arc<Store>, mut group: AppendGroup) -> Result<Ticket, AppendError> {
    loop {
        match store.append(&group) {
            Err(AppendError::NoRoom) => group = make_room(store, group).await?,
            placed => return placed,
        }
    }
}

/// Waits, off the reactor, until the journal has room for something small.
///
/// # Errors
/// Where none can be made.
pub(crate) async fn wait_for_room(store: &Arc<Store>) -> Result<(), AppendError> {
    make_room(store, AppendGroup::new()).await.map(drop)
}

/// Waits, off the reactor, until there is room for the group.
///
/// # Errors
/// Where none can be made.
pub(crate) async fn make_room(
    store: &Arc<Store>,
    mut group: AppendGroup,
) -> Result<AppendGroup, AppendError> {
    let store = Arc::clone(store);
    let making = tokio::task::spawn_blocking(move || store.make_room(&mut group).map(|()| group));
    making.await.unwrap_or_else(|panic| Err(AppendError::Storage(panic.to_string())))
}
