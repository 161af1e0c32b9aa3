//! Metrics in the text form of Prometheus (exposition format 0.0.4).

use std::fmt::{self, Write};

use super::{Latency, Metrics};

impl Metrics {
    /// All of it for Prometheus. `client` tells one client of a process from another: it becomes the label `client_id`.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Producer, ProducerConfig, ProducerRecord};
    ///
    /// let producer = Producer::new(&transport, ProducerConfig::default());
    /// producer.send(ProducerRecord::new("greetings").value("hello")).await?.await?;
    /// let text = producer.metrics().prometheus("billing");
    /// assert!(text.contains("mainstem_client_record_send_total{client_id=\"billing\"} 1\n"));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn prometheus(&self, client: &str) -> String {
        let mut page = Page { text: String::new(), client: escaped(client) };
        // A string takes whatever is written to it.
        let _ = page.write_all(self);
        page.text
    }
}

/// Label values escape three characters.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

struct Page {
    text: String,
    client: String,
}

impl Page {
    fn write_all(&mut self, metrics: &Metrics) -> fmt::Result {
        let Metrics { traffic, requests, errors, retries, produced, consumed } = metrics;
        for (name, kind, value) in [
            ("connection_count", "gauge", traffic.connections),
            ("connection_creation_total", "counter", traffic.connections_created),
            ("connection_failure_total", "counter", traffic.connections_failed),
            ("outgoing_byte_total", "counter", traffic.outgoing_bytes),
            ("incoming_byte_total", "counter", traffic.incoming_bytes),
            ("retry_total", "counter", *retries),
            ("record_send_total", "counter", produced.records),
            ("record_error_total", "counter", produced.records_failed),
            ("batch_send_total", "counter", produced.batches),
            ("batch_retry_total", "counter", produced.batches_retried),
            ("batch_byte_total", "counter", produced.bytes),
            ("batch_uncompressed_byte_total", "counter", produced.uncompressed_bytes),
            ("records_consumed_total", "counter", consumed.records),
            ("bytes_consumed_total", "counter", consumed.bytes),
            ("rebalance_total", "counter", consumed.rebalances),
        ] {
            self.head(name, kind)?;
            self.sample(name, "", value)?;
        }
        self.head("request_error_total", "counter")?;
        for (code, count) in errors {
            self.sample("request_error_total", &format!(",code=\"{code}\""), *count)?;
        }
        self.head("records_lag", "gauge")?;
        for (partition, lag) in &consumed.lag {
            self.sample("records_lag", &format!(",partition=\"{}\"", escaped(partition)), *lag)?;
        }
        self.head("record_queue_time_seconds", "histogram")?;
        self.histogram("record_queue_time_seconds", "", &produced.queue_time)?;
        self.head("request_latency_seconds", "histogram")?;
        for (api, latency) in requests {
            self.histogram("request_latency_seconds", &format!(",api=\"{api}\""), latency)?;
        }
        Ok(())
    }

    fn head(&mut self, name: &str, kind: &str) -> fmt::Result {
        writeln!(self.text, "# TYPE mainstem_client_{name} {kind}")
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl fmt::Display) -> fmt::Result {
        let client = &self.client;
        writeln!(self.text, "mainstem_client_{name}{{client_id=\"{client}\"{labels}}} {value}")
    }

    fn histogram(&mut self, name: &str, labels: &str, latency: &Latency) -> fmt::Result {
        let mut below = 0;
        for (bucket, count) in latency.buckets.iter().enumerate() {
            below += count;
            let bound = Latency::bound(bucket);
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
            self.sample(&format!("{name}_bucket"), &format!("{labels},le=\"{bound}\""), below)?;
        }
        let sum = std::time::Duration::from_micros(latency.sum_us).as_secs_f64();
        self.sample(&format!("{name}_sum"), labels, sum)?;
        self.sample(&format!("{name}_count"), labels, latency.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_sample_of_a_metric_whose_type_was_told() {
        let mut metrics = Metrics::default();
        metrics.errors.insert("NOT_COORDINATOR".to_owned(), 3);
        metrics.consumed.lag.insert("t-0".to_owned(), 7);
        metrics.requests.insert("Fetch", Latency { count: 1, sum_us: 1500, ..Latency::default() });
        let text = metrics.prometheus("a\"b");
        let mut typed = Vec::new();
        for line in text.lines() {
            match line.strip_prefix("# TYPE ") {
                Some(told) => typed.push(told.split(' ').next().unwrap().to_owned()),
                None => {
                    let (name, rest) = line.split_once('{').unwrap();
                    assert!(typed.iter().any(|known| name.starts_with(known.as_str())), "{line}");
                    assert!(rest.starts_with("client_id=\"a\\\"b\"") && rest.contains("} "), "{line}");
                }
            }
        }
        for expected in [
            "code=\"NOT_COORDINATOR\"} 3",
            "partition=\"t-0\"} 7",
            "_sum{client_id=\"a\\\"b\",api=\"Fetch\"} 0.0015",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
