//! What is counted, behind typed handles.
//!
//! Nobody else names the `prometheus` crate. A component holds a handle ([`Api`], [`Topic`], [`Journal`] ...) and calls a
//! small method of it; looking a handle up costs an index or one hash, counting costs an atomic addition, and nothing is
//! counted per record. What is known anyway (partitions, journal bytes, group lag) is not counted at all: it is asked for
//! at each scrape, through [`Metrics::ask`].
//!
//! Every label that users may invent has a cap ([`caps`]); what is above goes to the label value `(others)`, which no
//! topic can have for a name.

pub mod caps;
mod connections;
mod groups;
mod journal;
mod process;
mod processors;
mod register;
mod requests;
mod snapshot;
mod topics;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use mainstem_storage::Clock;
use prometheus::{Registry, TextEncoder};

pub use connections::Connections;
pub use journal::Journal;
pub use processors::{Processor, Processors};
pub use requests::{Api, Requests};
pub use snapshot::{GroupLag, Snapshot};
pub use topics::{Topic, Topics};

/// Everything that is counted. Clones count the same.
#[derive(Clone)]
pub struct Metrics {
    /// Requests by API.
    pub requests: Arc<Requests>,
    /// Connections of Kafka clients.
    pub connections: Arc<Connections>,
    /// Bytes and records by topic.
    pub topics: Arc<Topics>,
    /// The journal's syncs.
    pub journal: Arc<Journal>,
    /// Processors beside the log.
    pub processors: Arc<Processors>,
    scrape: Arc<Scrape>,
}

struct Scrape {
    registry: Registry,
    process: process::Process,
    snapshot: snapshot::Gauges,
    source: ArcSwapOption<Source>,
}

type Source = Box<dyn Fn() -> Snapshot + Send + Sync>;

impl Metrics {
    /// Counts from zero; the process started now.
    pub fn new(clock: &dyn Clock) -> Self {
        let registry = Registry::new();
        Self {
            requests: Arc::new(Requests::new(&registry)),
            connections: Arc::new(Connections::new(&registry)),
            topics: Arc::new(Topics::new(&registry)),
            journal: Arc::new(Journal::new(&registry)),
            processors: Arc::new(Processors::new(&registry)),
            scrape: Arc::new(Scrape {
                process: process::Process::new(&registry, clock.now()),
                snapshot: snapshot::Gauges::new(&registry),
                source: ArcSwapOption::empty(),
                registry,
            }),
        }
    }

    /// Asks `source` at each scrape from now on for what is known anyway. It may take a while, but not wait.
    pub fn ask(&self, source: impl Fn() -> Snapshot + Send + Sync + 'static) {
        self.scrape.source.store(Some(Arc::new(Box::new(source))));
    }

    /// All of it in Prometheus's text format. Blocks on `/proc` and on the source.
    ///
    /// # Errors
    /// A metric cannot be written, which would be a mistake here.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let Scrape { registry, process, snapshot, source } = &*self.scrape;
        process.refresh();
        if let Some(source) = source.load_full() {
            snapshot.show(&source());
        }
        TextEncoder::new().encode_to_string(&registry.gather())
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstem_protocol::{ApiKey, PartitionId, Timestamp};
    use mainstem_storage::ManualClock;

    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(&ManualClock::new(Timestamp(1_700_000_000_000)))
    }

    #[track_caller]
    fn assert_shows(metrics: &Metrics, line: &str) {
        let text = metrics.render().unwrap();
        assert!(text.lines().any(|shown| shown == line), "no {line} in:\n{text}");
    }

    #[test]
    fn every_name_begins_with_mainstem() {
        let text = metrics().render().unwrap();
        let stray = text.lines().find(|line| !line.starts_with('#') && !line.starts_with("mainstem_"));
        assert_eq!(stray, None);
    }

    #[test]
    fn requests_are_counted_by_api() {
        let metrics = metrics();
        metrics.requests.of(ApiKey::Fetch).answered(Duration::from_millis(3), 100, 2000);
        assert_shows(&metrics, "mainstem_request_seconds_count{api=\"Fetch\"} 1");
        assert_shows(&metrics, "mainstem_request_bytes_sum{api=\"Fetch\"} 100");
        assert_shows(&metrics, "mainstem_response_bytes_sum{api=\"Fetch\"} 2000");
    }

    #[test]
    fn bytes_and_records_are_counted_by_topic() {
        let metrics = metrics();
        metrics.topics.of("access-log").produced(10, 1000);
        metrics.topics.of("access-log").fetched(3, 300);
        assert_shows(&metrics, "mainstem_topic_records_in_total{topic=\"access-log\"} 10");
        assert_shows(&metrics, "mainstem_topic_bytes_in_total{topic=\"access-log\"} 1000");
        assert_shows(&metrics, "mainstem_topic_records_out_total{topic=\"access-log\"} 3");
        assert_shows(&metrics, "mainstem_topic_bytes_out_total{topic=\"access-log\"} 300");
    }

    #[test]
    fn topics_above_the_cap_are_counted_together() {
        let metrics = metrics();
        (0..caps::TOPICS_MAX + 2).for_each(|n| metrics.topics.of(&format!("topic-{n}")).produced(1, 1));
        assert_shows(&metrics, "mainstem_topic_records_in_total{topic=\"(others)\"} 2");
    }

    #[test]
    fn a_deleted_topic_is_forgotten() {
        let metrics = metrics();
        metrics.topics.of("gone").produced(1, 1);
        metrics.topics.forget("gone");
        assert!(!metrics.render().unwrap().contains("gone"));
    }

    #[test]
    fn what_is_known_anyway_is_asked_for_at_each_scrape() {
        let metrics = metrics();
        let lag = |group: &str| GroupLag {
            group: group.to_owned(),
            topic: "access-log".to_owned(),
            partition: PartitionId(0),
            records: 7,
        };
        let group_lags = vec![lag("demo")];
        metrics.ask(move || Snapshot {
            partitions: 3,
            group_lags: group_lags.clone(),
            ..Snapshot::default()
        });
        assert_shows(&metrics, "mainstem_partitions 3");
        assert_shows(&metrics, "mainstem_group_lag{group=\"demo\",partition=\"0\",topic=\"access-log\"} 7");
        metrics.ask(Snapshot::default);
        assert!(!metrics.render().unwrap().contains("demo"));
    }

    #[test]
    fn a_sync_is_counted_with_what_it_served() {
        let metrics = metrics();
        metrics.journal.synced(Duration::from_micros(500), 12, 65_536);
        assert_shows(&metrics, "mainstem_journal_sync_seconds_count 1");
        assert_shows(&metrics, "mainstem_journal_sync_groups_sum 12");
        assert_shows(&metrics, "mainstem_journal_sync_bytes_sum 65536");
    }

    #[test]
    fn the_process_tells_its_memory_and_start() {
        let metrics = metrics();
        assert_shows(&metrics, "mainstem_process_start_time_seconds 1700000000");
        let text = metrics.render().unwrap();
        let resident =
            text.lines().find_map(|line| line.strip_prefix("mainstem_process_resident_memory_bytes "));
        assert!(resident.unwrap().parse::<f64>().unwrap() > 100_000.0);
    }
}
