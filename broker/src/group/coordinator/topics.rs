//! The topics as groups see them.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use mainstem_protocol::TopicId;
use mainstem_storage::store::Topics;

use super::Coordinator;
use crate::group::modern::Catalogue;

/// The topics of one moment, with a number that tells them from those of another.
pub(super) struct TopicView {
    topics: Arc<Topics>,
    version: u64,
}

/// Numbers the images of all topics.
#[derive(Debug, Default)]
pub(super) struct TopicVersions(Mutex<(Weak<Topics>, u64)>);

impl TopicVersions {
    fn of(&self, topics: &Arc<Topics>) -> u64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is referred to, however weakly, is not put anywhere else: another image has another place.
        if last.0.as_ptr() != Arc::as_ptr(topics) {
            *last = (Arc::downgrade(topics), last.1 + 1);
        }
        last.1
    }
}

impl Coordinator {
    pub(super) fn topic_view(&self) -> TopicView {
        let topics = self.0.log.store().topics();
        let version = self.0.topics.of(&topics);
        TopicView { topics, version }
    }
}

impl Catalogue for TopicView {
    fn version(&self) -> u64 {
        self.version
    }

    fn topic(&self, name: &str) -> Option<(TopicId, u32)> {
        self.topics.named(name).map(|topic| (topic.id, topic.partitions.len() as u32))
    }

    fn each_name(&self, found: &mut dyn FnMut(&str)) {
        self.topics.iter().for_each(|topic| found(&topic.name));
    }
}
