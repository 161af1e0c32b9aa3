//! What a broker can do from which version of an API on.
//!
//! A field that a version lacks is left out when a request is written. Where that would change what the request means,
//! the operation names the feature that it needs, and fails before anything is sent.

use mainstem_protocol::ApiKey;

use crate::transport::TransportError;

/// Something that older brokers cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Feature {
    name: &'static str,
    key: ApiKey,
    version: i16,
    /// The first release of Kafka whose brokers have that version.
    release: &'static str,
}

impl Feature {
    /// KIP-518.
    pub(crate) const GROUPS_BY_STATE: Self =
        Self::new("listing groups by state", ApiKey::ListGroups, 4, "2.6");
    /// KIP-848.
    pub(crate) const GROUPS_BY_TYPE: Self = Self::new("listing groups by type", ApiKey::ListGroups, 5, "3.8");
    /// KIP-345.
    pub(crate) const REMOVAL_OF_STATIC_MEMBERS: Self =
        Self::new("removing members by their instance id", ApiKey::LeaveGroup, 3, "2.4");
    /// KIP-345. Older brokers would take a static member for one that comes and goes.
    pub(crate) const STATIC_MEMBERS: Self = Self::new("static members", ApiKey::JoinGroup, 5, "2.3");
    /// KIP-464.
    pub(crate) const COUNTS_OF_THE_BROKER: Self = Self::new(
        "creating a topic with the broker's own numbers of partitions and replicas",
        ApiKey::CreateTopics,
        4,
        "2.4",
    );
    /// KIP-848, which got them later.
    pub(crate) const SUBSCRIPTIONS_BY_PATTERN: Self =
        Self::new("subscriptions by pattern in such a group", ApiKey::ConsumerGroupHeartbeat, 1, "4.0");
    /// KIP-734.
    pub(crate) const LARGEST_TIMESTAMP: Self =
        Self::new("the offset of the largest timestamp", ApiKey::ListOffsets, 7, "3.0");

    /// KIP-447. Older brokers would take offsets from a member that is none any more.
    pub(crate) const MEMBERS_IN_TRANSACTIONS: Self =
        Self::new("committing a member's offsets in a transaction", ApiKey::TxnOffsetCommit, 3, "2.5");
    /// KIP-994.
    pub(crate) const TRANSACTIONS_BY_DURATION: Self =
        Self::new("listing transactions by how long they are open", ApiKey::ListTransactions, 1, "3.8");
    /// KIP-360.
    pub(crate) const NEXT_EPOCH: Self =
        Self::new("going on after a failed transaction", ApiKey::InitProducerId, 3, "2.5");

    const fn new(name: &'static str, key: ApiKey, version: i16, release: &'static str) -> Self {
        Self { name, key, version, release }
    }

    /// Whether a broker that is asked in `version` can do it.
    ///
    /// # Errors
    /// Where it cannot: the newest version that both ends speak is older.
    pub(crate) const fn require(self, version: i16) -> Result<(), TransportError> {
        if version >= self.version {
            return Ok(());
        }
        let Self { name: feature, key, version: needed, release } = self;
        Err(TransportError::TooOld { feature, key, needed, version, release })
    }
}
