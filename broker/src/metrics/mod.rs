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
mod cleaner;
mod connections;
mod fetch_sessions;
mod groups;
mod journal;
mod process;
mod processor_tasks;
mod processors;
mod reference;
mod register;
mod requests;
mod sample;
mod snapshot;
mod topics;
mod transactions;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use mainstem_storage::Clock;
use prometheus::TextEncoder;

use reference::Description;
use register::Registry;

pub use connections::Connections;
pub use fetch_sessions::FetchSessions;
pub use journal::Journal;
pub use processor_tasks::{ProcessorTask, State as TaskState, TaskStore};
pub use processors::{NodeCounts, Processor, Processors};
pub use requests::{Api, Requests};
pub use sample::{Histogram, Sample};
pub use snapshot::{DiskSpace, GroupLag, GroupSize, Snapshot, TopicSize};
pub use topics::{Topic, Topics};
pub use transactions::Transactions;

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
    /// Fetch sessions.
    pub fetch_sessions: Arc<FetchSessions>,
    /// Transactions.
    pub transactions: Arc<Transactions>,
    /// Processors beside the log.
    pub processors: Arc<Processors>,
    scrape: Arc<Scrape>,
}

struct Scrape {
    registry: prometheus::Registry,
    described: Vec<Description>,
    process: process::Process,
    snapshot: snapshot::Gauges,
    source: ArcSwapOption<Source>,
    /// Held while gauges are set anew and read, so that nobody reads half of them.
    gathering: Mutex<()>,
}

type Source = Box<dyn Fn() -> Snapshot + Send + Sync>;

impl Metrics {
    /// Counts from zero; the process started now.
    pub fn new(clock: &dyn Clock) -> Self {
        let registry = Registry::default();
        let requests = Arc::new(Requests::new(&registry));
        let connections = Arc::new(Connections::new(&registry));
        let topics = Arc::new(Topics::new(&registry));
        let journal = Arc::new(Journal::new(&registry));
        let fetch_sessions = Arc::new(FetchSessions::new(&registry));
        let transactions = Arc::new(Transactions::new(&registry));
        let processors = Arc::new(Processors::new(&registry));
        let process = process::Process::new(&registry, clock.now());
        let snapshot = snapshot::Gauges::new(&registry);
        let (registry, described) = registry.finish();
        let source = ArcSwapOption::empty();
        let scrape =
            Arc::new(Scrape { registry, described, process, snapshot, source, gathering: Mutex::default() });
        Self { requests, connections, topics, journal, fetch_sessions, transactions, processors, scrape }
    }

    /// What is exported, as `docs/metrics.md` has it.
    #[must_use]
    pub fn reference(&self) -> String {
        reference::markdown(&self.scrape.described)
    }

