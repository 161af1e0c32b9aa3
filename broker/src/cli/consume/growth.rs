//! Partitions that come while a topic is read, and topics that match: a group hears of them by itself, whoever reads
//! without one has to look.

use mainstem_client::consumer::Consumer;
use mainstem_client::{Admin, OffsetSpec};
use tokio::time::{Duration, Instant, timeout};

use super::subject::Subject;

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long an answer may take; meanwhile nothing is printed.
const ANSWER: Duration = Duration::from_secs(1);

/// What may grow.
pub(super) struct Growth {
    admin: Admin,
    subject: Subject,
    looked_at: Instant,
}

impl Growth {
    pub(super) fn new(admin: Admin, subject: Subject) -> Self {
        Self { admin, subject, looked_at: Instant::now() }
    }

    /// Has the consumer read new partitions, from their first record on: wherever it began, all of them are newer. A topic
    /// that cannot be looked at is looked at again later.
    pub(super) async fn follow(&mut self, consumer: &mut Consumer) {
        if self.looked_at.elapsed() < INTERVAL {
            return;
        }
        let looked = timeout(ANSWER, self.subject.partitions(&self.admin, &[])).await;
        self.looked_at = Instant::now();
        let Ok(Ok(all)) = looked else { return };
        let known = consumer.assignment();
        let added: Vec<_> = all.into_iter().filter(|partition| !known.contains(partition)).collect();
        if !added.is_empty() {
            consumer.assign(known.into_iter().chain(added.iter().cloned()));
            added.iter().for_each(|partition| consumer.seek_to(partition, OffsetSpec::Earliest));
        }
    }
}
