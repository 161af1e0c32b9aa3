//! Finds the broker that keeps a group, or the state of transactions.

use std::{fmt, time::Duration};

use mainstem_protocol::{
    BrokerId, ErrorCode, Text,
    messages::{FindCoordinatorRequest, FindCoordinatorResponse},
};

use super::{Cluster, MetadataError};
use crate::transport::{Lane, Node, TransportError};

/// What one broker of the cluster keeps.
///
/// ```
/// use mainstem_client::cluster::Coordinated;
///
/// assert_eq!(Coordinated::Group("readers".into()).to_string(), "group readers");
/// assert_eq!(Coordinated::Transactions("billing-1".into()).to_string(), "transactional id billing-1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Coordinated {
    /// A group.
    Group(Text),
    /// The transactions of a transactional id.
    Transactions(Text),
}

impl Coordinated {
    const fn key(&self) -> &Text {
        match self {
            Self::Group(key) | Self::Transactions(key) => key,
        }
    }

    /// The type of the key in FindCoordinator (Kafka: `CoordinatorType`).
    const fn key_type(&self) -> i8 {
        match self {
            Self::Group(_) => 0,
            Self::Transactions(_) => 1,
        }
    }
}

impl fmt::Display for Coordinated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id) => write!(f, "group {id}"),
            Self::Transactions(id) => write!(f, "transactional id {id}"),
        }
    }
}

/// Why a coordinator is not known.
///
/// ```
/// use mainstem_client::{ErrorCode, cluster::{Coordinated, CoordinatorError}};
///
/// let of = Box::new(Coordinated::Group("readers".into()));
/// let error = CoordinatorError::Refused { of, code: ErrorCode::COORDINATOR_NOT_AVAILABLE };
/// assert_eq!(error.to_string(), "coordinator of group readers was not found: COORDINATOR_NOT_AVAILABLE");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// No broker could be asked.
    #[error("coordinator of {of} was not found: {source}")]
    Transport {
        /// What it is to keep.
        of: Box<Coordinated>,
        /// What went wrong.
        source: TransportError,
    },
    /// The broker knows none.
    #[error("coordinator of {of} was not found: {code}")]
    Refused {
        /// What it is to keep.
        of: Box<Coordinated>,
        /// What the broker says.
        code: ErrorCode,
    },
}

impl CoordinatorError {
    /// Whether asking later may help.
    ///
    /// ```
    /// use mainstem_client::{ErrorCode, cluster::{Coordinated, CoordinatorError}};
    ///
    /// let (of, code) = (Box::new(Coordinated::Group("readers".into())), ErrorCode::COORDINATOR_NOT_AVAILABLE);
    /// assert!(CoordinatorError::Refused { of, code }.is_retriable());
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
        self.coordinator_of(&Coordinated::Group(group.clone()), limit).await
    }

    /// The broker that keeps a group or transactions; tried again until `limit` is over.
    pub(crate) async fn coordinator_of(
        &self,
        of: &Coordinated,
        limit: Duration,
    ) -> Result<BrokerId, CoordinatorError> {
        let mut retry = self.retry(limit);
        loop {
            match self.find_coordinator(of).await {
                Err(error) if error.is_retriable() && retry.pause().await => {}
                found => return found,
            }
        }
    }

    /// The same, asked once.
    pub(crate) async fn find_coordinator(&self, of: &Coordinated) -> Result<BrokerId, CoordinatorError> {
        let refused = |code| CoordinatorError::Refused { of: Box::new(of.clone()), code };
        let lost = |source| CoordinatorError::Transport { of: Box::new(of.clone()), source };
        let asked = |version| request(of, version);
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
fn request(of: &Coordinated, version: i16) -> FindCoordinatorRequest {
    let key = of.key().clone();
    let (key, coordinator_keys) = if version < 4 { (key, Vec::new()) } else { (Text::new(), vec![key]) };
    FindCoordinatorRequest { key, key_type: of.key_type(), coordinator_keys }
}

fn found(response: &FindCoordinatorResponse) -> Result<BrokerId, ErrorCode> {
    let (code, node) = match response.coordinators.first() {
        Some(coordinator) => (coordinator.error_code, coordinator.node_id),
        None => (response.error_code, response.node_id),
    };
    if code.is_none() { Ok(node) } else { Err(code) }
}
