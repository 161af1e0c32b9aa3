//! What a consumer has done, in numbers.

use super::Consumer;
use crate::metrics::Metrics;

impl Consumer {
    /// What this consumer has done so far, and how far behind the ends it is in what it reads.
    ///
    /// ```
    /// # mainstem_client::testing::example(async |transport| {
    /// use mainstem_client::{Consumer, ConsumerConfig, TopicPartition, consumer::OffsetReset};
    ///
    /// let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    /// let mut consumer = Consumer::new(&transport, config);
    /// consumer.assign([TopicPartition::new("greetings", 0)]);
    /// consumer.next().await?;
    /// assert_eq!(consumer.metrics().consumed.lag["greetings-0"], 1);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let mut metrics = self.cluster.metrics();
        let lags = self.assignment().into_iter().filter_map(|partition| {
            let (position, end) = (self.position(&partition)?, self.high_watermark(&partition)?);
            Some((partition.to_string(), (end.0 - position.0).max(0)))
        });
        metrics.consumed.lag.extend(lags);
        metrics
    }
}
