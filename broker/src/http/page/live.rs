//! What the page shows, as JSON: rates over the last seconds, and what `/metrics` shows as it is now.

use std::collections::BTreeMap;

use mainstem_storage::Clock;
use serde::Serialize;

use super::span::Span;
use crate::http::Readiness;

/// All of it. Rates are per second, times are in seconds, sizes in bytes.
#[derive(Debug, Serialize)]
pub(super) struct Live<'a> {
    broker: Broker<'a>,
    rates: Rates,
    requests: Vec<Requests<'a>>,
    journal: Journal,
    disk: Disk,
    process: Process,
    topics: Vec<Topic<'a>>,
    groups: Vec<Group<'a>>,
    processors: Vec<Processor<'a>>,
}

#[derive(Debug, Serialize)]
struct Broker<'a> {
    version: &'a str,
    uptime_seconds: f64,
    /// Why it does not serve clients, if it does not.
    not_ready: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Rates {
    /// Over how many seconds all rates of the document are taken.
    over_seconds: f64,
    records_in: f64,
    records_out: f64,
    bytes_in: f64,
    bytes_out: f64,
    requests: f64,
    errors: f64,
}

#[derive(Debug, Serialize)]
struct Requests<'a> {
    api: &'a str,
    rate: f64,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    errors: f64,
}

#[derive(Debug, Serialize)]
struct Journal {
    syncs: f64,
    p50: Option<f64>,
    p99: Option<f64>,
    /// Append groups that a sync served, on average.
    groups_per_sync: Option<f64>,
    bytes_per_sync: Option<f64>,
    used_bytes: f64,
    max_bytes: f64,
}

#[derive(Debug, Serialize)]
struct Disk {
    free_bytes: f64,
    size_bytes: f64,
}

#[derive(Debug, Serialize)]
struct Process {
    connections: f64,
    memory_bytes: f64,
    /// Processors that are busy with it, on average.
    cpus: f64,
    threads: f64,
    open_files: f64,
}

#[derive(Debug, Serialize)]
struct Topic<'a> {
    name: &'a str,
    partitions: f64,
    records_in: f64,
    records_out: f64,
    bytes_in: f64,
    bytes_out: f64,
    size_bytes: f64,
}

#[derive(Debug, Default, Serialize)]
struct Group<'a> {
    name: &'a str,
    members: f64,
    lag: f64,
    partitions: Vec<PartitionLag<'a>>,
}

#[derive(Debug, Serialize)]
struct PartitionLag<'a> {
    topic: &'a str,
    partition: u32,
    lag: f64,
}

#[derive(Debug, Serialize)]
struct Processor<'a> {
    name: &'a str,
    records_in: f64,
    records_out: f64,
    commits: f64,
    /// Since the broker started.
    late_drops: f64,
    watermark_delay: f64,
    /// How many tasks are in each state; states that none is in are left out.
    tasks: BTreeMap<&'a str, f64>,
    /// What has come in and waits to be merged.
    buffered_records: f64,
    buffered_bytes: f64,
    nodes: Vec<Node<'a>>,
}

#[derive(Debug, Serialize)]
struct Node<'a> {
    name: &'a str,
    records_in: f64,
    records_out: f64,
    late_drops: f64,
    errors: f64,
}

impl<'a> Live<'a> {
    pub(super) fn new(span: &'a Span, clock: &dyn Clock, readiness: &Readiness) -> Self {
        Self {
            broker: Broker::new(span, clock, readiness),
            rates: Rates::new(span),
            requests: requests(span),
            journal: Journal::new(span),
            disk: Disk {
                free_bytes: span.now("mainstem_disk_free_bytes"),
                size_bytes: span.now("mainstem_disk_size_bytes"),
            },
            process: Process::new(span),
            topics: topics(span),
            groups: groups(span),
            processors: processors(span),
        }
    }
}

