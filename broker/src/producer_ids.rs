//! Identities for producers.

use std::sync::Arc;

use mainstem_protocol::{ErrorCode, ProducerId};
use mainstem_storage::{
    Store,
    store::{AppendError, NextProducerId},
};

use crate::partition::append;

/// An id that nobody else has or ever had. Ids come in blocks through the journal; whoever comes between two of them waits.
///
/// # Errors
/// Where the journal takes nothing.
pub(crate) async fn next(store: &Arc<Store>) -> Result<ProducerId, ErrorCode> {
    loop {
        match store.next_producer_id() {
            Ok(NextProducerId::Ready(id)) => return Ok(id),
            Ok(NextProducerId::Wait(ticket)) => {
                drop(ticket.await.map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?);
            }
            Err(AppendError::NoRoom) => {
                append::wait_for_room(store).await.map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?;
            }
            Err(_) => return Err(ErrorCode::KAFKA_STORAGE_ERROR),
        }
    }
}
