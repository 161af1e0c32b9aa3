//! The broker that commits and look-ups of a group's offsets go to: asked for once, and again where it may be another.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mainstem_protocol::{BrokerId, ErrorCode, Text, messages::Request};

use crate::{
    cluster::{Cluster, CoordinatorError, retry::Retry},
    transport::{Lane, Node, TransportError},
};

/// The coordinator of the one group that a consumer has.
#[derive(Debug)]
pub(in crate::consumer) struct Coordinator {
    cluster: Arc<Cluster>,
    known: Mutex<Option<BrokerId>>,
}

impl Coordinator {
    pub(in crate::consumer) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, known: Mutex::default() }
    }

    /// Attempts at one thing within a time.
    pub(super) fn retry(&self, limit: Duration) -> Retry {
        self.cluster.retry(limit)
    }

    /// Asks it; `limit` is how long it may be looked for.
    pub(super) async fn ask<R: Request>(
        &self,
        group: &Text,
        request: impl FnOnce(i16) -> R,
        limit: Duration,
    ) -> Result<Result<R::Response, TransportError>, CoordinatorError> {
        // Not on the group's lane: a join that waits for others must not hold up a commit.
        let node = Node::Id(self.find(group, limit).await?);
        let timeout = self.cluster.request_timeout();
        let answer = self.cluster.call_in_version(node, Lane::General, request, timeout).await;
        if answer.is_err() {
            self.set(None);
        }
        Ok(answer)
    }

    /// Heeds what the broker says: where the group is another broker's, that one is looked for before the next request.
    pub(super) fn heed(&self, code: ErrorCode) {
        if is_about_the_coordinator(code) {
            self.set(None);
        }
    }

    async fn find(&self, group: &Text, limit: Duration) -> Result<BrokerId, CoordinatorError> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known {
            return Ok(known);
        }
        let found = self.cluster.coordinator(group, limit).await?;
        self.set(Some(found));
        Ok(found)
    }

    fn set(&self, known: Option<BrokerId>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// Whether another broker has to be asked.
pub(super) const fn is_about_the_coordinator(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE)
}