impl Broker<'_> {
    fn new(span: &Span, clock: &dyn Clock, readiness: &Readiness) -> Self {
        let started = span.now("mainstem_process_start_time_seconds");
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: (clock.now().0 as f64 / 1000.0 - started).max(0.0),
            not_ready: readiness.why_not(),
        }
    }
}

impl Rates {
    fn new(span: &Span) -> Self {
        Self {
            over_seconds: span.seconds(),
            records_in: span.rate("mainstem_topic_records_in_total"),
            records_out: span.rate("mainstem_topic_records_out_total"),
            bytes_in: span.rate("mainstem_topic_bytes_in_total"),
            bytes_out: span.rate("mainstem_topic_bytes_out_total"),
            requests: span.rate("mainstem_request_seconds"),
            errors: span.rate("mainstem_request_errors_total"),
        }
    }
}

fn requests(span: &Span) -> Vec<Requests<'_>> {
    let errors = span.rates("mainstem_request_errors_total", ["api"]);
    span.requests()
        .into_iter()
        .map(|(api, seconds)| Requests {
            api,
            rate: span.per_second(seconds.count as f64),
            p50: seconds.quantile(0.5),
            p95: seconds.quantile(0.95),
            p99: seconds.quantile(0.99),
            errors: value(&errors, &[api]),
        })
        .collect()
}

impl Journal {
    fn new(span: &Span) -> Self {
        let seconds = span.histogram("mainstem_journal_sync_seconds");
        Self {
            syncs: span.per_second(seconds.count as f64),
            p50: seconds.quantile(0.5),
            p99: seconds.quantile(0.99),
            groups_per_sync: span.histogram("mainstem_journal_sync_groups").mean(),
            bytes_per_sync: span.histogram("mainstem_journal_sync_bytes").mean(),
            used_bytes: span.now("mainstem_journal_bytes_used"),
            max_bytes: span.now("mainstem_journal_bytes_max"),
        }
    }
}

impl Process {
    fn new(span: &Span) -> Self {
        let number = |name: &str| span.now(name);
        Self {
            connections: number("mainstem_connections"),
            memory_bytes: number("mainstem_process_resident_memory_bytes"),
            cpus: span.rate("mainstem_process_cpu_seconds_total"),
            threads: number("mainstem_process_threads"),
            open_files: number("mainstem_process_open_fds"),
        }
    }
}

/// Every topic that there is: one that nobody uses has no counters yet.
fn topics(span: &Span) -> Vec<Topic<'_>> {
    let rates = |name: &str| span.rates(name, ["topic"]);
    let records_in = rates("mainstem_topic_records_in_total");
    let records_out = rates("mainstem_topic_records_out_total");
    let bytes_in = rates("mainstem_topic_bytes_in_total");
    let bytes_out = rates("mainstem_topic_bytes_out_total");
    let sizes = span.now.sample.by("mainstem_topic_log_bytes", ["topic"]);
    let all = span.now.sample.by("mainstem_topic_partitions", ["topic"]).into_iter();
    all.map(|(topic, partitions)| Topic {
        name: topic[0],
        partitions,
        records_in: value(&records_in, &topic),
        records_out: value(&records_out, &topic),
        bytes_in: value(&bytes_in, &topic),
        bytes_out: value(&bytes_out, &topic),
        size_bytes: value(&sizes, &topic),
    })
    .collect()
}

/// Every group that has members or committed offsets.
fn groups(span: &Span) -> Vec<Group<'_>> {
    let sample = &span.now.sample;
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for ([name], members) in sample.by("mainstem_group_members", ["group"]) {
        groups.entry(name).or_default().members = members;
    }
    for ([name, topic, partition], lag) in sample.by("mainstem_group_lag", ["group", "topic", "partition"]) {
        let group = groups.entry(name).or_default();
        group.lag += lag;
        group.partitions.push(PartitionLag { topic, partition: partition.parse().unwrap_or_default(), lag });
    }
    // Labels are sorted as text: 10 would stand before 2.
    groups.values_mut().for_each(|group| group.partitions.sort_by_key(|lag| (lag.topic, lag.partition)));
    groups.into_iter().map(|(name, group)| Group { name, ..group }).collect()
}

