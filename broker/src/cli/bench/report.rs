//! What was measured, for people and for programs.

use std::num::NonZeroU64;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::client;
use super::sender::Outcome;
use crate::cli::Error;
use crate::cli::error::note;
use crate::cli::output::{self, Output};

/// The quantiles that are told, with their names.
const QUANTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

/// What fell short of this share of the asked rate did not keep up.
const KEPT_UP: f64 = 0.95;

/// A measurement with its circumstances.
pub(super) struct Report {
    /// What was measured, for people.
    pub(super) title: String,
    /// The circumstances, for programs.
    pub(super) circumstances: Value,
    pub(super) outcome: Outcome,
    /// What a latency is, and the latencies; the first ones are those of the outcome.
    pub(super) latencies: Vec<(&'static str, Histogram<u64>)>,
}

impl Report {
    pub(super) fn show(&self, output: Output) -> Result<(), Error> {
        match output {
            Output::Json => Ok(output::json(&self.json())?),
            Output::Text => self.text(),
        }
    }

    fn text(&self) -> Result<(), Error> {
        let (tally, took) = (&self.outcome.tally, self.outcome.took);
        output::text(format_args!("{}\n", self.title))?;
        let row = [
            tally.records.to_string(),
            format!("{:.3}", took.as_secs_f64()),
            format!("{:.0}", per_second(tally.records, took)),
            format!("{:.2}", per_second(tally.bytes, took) / 1e6),
        ];
        output::table(&["records", "seconds", "records/s", "MB/s"], [row])?;
        output::text("")?;
        let headings: Vec<_> = ["milliseconds"].into_iter().chain(QUANTILES.map(|(name, _)| name)).collect();
        let quantiles = self.latencies.iter().map(|(what, latencies)| quantiles(what, latencies));
        output::table(&headings, quantiles)?;
        output::text("")?;
        Ok(output::table(&client::HEADINGS, [self.outcome.client.row()])?)
    }

    fn json(&self) -> Value {
        let (tally, took) = (&self.outcome.tally, self.outcome.took);
        let mut object = self.circumstances.clone();
        object["records"] = tally.records.into();
        object["bytes"] = tally.bytes.into();
        object["seconds"] = took.as_secs_f64().into();
        object["records_per_second"] = per_second(tally.records, took).into();
        object["client"] = self.outcome.client.json();
        object["bytes_per_second"] = per_second(tally.bytes, took).into();
        for (what, latencies) in &self.latencies {
            object[format!("{what}_ms")] = Value::Object(described(latencies));
        }
        object
    }

    /// Says where a rate was not kept: the figures are right, and are about an overload.
    pub(super) fn note_overload(&self, rate: Option<NonZeroU64>) {
        let Some(rate) = rate else { return };
        let reached = per_second(self.outcome.tally.records, self.outcome.took);
        if reached < rate.get() as f64 * KEPT_UP {
            note(format_args!(
                "{reached:.0} records a second are less than the {rate} that were asked for: latencies contain the wait"
            ));
        }
    }
}

fn per_second(count: u64, took: Duration) -> f64 {
    if took.is_zero() { 0.0 } else { count as f64 / took.as_secs_f64() }
}

fn quantiles(what: &str, latencies: &Histogram<u64>) -> Vec<String> {
    let values =
        QUANTILES.map(|(_, quantile)| format!("{:.3}", millis(latencies.value_at_quantile(quantile) as f64)));
    [what.to_owned()].into_iter().chain(values).collect()
}

fn described(latencies: &Histogram<u64>) -> Map<String, Value> {
    let ends = [("min", latencies.min() as f64), ("mean", latencies.mean())];
    let quantiles = QUANTILES.map(|(name, quantile)| (name, latencies.value_at_quantile(quantile) as f64));
    ends.into_iter().chain(quantiles).map(|(name, micros)| (name.to_owned(), json!(millis(micros)))).collect()
}

fn millis(micros: f64) -> f64 {
    micros / 1000.0
}
