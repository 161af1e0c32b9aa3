//! Bytes and records by topic.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use prometheus::{IntCounter, IntCounterVec};

use super::caps::TOPICS_MAX;
use super::register::{Registry, counters};

/// Where the topics above the cap are counted.
pub(super) const OTHERS: &str = "(others)";

/// Bytes and records of every topic.
#[derive(Debug)]
pub struct Topics {
    families: Families,
    others: Arc<Topic>,
    known: ArcSwap<HashMap<String, Arc<Topic>>>,
    /// Held while a topic is added or forgotten; readers never wait for it.
    changing: Mutex<()>,
}

/// Bytes and records of one topic.
#[derive(Debug)]
pub struct Topic {
    records_in: IntCounter,
    bytes_in: IntCounter,
    records_out: IntCounter,
    bytes_out: IntCounter,
}

#[derive(Debug)]
struct Families {
    records_in: IntCounterVec,
    bytes_in: IntCounterVec,
    records_out: IntCounterVec,
    bytes_out: IntCounterVec,
}

impl Topics {
    pub(super) fn new(registry: &Registry) -> Self {
        let families = Families::new(registry);
        let others = Arc::new(families.topic(OTHERS));
        Self { families, others, known: ArcSwap::default(), changing: Mutex::default() }
    }

    /// The counters of the topic `name`.
    pub fn of(&self, name: &str) -> Arc<Topic> {
        self.known.load().get(name).cloned().unwrap_or_else(|| self.add(name))
    }

    /// The topic is gone, and what was counted for it.
    pub fn forget(&self, name: &str) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = HashMap::clone(&self.known.load());
        if known.remove(name).is_some() {
            self.families.forget(name);
            self.known.store(Arc::new(known));
        }
    }

    fn add(&self, name: &str) -> Arc<Topic> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known.load();
        if let Some(topic) = known.get(name) {
            return topic.clone();
        }
        if known.len() >= TOPICS_MAX {
            return self.others.clone();
        }
        let topic = Arc::new(self.families.topic(name));
        let mut known = HashMap::clone(&known);
        known.insert(name.to_owned(), topic.clone());
        self.known.store(Arc::new(known));
        topic
    }
}

impl Topic {
    /// Records were appended.
    pub fn produced(&self, records: u64, bytes: u64) {
        self.records_in.inc_by(records);
        self.bytes_in.inc_by(bytes);
    }

    /// Records were sent to a consumer.
    pub fn fetched(&self, records: u64, bytes: u64) {
        self.records_out.inc_by(records);
        self.bytes_out.inc_by(bytes);
    }
}

impl Families {
    fn new(registry: &Registry) -> Self {
        let family = |name: &str, help: &str| counters(registry, name, help, &["topic"]);
        Self {
            records_in: family("mainstem_topic_records_in_total", "Records appended, by topic"),
            bytes_in: family("mainstem_topic_bytes_in_total", "Bytes of batches appended, by topic"),
            records_out: family(
                "mainstem_topic_records_out_total",
                "Records sent to consumers, by topic; offsets that compaction has emptied count as well",
            ),
            bytes_out: family(
                "mainstem_topic_bytes_out_total",
                "Bytes of batches sent to consumers, by topic",
            ),
        }
    }

    fn topic(&self, name: &str) -> Topic {
        let Self { records_in, bytes_in, records_out, bytes_out } = self;
        Topic {
            records_in: records_in.with_label_values(&[name]),
            bytes_in: bytes_in.with_label_values(&[name]),
            records_out: records_out.with_label_values(&[name]),
            bytes_out: bytes_out.with_label_values(&[name]),
        }
    }

    fn forget(&self, name: &str) {
        for family in [&self.records_in, &self.bytes_in, &self.records_out, &self.bytes_out] {
            // Only a name that was never counted is unknown, and then there is nothing to forget.
            let _ = family.remove_label_values(&[name]);
        }
    }
}