fn processors(span: &Span) -> Vec<Processor<'_>> {
    let label = ["processor"];
    let records_out = span.rates("mainstem_processor_records_out_total", label);
    let commits = span.rates("mainstem_processor_commits_total", label);
    let late_drops = span.now.sample.by("mainstem_processor_late_drops_total", label);
    let delays = span.now.sample.by("mainstem_processor_watermark_delay_seconds", label);
    let buffered_records = span.now.sample.by("mainstem_processor_buffered_input_records", label);
    let buffered_bytes = span.now.sample.by("mainstem_processor_buffered_input_bytes", label);
    let (mut nodes, mut tasks) = (nodes(span), tasks(span));
    let all = span.rates("mainstem_processor_records_in_total", label).into_iter();
    all.map(|(name, records_in)| Processor {
        name: name[0],
        records_in,
        records_out: value(&records_out, &name),
        commits: value(&commits, &name),
        late_drops: value(&late_drops, &name),
        watermark_delay: value(&delays, &name),
        tasks: tasks.remove(name[0]).unwrap_or_default(),
        buffered_records: value(&buffered_records, &name),
        buffered_bytes: value(&buffered_bytes, &name),
        nodes: nodes.remove(name[0]).unwrap_or_default(),
    })
    .collect()
}

/// How many tasks of each processor are in each state that any is in.
fn tasks(span: &Span) -> BTreeMap<&str, BTreeMap<&str, f64>> {
    let mut tasks: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for ([processor, state], count) in span.now.sample.by("mainstem_processor_tasks", ["processor", "state"])
    {
        if count > 0.0 {
            tasks.entry(processor).or_default().insert(state, count);
        }
    }
    tasks
}

/// The nodes of each processor, by name.
fn nodes(span: &Span) -> BTreeMap<&str, Vec<Node<'_>>> {
    let labels = ["processor", "node"];
    let records_out = span.rates("mainstem_processor_node_records_out_total", labels);
    let late_drops = span.now.sample.by("mainstem_processor_node_late_drops_total", labels);
    let errors = span.now.sample.by("mainstem_processor_node_errors_total", labels);
    let mut nodes: BTreeMap<&str, Vec<Node<'_>>> = BTreeMap::new();
    for (node, records_in) in span.rates("mainstem_processor_node_records_in_total", labels) {
        nodes.entry(node[0]).or_default().push(Node {
            name: node[1],
            records_in,
            records_out: value(&records_out, &node),
            late_drops: value(&late_drops, &node),
            errors: value(&errors, &node),
        });
    }
    nodes
}