    /// The names of everything that is exported.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.scrape.described.iter().map(|described| described.name.as_str())
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
        TextEncoder::new().encode_to_string(&self.gather(self.scrape.source.load_full()))
    }

    /// All of it as numbers. Blocks as [`Metrics::render`] does.
    #[must_use]
    pub fn sample(&self) -> Sample {
        Sample::new(self.gather(self.scrape.source.load_full()))
    }

    /// As [`Metrics::sample`], but what is known anyway is as of the last time that it was asked for: cheap enough for
    /// every second.
    #[must_use]
    pub fn sample_counted(&self) -> Sample {
        Sample::new(self.gather(None))
    }

    fn gather(&self, source: Option<Arc<Source>>) -> Vec<prometheus::proto::MetricFamily> {
        let Scrape { registry, process, snapshot, gathering, .. } = &*self.scrape;
        let _gathering = gathering.lock().unwrap_or_else(PoisonError::into_inner);
        process.refresh();
        if let Some(source) = source {
            snapshot.show(source());
        }
        registry.gather()
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
    use mainstem_storage::{ManualClock, store::CleanerStats};

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
        let sizes = vec![TopicSize { topic: "access-log".to_owned(), partitions: 3, bytes: 4096 }];
        metrics.ask(move || Snapshot {
            partitions: 3,
            group_lags: group_lags.clone(),
            topic_sizes: sizes.clone(),
            ..Snapshot::default()
        });
        assert_shows(&metrics, "mainstem_topic_log_bytes{topic=\"access-log\"} 4096");
        assert_shows(&metrics, "mainstem_partitions 3");
        assert_shows(&metrics, "mainstem_group_lag{group=\"demo\",partition=\"0\",topic=\"access-log\"} 7");
        metrics.ask(Snapshot::default);
        assert!(!metrics.render().unwrap().contains("demo"));
    }

    #[test]
    fn topics_above_the_cap_have_their_sizes_added_up() {
        let metrics = metrics();
        let size = |n: usize| TopicSize { topic: format!("topic-{n}"), partitions: 1, bytes: 10 };
        metrics.ask(move || Snapshot {
            topic_sizes: (0..caps::TOPICS_MAX + 2).map(size).collect(),
            ..Snapshot::default()
        });
        assert_shows(&metrics, "mainstem_topic_log_bytes{topic=\"(others)\"} 20");
        assert_shows(&metrics, "mainstem_topic_partitions{topic=\"(others)\"} 2");
    }

    #[test]
    fn what_the_cleaner_did_is_told_at_every_scrape() {
        let metrics = metrics();
        let stats = CleanerStats {
            passes: 3,
            bytes_freed: 4096,
            last_run: Some(Timestamp(1500)),
            dirtiest_ratio: 0.25,
            ..CleanerStats::default()
        };
        metrics.ask(move || Snapshot { cleaner: stats.clone(), ..Snapshot::default() });
        for _ in 0..2 {
            assert_shows(&metrics, "mainstem_cleaner_passes_total 3");
            assert_shows(&metrics, "mainstem_cleaner_freed_bytes_total 4096");
            assert_shows(&metrics, "mainstem_cleaner_last_pass_timestamp_seconds 1.5");
            assert_shows(&metrics, "mainstem_cleaner_dirtiest_ratio 0.25");
        }
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
    fn a_processors_nodes_are_counted_by_name() {
        let metrics = metrics();
        let counts = NodeCounts {
            records_in: 9,
            records_out: 7,
            late_drops: 2,
            errors: 14,
            skipped: 3,
            bad_times: 4,
            dead_lettered: 2,
            keyless: 1,
            valueless: 4,
            lateness: Duration::from_millis(1500),
            lateness_max: Duration::from_secs(1),
        };
        metrics.processors.of("demo").passed("parse", counts);
        let labels = "{node=\"parse\",processor=\"demo\"}";
        assert_shows(&metrics, &format!("mainstem_processor_node_records_in_total{labels} 9"));
        assert_shows(&metrics, &format!("mainstem_processor_node_records_out_total{labels} 7"));
        assert_shows(&metrics, &format!("mainstem_processor_node_late_drops_total{labels} 2"));
        assert_shows(&metrics, &format!("mainstem_processor_node_errors_total{labels} 14"));
        assert_shows(&metrics, &format!("mainstem_processor_node_record_lateness_seconds_total{labels} 1.5"));
        assert_shows(&metrics, &format!("mainstem_processor_node_record_lateness_max_seconds{labels} 1"));
        let causes = [
            ("late", 2),
            ("malformed", 3),
            ("bad_time", 4),
            ("dead_letter", 2),
            ("no_key", 1),
            ("no_value", 4),
        ];
        for (cause, records) in causes {
            let labels = format!("{{cause=\"{cause}\",node=\"parse\",processor=\"demo\"}}");
            assert_shows(
                &metrics,
                &format!("mainstem_processor_node_dropped_records_total{labels} {records}"),
            );
        }
    }

    #[test]
    fn tasks_and_their_stores_have_series_of_their_own() {
        let metrics = metrics();
        let task = metrics.processors.of("demo").task("0_3").unwrap();
        task.committed(Duration::from_millis(1500));
        task.committed(Duration::from_millis(500));
        task.waits_for(7);
        task.watermark_is_behind(Duration::from_secs(4));
        task.is_held_back(Duration::from_millis(2500), 9);
        let store = task.store("counts").unwrap();
        store.holds(12, 345);
        store.restored(10, 20);
        let labels = "{processor=\"demo\",task=\"0_3\"}";
        assert_shows(&metrics, &format!("mainstem_processor_task_commits_total{labels} 2"));
        assert_shows(&metrics, &format!("mainstem_processor_task_commit_seconds_total{labels} 2"));
        assert_shows(&metrics, &format!("mainstem_processor_task_commit_max_seconds{labels} 1.5"));
        assert_shows(&metrics, &format!("mainstem_processor_task_input_lag_records{labels} 7"));
        assert_shows(&metrics, &format!("mainstem_processor_task_watermark_delay_seconds{labels} 4"));
        assert_shows(&metrics, &format!("mainstem_processor_task_held_back_seconds{labels} 2.5"));
        assert_shows(&metrics, &format!("mainstem_processor_task_held_back_records{labels} 9"));
        let labels = "{processor=\"demo\",store=\"counts\",task=\"0_3\"}";
        assert_shows(&metrics, &format!("mainstem_processor_store_entries{labels} 12"));
        assert_shows(&metrics, &format!("mainstem_processor_store_bytes{labels} 345"));
        assert_shows(&metrics, &format!("mainstem_processor_store_restored_records_total{labels} 10"));
        assert_shows(&metrics, &format!("mainstem_processor_store_restore_remaining_records{labels} 20"));
    }

    #[test]
    fn tasks_are_counted_by_what_they_do() {
        let metrics = metrics();
        let processor = metrics.processors.of("demo");
        processor.task_is("0_0", TaskState::Running);
        processor.task_is("0_1", TaskState::Running);
        processor.task_is("0_0", TaskState::Failed);
        assert_shows(&metrics, "mainstem_processor_tasks{processor=\"demo\",state=\"running\"} 1");
        assert_shows(&metrics, "mainstem_processor_tasks{processor=\"demo\",state=\"failed\"} 1");
        assert_shows(&metrics, "mainstem_processor_failed_attempts_total{processor=\"demo\"} 1");
    }

    #[test]
    fn what_waits_is_added_up_over_the_tasks_of_a_processor() {
        let metrics = metrics();
        let processor = metrics.processors.of("demo");
        processor.task_buffers("0_0", 10, 1000);
        processor.task_buffers("0_1", 5, 70);
        processor.task_buffers("0_0", 1, 100);
        assert_shows(&metrics, "mainstem_processor_buffered_input_records{processor=\"demo\"} 6");
        assert_shows(&metrics, "mainstem_processor_buffered_input_bytes{processor=\"demo\"} 170");
    }

    #[test]
    fn tasks_and_stores_above_their_caps_have_no_series() {
        let metrics = metrics();
        let processor = metrics.processors.of("demo");
        let tasks: Vec<_> = (0..caps::TASKS_MAX).map(|n| processor.task(&format!("0_{n}"))).collect();
        assert!(tasks.iter().all(Option::is_some));
        assert!(processor.task("1_0").is_none());
        assert!(metrics.processors.of("other").task("0_0").is_none());
        let task = processor.task("0_0").unwrap();
        assert!((0..caps::TASK_STORES_MAX).all(|n| task.store(&format!("store-{n}")).is_some()));
        assert!(task.store("one-more").is_none());
    }

    #[test]
    fn nodes_above_the_cap_are_counted_together() {
        let metrics = metrics();
        let processor = metrics.processors.of("demo");
        let counts = NodeCounts { records_in: 1, ..NodeCounts::default() };
        (0..caps::NODES_MAX + 2).for_each(|n| processor.passed(&format!("node-{n}"), counts));
        let others = "mainstem_processor_node_records_in_total{node=\"(others)\",processor=\"demo\"} 2";
        assert_shows(&metrics, others);
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
