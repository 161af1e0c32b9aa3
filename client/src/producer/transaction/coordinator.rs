//! The broker that keeps the transactions of one transactional id: asked for once, and again where it may be another.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mainstem_protocol::{BrokerId, ErrorCode, messages::Request};

use super::error::TransactionCause;
use crate::{
    cluster::{Cluster, Coordinated, retry::Retry},
    transport::{Lane, Node, TransportError},
};

/// A coordinator, of transactions or of a group.
#[derive(Debug)]
pub(super) struct Coordinator {
    cluster: Arc<Cluster>,
    of: Coordinated,
    known: Mutex<Option<BrokerId>>,
}

impl Coordinator {
    pub(super) fn new(cluster: Arc<Cluster>, of: Coordinated) -> Self {
        Self { cluster, of, known: Mutex::default() }
    }

    /// Attempts to ask it within a time.
    pub(super) fn retry(&self, limit: Duration) -> Retry {
        self.cluster.retry(limit)
    }

    /// Asks it once, in no version above `newest`.
    pub(super) async fn ask<R: Request>(
        &self,
        newest: i16,
        request: impl FnOnce(i16) -> Result<R, TransportError>,
    ) -> Result<R::Response, TransactionCause> {
        let node = Node::Id(self.find().await?);
        let timeout = self.cluster.request_timeout();
        let answer = self.cluster.call_up_to(newest, node, Lane::General, request, timeout).await;
        if answer.is_err() {
            self.set(None);
        }
        Ok(answer?)
    }

    /// What the code of an answer means for whoever asked.
    pub(super) fn check<R: Request>(&self, code: ErrorCode) -> Result<(), TransactionCause> {
        if matches!(
            code,
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::REQUEST_TIMED_OUT
        ) {
            self.set(None);
        }
        if code.is_none() { Ok(()) } else { Err(TransactionCause::Refused { key: R::KEY, code }) }
    }

    async fn find(&self) -> Result<BrokerId, TransactionCause> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known {
            return Ok(known);
        }
        let found = self.cluster.find_coordinator(&self.of).await?;
        self.set(Some(found));
        Ok(found)
    }

    fn set(&self, known: Option<BrokerId>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}