fn value<const N: usize>(of: &BTreeMap<[&str; N], f64>, labels: &[&str; N]) -> f64 {
    of.get(labels).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use mainstem_protocol::{ApiKey, ErrorCode, PartitionId, Timestamp};
    use mainstem_storage::ManualClock;
    use serde_json::{Value, json};

    use super::super::span::Moment;
    use super::*;
    use crate::metrics::{GroupLag, Metrics, Snapshot, TopicSize};

    /// What is shown of ten seconds in which `happens` happens.
    fn shown(happens: impl FnOnce(&Metrics)) -> Value {
        let clock = ManualClock::new(Timestamp(1_000_000));
        let metrics = Metrics::new(&clock);
        let before = Arc::new(Moment { at: Duration::ZERO, sample: metrics.sample() });
        happens(&metrics);
        clock.advance(Duration::from_secs(10));
        let now = Arc::new(Moment { at: Duration::from_secs(10), sample: metrics.sample() });
        let readiness = Readiness::default();
        serde_json::to_value(Live::new(&Span { before, now }, &clock, &readiness)).unwrap()
    }

    #[test]
    fn a_fresh_broker_has_nothing_to_show_and_says_why_it_is_not_ready() {
        let live = shown(|_| {});
        assert_eq!(live["broker"]["not_ready"], "recovering");
        assert_eq!(live["broker"]["uptime_seconds"], 10.0);
        for list in ["requests", "topics", "groups", "processors"] {
            assert_eq!(live[list], json!([]), "{list}");
        }
        assert_eq!(live["journal"]["p99"], Value::Null);
    }

    #[test]
    fn a_topic_has_its_size_and_its_rates() {
        let live = shown(|metrics| {
            metrics.topics.of("orders").produced(50, 1000);
            let size = TopicSize { topic: "orders".to_owned(), partitions: 6, bytes: 900 };
            metrics.ask(move || Snapshot { topic_sizes: vec![size.clone()], ..Snapshot::default() });
        });
        let topic = &live["topics"][0];
        assert_eq!(topic["name"], "orders");
        assert_eq!((&topic["partitions"], &topic["size_bytes"]), (&json!(6.0), &json!(900.0)));
        assert_eq!((&topic["records_in"], &topic["bytes_in"]), (&json!(5.0), &json!(100.0)));
    }

    #[test]
    fn a_group_is_as_far_behind_as_all_its_partitions() {
        let lag = |partition, records| GroupLag {
            group: "billing".to_owned(),
            topic: "orders".to_owned(),
            partition: PartitionId(partition),
            records,
        };
        let lags = vec![lag(10, 5), lag(2, 7)];
        let live = shown(|metrics| {
            metrics.ask(move || Snapshot { group_lags: lags.clone(), ..Snapshot::default() });
        });
        assert_eq!(live["groups"][0]["lag"], 12.0);
        assert_eq!(live["groups"][0]["partitions"][0]["partition"], 2);
    }

    #[test]
    fn requests_have_percentiles_and_errors() {
        let live = shown(|metrics| {
            (0..20)
                .for_each(|_| metrics.requests.of(ApiKey::Produce).answered(Duration::from_millis(2), 1, 1));
            metrics.requests.failed(ApiKey::Produce, ErrorCode::CORRUPT_MESSAGE);
        });
        let produce = &live["requests"][0];
        assert_eq!((&produce["api"], &produce["rate"]), (&json!("Produce"), &json!(2.0)));
        assert_eq!(produce["errors"], 0.1);
        assert!((0.001..=0.0025).contains(&produce["p99"].as_f64().unwrap()), "{produce}");
    }

    #[test]
    fn a_processor_shows_its_tasks_by_state_and_what_waits_for_them() {
        use crate::metrics::TaskState;
        let live = shown(|metrics| {
            let processor = metrics.processors.of("counter");
            let states = [TaskState::Running, TaskState::Failed, TaskState::Running];
            states
                .iter()
                .zip(["0_0", "0_1", "0_2"])
                .for_each(|(state, task)| processor.task_is(task, *state));
            processor.task_buffers("0_0", 12, 3400);
        });
        let processor = &live["processors"][0];
        assert_eq!(processor["tasks"], json!({ "failed": 1.0, "running": 2.0 }));
        let buffered = (&processor["buffered_records"], &processor["buffered_bytes"]);
        assert_eq!(buffered, (&json!(12.0), &json!(3400.0)));
    }

    #[test]
    fn a_processor_shows_its_nodes_and_what_was_late() {
        let live = shown(|metrics| {
            let processor = metrics.processors.of("counter");
            processor.took(100);
            processor.dropped_late(3);
            let counts = crate::metrics::NodeCounts { records_in: 100, ..Default::default() };
            processor.passed("parse", counts);
        });
        let processor = &live["processors"][0];
        assert_eq!((&processor["records_in"], &processor["late_drops"]), (&json!(10.0), &json!(3.0)));
        assert_eq!(processor["nodes"][0]["name"], "parse");
        assert_eq!(processor["nodes"][0]["records_in"], 10.0);
    }
}
