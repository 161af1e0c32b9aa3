//! How records go to topics.

use std::{fmt, sync::Arc};

use mainstem_client::{Headers, PartitionId, Text};

use super::Stream;
use crate::{
    graph::{
        operator::node,
        sink::{Choose, Place, Sink},
    },
    record::Item,
    serdes::Serde,
    topology::{Kind, Make},
};

/// How a topic is written: the node's name, and who chooses the partition.
///
/// ```
/// use mainstem_client::{PartitionId, Text};
/// use mainstem_processor::{Output, StreamBuilder, TestDriver};
///
/// let builder = StreamBuilder::new("by-sign");
/// let output = Output::new().named("signs").partition_by(|_, number| PartitionId(i32::from(*number < 0)));
/// builder.stream::<Text, i64>("numbers").to_with("by-sign", output);
///
/// let mut driver = TestDriver::with_partitions(&builder.build()?, &[("by-sign", 2)])?;
/// for number in [7_i64, -7] {
///     driver.pipe("numbers", "k", number, 0)?;
/// }
/// let found = driver.read::<Text, i64>("by-sign")?;
/// let found: Vec<_> = found.iter().map(|record| (record.partition, record.value)).collect();
/// assert_eq!(found, [(Some(0), 7), (Some(1), -7)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Output<K, V> {
    name: Option<Text>,
    partition_by: Option<PartitionBy<K, V>>,
}

type PartitionBy<K, V> = Arc<dyn Fn(&K, &V) -> PartitionId + Send + Sync>;

impl<K: Serde, V: Serde> Output<K, V> {
    /// The node is named like the topic with `.sink` behind it, and the bytes of a key choose its partition as with every
    /// Kafka producer.
    #[must_use]
    pub fn new() -> Self {
        Self { name: None, partition_by: None }
    }

    /// Names the node.
    #[must_use]
    pub fn named(self, name: impl Into<Text>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Chooses the partition of each record. One that the topic has not ends the task.
    #[must_use]
    pub fn partition_by(self, of: impl Fn(&K, &V) -> PartitionId + Send + Sync + 'static) -> Self {
        Self { partition_by: Some(Arc::new(of)), ..self }
    }
}

impl<K: Serde, V: Serde> Default for Output<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> fmt::Debug for Output<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_partitioned = self.partition_by.is_some();
        f.debug_struct("Output").field("name", &self.name).field("partition_by", &is_partitioned).finish()
    }
}

impl<K: Serde, V: Serde> Stream<K, V> {
    /// Writes the records to a topic, as `output` says.
    pub fn to_with(&self, topic: impl Into<Text>, output: Output<K, V>) {
        let Output { name, partition_by } = output;
        let topic = topic.into();
        let name = name.unwrap_or_else(|| self.draft().free(&format!("{topic}.sink")));
        self.draft().check::<K, V>(&name);
        let to = topic.clone();
        let choose: Choose<Item<K, V>> = Arc::new(move |item| {
            let partition = partition_by.as_ref().map(|of| of(&item.key, &item.value));
            Place { topic: to.clone(), partition }
        });
        self.sink(name, Kind::Sink { topic, is_repartition: false }, choosing(choose));
    }

    /// Writes each record to the topic that `topic` says by its key, value and headers. The topics must be there; `name` is
    /// that of the node.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("by-country");
    /// let orders = builder.stream::<Text, Text>("orders");
    /// orders.to_topics("countries", |country, _, _| Text::from(format!("orders-{country}")));
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("orders", "at", "tea", 0)?;
    /// driver.pipe("orders", "fr", "jam", 0)?;
    /// assert_eq!(driver.read::<Text, Text>("orders-fr")?[0].value, "jam");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_topics(
        &self,
        name: impl Into<Text>,
        topic: impl Fn(&K, &V, &Headers) -> Text + Send + Sync + 'static,
    ) {
        let name = name.into();
        self.draft().check::<K, V>(&name);
        let choose: Choose<Item<K, V>> = Arc::new(move |item| {
            let topic = topic(&item.key, &item.value, &item.headers);
            Place { topic, partition: None }
        });
        self.sink(name, Kind::Sinks, choosing(choose));
    }
}

fn choosing<K: Serde, V: Serde>(choose: Choose<Item<K, V>>) -> Make {
    Arc::new(move |_| node(Sink::choosing(Arc::clone(&choose))))
}
