//! The image of all topics: replaced as a whole, read without a lock.

use std::{collections::HashMap, sync::Arc};

use mainstem_protocol::{PartitionId, TopicId};

use crate::{
    config::{Overrides, TopicConfig},
    partition::Partition,
};

/// All topics of one moment.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    by_id: HashMap<TopicId, Arc<Topic>>,
    by_name: HashMap<String, TopicId>,
}

/// A topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its identity: another one when it is created again.
    pub id: TopicId,
    /// Its name.
    pub name: String,
    /// Whether the last value of each key is kept in memory.
    pub keyed: bool,
    /// What it sets of its own.
    pub overrides: Overrides,
    /// All its settings.
    pub config: Arc<TopicConfig>,
    /// Its partitions, by number.
    pub partitions: Vec<Arc<Partition>>,
}

impl Topic {
    /// One of its partitions.
    #[must_use]
    pub fn partition(&self, id: PartitionId) -> Option<&Arc<Partition>> {
        usize::try_from(id.0).ok().and_then(|at| self.partitions.get(at))
    }
}

impl Topics {
    /// By identity.
    #[must_use]
    pub fn get(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// By name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name).and_then(|id| self.get(*id))
    }

    /// All, in no order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Topic>> {
        self.by_id.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// All, in the order of their identities.
    pub(crate) fn sorted(&self) -> Vec<Arc<Topic>> {
        let mut topics: Vec<_> = self.iter().cloned().collect();
        topics.sort_unstable_by_key(|topic| topic.id);
        topics
    }

    pub(crate) fn insert(&mut self, topic: Topic) {
        self.by_name.insert(topic.name.clone(), topic.id);
        self.by_id.insert(topic.id, Arc::new(topic));
    }

    pub(crate) fn remove(&mut self, id: TopicId) -> Option<Arc<Topic>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&topic.name);
        Some(topic)
    }
}
