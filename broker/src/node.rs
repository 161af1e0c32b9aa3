//! What the APIs of this node work with.

use std::{fmt, sync::Arc};

use mainstem_protocol::{BrokerId, Text, TopicId};
use mainstem_storage::{Clock, Partition, Store, Visible, store::Topic};

use crate::{config::Live, fetch_session::FetchSessions, group::Coordinator, metrics::Metrics, transaction};

/// The node: its log, its groups, its clock, its settings.
pub struct Node {
    /// The log.
    pub store: Arc<Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Every setting.
    pub config: Arc<Live>,
    /// Consumer groups.
    pub groups: Coordinator,
    /// Transactions.
    pub transactions: transaction::Coordinator,
    /// Fetch sessions.
    pub(crate) fetch_sessions: FetchSessions,
    /// What is counted.
    pub metrics: Metrics,
}

impl Node {
    /// This broker's number.
    #[must_use]
    pub fn id(&self) -> BrokerId {
        self.store.identity().node_id
    }

    /// The cluster's identity.
    #[must_use]
    pub fn cluster_id(&self) -> Text {
        self.store.identity().cluster_id.as_str().into()
    }

    /// What readers may see of a partition now.
    pub(crate) fn visible(&self, partition: &Partition) -> Visible {
        partition.visible(&self.store.cut())
    }

    /// Brings everything up to date with settings that were altered.
    pub(crate) fn follow_settings(&self) {
        let now = self.config.follow(self.id(), || self.store.resources());
        self.store.set_producer_expiration(now.storage.producer_id_expiration);
        self.store.set_cleaner_options(now.storage.cleaner());
    }

    /// The topic of an id; none for the id that names no topic.
    pub(crate) fn topic_of_id(&self, id: TopicId) -> Option<Arc<Topic>> {
        self.store.topics().get(id).cloned()
    }

    /// The topic that a request names, by its name or, where that is empty, by its id.
    pub(crate) fn topic(&self, name: &str, id: TopicId) -> Option<Arc<Topic>> {
        let topics = self.store.topics();
        let found = if id == TopicId::ZERO { topics.named(name) } else { topics.get(id) };
        found.cloned()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("config", &self.config).finish_non_exhaustive()
    }
}
