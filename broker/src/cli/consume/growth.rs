//! Partitions that a topic gets while it is read: a group hears of them by itself, whoever reads without one has to look.

use mainstem_client::consumer::Consumer;
use mainstem_client::{Admin, OffsetSpec, TopicPartition};
use tokio::time::{Duration, Instant, timeout};

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long an answer may take; meanwhile nothing is printed.
const ANSWER: Duration = Duration::from_secs(1);

/// A topic that may grow.
pub(super) struct Growth {
    admin: Admin,
    topic: String,
    looked_at: Instant,
}

impl Growth {
    pub(super) fn new(admin: Admin, topic: String) -> Self {
        Self { admin, topic, looked_at: Instant::now() }
    }

    /// Has the consumer read new partitions, from their first record on: wherever it began, all of them are newer. A topic
    /// that cannot be looked at is looked at again later.
    pub(super) async fn follow(&mut self, consumer: &mut Consumer) {
        if self.looked_at.elapsed() < INTERVAL {
            return;
        }
        let looked = timeout(ANSWER, self.admin.describe_topic(&self.topic)).await;
        self.looked_at = Instant::now();
        let Ok(Ok(topic)) = looked else { return };
        let known = consumer.assignment();
        let all = topic.partitions.iter().map(|each| TopicPartition::new(self.topic.as_str(), each.id.0));
        let added: Vec<_> = all.filter(|partition| !known.contains(partition)).collect();
        if !added.is_empty() {
            consumer.assign(known.into_iter().chain(added.iter().cloned()));
            added.iter().for_each(|partition| consumer.seek_to(partition, OffsetSpec::Earliest));
        }
    }
}
