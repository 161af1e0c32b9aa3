//! Everything that is exported, as numbers of one moment: what the page at `/` is made of.

use std::collections::{BTreeMap, HashMap};

use prometheus::proto::{Metric, MetricFamily, MetricType};

/// The values of every series at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    families: HashMap<String, Vec<Series>>,
}

#[derive(Clone, Debug)]
struct Series {
    labels: Vec<(String, String)>,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Number(f64),
    Histogram(Histogram),
}

/// How many observations lie at or below each bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Upper bounds with cumulative counts, rising.
    pub buckets: Vec<(f64, u64)>,
    /// Observations, those above the last bound included.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

impl Sample {
    pub(super) fn new(families: Vec<MetricFamily>) -> Self {
        let family = |mut family: MetricFamily| {
            let kind = family.get_field_type();
            let series = family.take_metric().into_iter().map(|metric| Series::new(metric, kind)).collect();
            (family.name().to_owned(), series)
        };
        Self { families: families.into_iter().map(family).collect() }
    }

    /// The sum over all series of a counter or gauge; 0 where there is none.
    #[must_use]
    pub fn number(&self, name: &str) -> f64 {
        self.of(name).map(Series::number).sum()
    }

    /// A counter or gauge by the values of these labels, added up over the others.
    #[must_use]
    pub fn by<const N: usize>(&self, name: &str, labels: [&str; N]) -> BTreeMap<[&str; N], f64> {
        let mut sums = BTreeMap::new();
        for series in self.of(name) {
            let values = labels.map(|label| series.label(label).unwrap_or_default());
            *sums.entry(values).or_default() += series.number();
        }
        sums
    }

    /// A histogram without labels.
    #[must_use]
    pub fn histogram(&self, name: &str) -> Histogram {
        self.of(name).find_map(Series::histogram).cloned().unwrap_or_default()
    }

    /// A histogram by the values of its label.
    #[must_use]
    pub fn histograms(&self, name: &str, label: &str) -> BTreeMap<&str, &Histogram> {
        self.of(name).filter_map(|series| Some((series.label(label)?, series.histogram()?))).collect()
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &Series> {
        self.families.get(name).into_iter().flatten()
    }
}

impl Series {
    fn new(mut metric: Metric, kind: MetricType) -> Self {
        let value = match kind {
            MetricType::HISTOGRAM => Value::Histogram(Histogram::new(metric.get_histogram())),
            MetricType::COUNTER => Value::Number(metric.get_counter().get_value()),
            _ => Value::Number(metric.get_gauge().get_value()),
        };
        let pair = |pair: prometheus::proto::LabelPair| (pair.name().to_owned(), pair.value().to_owned());
        Self { labels: metric.take_label().into_iter().map(pair).collect(), value }
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    fn number(&self) -> f64 {
        match &self.value {
            Value::Number(number) => *number,
            Value::Histogram(histogram) => histogram.count as f64,
        }
    }

    const fn histogram(&self) -> Option<&Histogram> {
        match &self.value {
            Value::Number(_) => None,
            Value::Histogram(histogram) => Some(histogram),
        }
    }
}

impl Histogram {
    fn new(of: &prometheus::proto::Histogram) -> Self {
        let bucket = |bucket: &prometheus::proto::Bucket| (bucket.upper_bound(), bucket.cumulative_count());
        Self {
            buckets: of.get_bucket().iter().map(bucket).collect(),
            count: of.get_sample_count(),
            sum: of.get_sample_sum(),
        }
    }

    /// What was observed since `earlier`, of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |at: usize| earlier.buckets.get(at).map_or(0, |(_, count)| *count);
        let buckets = self.buckets.iter().enumerate();
        Self {
            buckets: buckets.map(|(at, (bound, count))| (*bound, count.saturating_sub(before(at)))).collect(),
            count: self.count.saturating_sub(earlier.count),
            sum: self.sum - earlier.sum,
        }
    }

    /// The value below which the share `q` (0 to 1) of the observations lies, guessed within its bucket as PromQL's
    /// `histogram_quantile` does; none where nothing was observed.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = q * self.count as f64;
        let found = self.buckets.iter().position(|(_, count)| *count as f64 >= rank && *count > 0);
        match found {
            _ if self.count == 0 => None,
            None => self.buckets.last().map(|(bound, _)| *bound),
            Some(at) => Some(self.within(at, rank)),
        }
    }

    fn within(&self, at: usize, rank: f64) -> f64 {
        let (low, below) = if at == 0 { (0.0, 0) } else { self.buckets[at - 1] };
        let (high, upto) = self.buckets[at];
        let share = if upto == below { 1.0 } else { (rank - below as f64) / (upto - below) as f64 };
        low + (high - low) * share
    }

    /// The average; none where nothing was observed.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstem_protocol::{ApiKey, Timestamp};
    use mainstem_storage::ManualClock;

    use super::super::Metrics;
    use super::*;

    fn histogram(counts: &[u64]) -> Histogram {
        let bounds = [1.0, 2.0, 4.0];
        let buckets: Vec<_> = bounds.into_iter().zip(counts.iter().copied()).collect();
        Histogram { buckets, count: *counts.last().unwrap(), sum: 0.0 }
    }

    #[test]
    fn a_sample_holds_what_a_scrape_shows() {
        let metrics = Metrics::new(&ManualClock::new(Timestamp(0)));
        metrics.topics.of("a").produced(3, 30);
        metrics.topics.of("b").produced(4, 40);
        metrics.requests.of(ApiKey::Produce).answered(Duration::from_millis(2), 1, 1);
        let sample = metrics.sample();
        assert_eq!(sample.number("mainstem_topic_records_in_total"), 7.0);
        assert_eq!(sample.by("mainstem_topic_bytes_in_total", ["topic"])[&["b"]], 40.0);
        assert_eq!(sample.histograms("mainstem_request_seconds", "api")["Produce"].count, 1);
        assert_eq!(sample.number("mainstem_of_another"), 0.0);
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let histogram = histogram(&[0, 10, 20, 20]);
        assert_eq!(histogram.quantile(0.5), Some(2.0));
        assert_eq!(histogram.quantile(0.75), Some(3.0));
        assert_eq!(histogram.quantile(1.0), Some(4.0));
    }

    #[test]
    fn a_quantile_above_the_last_bound_is_that_bound() {
        assert_eq!(histogram(&[0, 0, 1, 10]).quantile(0.9), Some(4.0));
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(histogram(&[0, 0, 0, 0]).quantile(0.5), None);
    }

    #[test]
    fn what_was_before_does_not_count() {
        let since = histogram(&[5, 10, 20, 20]).since(&histogram(&[5, 5, 5, 5]));
        assert_eq!(since.buckets, [(1.0, 0), (2.0, 5), (4.0, 15)]);
        assert_eq!(since.count, 15);
    }
}
