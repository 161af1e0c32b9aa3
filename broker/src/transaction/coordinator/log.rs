//! The log of transactional ids, which is made for the first of them: who uses none has no topic for them.

use std::sync::Arc;

use mainstem_protocol::ErrorCode;
use tokio::sync::oneshot;
use tracing::warn;

use super::Coordinator;
use crate::{task::OnFailure, transaction::log::TransactionLog};

impl Coordinator {
    /// The log, which is created where it is not there.
    ///
    /// # Errors
    /// Where it cannot be created.
    pub(super) async fn log(&self) -> Result<&TransactionLog, ErrorCode> {
        self.0.log.get_or_try_init(|| self.create_log()).await
    }

    async fn create_log(&self) -> Result<TransactionLog, ErrorCode> {
        let (store, settings) = (Arc::clone(&self.0.store), self.0.settings.clone());
        let (sender, receiver) = oneshot::channel();
        self.0.tasks.spawn_blocking("log of transactional ids", OnFailure::Log, move || {
            // Whoever asked may have gone.
            let _ = sender.send(TransactionLog::create(&store, &settings));
        });
        let created = receiver.await.unwrap_or_else(|gone| Err(gone.to_string()));
        created.map_err(|error| {
            warn!(error, "the log of transactional ids cannot be created");
            ErrorCode::COORDINATOR_NOT_AVAILABLE
        })
    }
}
