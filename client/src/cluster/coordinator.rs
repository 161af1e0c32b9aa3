//! Finds the broker that keeps a group.

use std::time::Duration;

use mainstem_protocol::{
    BrokerId, ErrorCode, Text,
    messages::{FindCoordinatorRequest, FindCoordinatorResponse},
};

use super::{Cluster, MetadataError};
use crate::transport::{Lane, Node, TransportError};

/// Key type of groups in FindCoordinator.
const GROUP: i8 = 0;

/// Why the coordinator of a group is not known.
///
/// ```
/// use mainstem_client::{ErrorCode, cluster::CoordinatorError};
///
/// let error = CoordinatorError::Refused { group: "readers".into(), code: ErrorCode::COORDINATOR_NOT_AVAILABLE };
/// assert_eq!(error.to_string(), "coordinator of group readers was not found: COORDINATOR_NOT_AVAILABLE");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// No broker could be asked.
    #[error("coordinator of group {group} was not found: {source}")]
    Transport {
        /// The group.
        group: Text,
        /// What went wrong.
        source: TransportError,
    },
    /// The broker knows none.
    #[error("coordinator of group {group} was not found: {code}")]
    Refused {
        /// The group.
        group: Text,
        /// What the broker says.
        code: ErrorCode,
    },
}

impl CoordinatorError {
    /// Whether asking later may help.
    ///
    /// ```
    /// use mainstem_client::{ErrorCode, cluster::CoordinatorError};
    ///
    /// let code = ErrorCode::COORDINATOR_NOT_AVAILABLE;
    /// assert!(CoordinatorError::Refused { group: "readers".into(), code }.is_retriable());
    /// ```
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Transport { source, .. } => source.is_retriable(),
            Self::Refused { code, .. } => code.is_retriable(),
        }
    }
}

impl Cluster {
    /// The broker that coordinates a group; tried again until `limit` is over.
    ///
    /// # Errors
    /// Where none is found.
    ///
    /// # Cancel safety
    /// Dropped, at worst less is known than might be; it can be called again.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use std::time::Duration;
    /// use mainstem_client::{Cluster};
    ///
    /// let cluster = Cluster::new(transport.transport(), Duration::from_secs(5));
    /// let broker = cluster.coordinator(&"readers".into(), Duration::from_secs(5)).await?;
    /// println!("broker {broker} keeps the group");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn coordinator(&self, group: &Text, limit: Duration) -> Result<BrokerId, CoordinatorError> {
        let mut retry = self.retry(limit);
        loop {
            match self.find_coordinator(group).await {
                Err(error) if error.is_retriable() && retry.pause().await => {}
                found => return found,
            }
        }
    }

    async fn find_coordinator(&self, group: &Text) -> Result<BrokerId, CoordinatorError> {
        let refused = |code| CoordinatorError::Refused { group: group.clone(), code };
        let lost = |source| CoordinatorError::Transport { group: group.clone(), source };
        let asked = |version| request(group, version);
        let response = self.call_in_version(Node::Any, Lane::General, asked, self.request_timeout());
        let response = response.await.map_err(lost)?;
        let found = found(&response).map_err(refused)?;
        self.locate(found).await.map_err(|error| match error {
            MetadataError::Transport(source) => lost(source),
            other => refused(other.code().unwrap_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)),
        })?;
        Ok(found)
    }

    /// Sees to it that the transport has the address of a broker.
    async fn locate(&self, broker: BrokerId) -> Result<(), MetadataError> {
        if self.metadata().brokers().iter().any(|known| known.id == broker) {
            return Ok(());
        }
        self.refresh(&[], false).await
    }
}

/// From version 4 on, several keys may be asked for at once.
fn request(group: &Text, version: i16) -> FindCoordinatorRequest {
    let (key, coordinator_keys) =
        if version < 4 { (group.clone(), Vec::new()) } else { (Text::new(), vec![group.clone()]) };
    FindCoordinatorRequest { key, key_type: GROUP, coordinator_keys }
}

fn found(response: &FindCoordinatorResponse) -> Result<BrokerId, ErrorCode> {
    let (code, node) = match response.coordinators.first() {
        Some(coordinator) => (coordinator.error_code, coordinator.node_id),
        None => (response.error_code, response.node_id),
    };
    if code.is_none() { Ok(node) } else { Err(code) }
}
