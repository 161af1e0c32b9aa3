//! The reference of what is exported, made of what was registered.

use std::fmt::Write;

const HEAD: &str = "\
# Metrics

`GET /metrics` on the HTTP port (`http.listener`) answers with these, in Prometheus's text format. The page at `/` and the
dashboards in `deploy/grafana` show the same ones.

Labels whose values users make up have a cap: 1,000 topics, 1,000 processors and 200 nodes of each have series of their own,
what is above is counted under `(others)`; 2,000 tasks of processors have series, with those of 32 stores each; of groups at most
1,000 are shown, of lags 10,000. A histogram `NAME` has the series `NAME_bucket` (with the
label `le`), `NAME_sum` and `NAME_count`.

<!-- Made by `mainstem reference metrics`; change the help in broker/src/metrics. -->
";

/// What a metric does with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric, as whoever made it described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) labels: Vec<String>,
    pub(super) help: String,
}

/// What users of Kafka Streams look for.
const KAFKA_STREAMS: &str = "
Kafka Streams has these figures under other names. Its rates are `rate()` of a counter here, its averages the quotient of two.

| Kafka Streams | here |
|---|---|
| `process-rate`, `process-total` of a node | `mainstem_processor_node_records_in_total` |
| `dropped-records-total` | `mainstem_processor_node_dropped_records_total`, by cause |
| `record-lateness-avg`, `-max` | `mainstem_processor_node_record_lateness_seconds_total` over records in, `mainstem_processor_node_record_lateness_max_seconds` |
| `commit-total` | `mainstem_processor_task_commits_total` |
| `commit-latency-avg`, `-max` | `mainstem_processor_task_commit_seconds_total` over commits, `mainstem_processor_task_commit_max_seconds` |
| `records-lag` of its consumers | `mainstem_processor_task_input_lag_records`; `mainstem_group_lag` by partition |
| `input-buffer-bytes-total` | `mainstem_processor_buffered_input_bytes` |
| `restore-total`, `restore-remaining-records-total` | `mainstem_processor_store_restored_records_total`, `mainstem_processor_store_restore_remaining_records` |
| `estimate-num-keys`, `total-sst-files-size` of a store | `mainstem_processor_store_entries`, `mainstem_processor_store_bytes` |
| `alive-stream-threads`, `failed-stream-threads` | `mainstem_processor_tasks`, `mainstem_processor_failed_attempts_total` |
";

/// The sections of the reference, each with the words behind `mainstem_` that belong there.
const SECTIONS: [(&str, &[&str]); 11] = [
    ("Requests", &["request", "requests", "response"]),
    ("Connections", &["connection", "connections"]),
    ("Topics", &["topic", "topics", "partitions"]),
    ("Fetch sessions", &["fetch"]),
    ("Consumer groups", &["group", "groups"]),
    ("Transactions", &["transaction", "transactional"]),
    ("Processors", &["processor"]),
    ("The journal", &["journal"]),
    ("Compaction", &["cleaner"]),
    ("The disk", &["disk"]),
    ("The process", &["process", "build"]),
];

/// The reference as Markdown.
pub(super) fn markdown(described: &[Description]) -> String {
    let mut text = HEAD.to_owned();
    for (heading, words) in SECTIONS {
        let columns = "| name | type | labels | unit | what it tells |\n|---|---|---|---|---|";
        // Writing into a string cannot fail.
        let _ = write!(text, "\n## {heading}\n\n{columns}\n");
        for description in described.iter().filter(|of| words.contains(&of.subject())) {
            let _ = writeln!(text, "{}", description.row());
        }
        if heading == "Processors" {
            text.push_str(KAFKA_STREAMS);
        }
    }
    text
}

impl Description {
    /// The word behind `mainstem_`.
    fn subject(&self) -> &str {
        self.name.split('_').nth(1).unwrap_or_default()
    }

    fn row(&self) -> String {
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<_> = self.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {kind} | {} | {} | {} |", self.name, labels.join(", "), self.unit(), self.help)
    }

    /// By Prometheus's rules a name bears its unit; what has none counts things.
    fn unit(&self) -> &'static str {
        let bears = |unit: &str| self.name.split('_').any(|word| word == unit);
        match self.name.as_str() {
            "mainstem_group_lag" => "records",
            "mainstem_build_info" => "always 1",
            _ if bears("ratio") => "0 to 1",
            _ if bears("seconds") => "seconds",
            _ if bears("bytes") => "bytes",
            _ if bears("records") || bears("drops") => "records",
            _ => "count",
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::Timestamp;
    use mainstem_storage::ManualClock;

    use super::super::Metrics;

    #[test]
    fn the_committed_reference_is_fresh() {
        let committed = include_str!("../../../docs/metrics.md");
        let fresh = Metrics::new(&ManualClock::new(Timestamp(0))).reference();
        assert!(committed == fresh, "run: cargo run -- reference metrics > docs/metrics.md");
    }

    #[test]
    fn every_metric_has_its_row() {
        let metrics = Metrics::new(&ManualClock::new(Timestamp(0)));
        let reference = metrics.reference();
        let missing: Vec<_> =
            metrics.names().filter(|name| !reference.contains(&format!("| `{name}` |"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
