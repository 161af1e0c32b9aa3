//! Records in and out of an embedded broker.

use std::collections::{BTreeMap, HashMap};

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, PartitionId, Producer, ProducerConfig, ProducerRecord, Record, Text,
    TopicPartition, Transport,
    consumer::{OffsetReset, Polled},
};
use mainstem_processor::{Serde, TestRecord, testing::Encode};
use tokio::time::{Instant, timeout_at};

use super::{EmbeddedBroker, ReadError, WriteError};
use crate::caps::{EMBEDDED_PATIENCE, EMBEDDED_READ_RECORDS_MAX};

impl EmbeddedBroker {
    /// Writes records into a topic, each into its partition or into that of its key, and waits until they are acknowledged.
    ///
    /// # Errors
    /// Where one of them cannot be written.
    pub async fn produce<K: Encode, V: Encode>(
        &self,
        topic: &str,
        records: &[TestRecord<K, V>],
    ) -> Result<(), WriteError> {
        let topic = Text::from(topic);
        let producer = Producer::new(self.transport.as_ref(), ProducerConfig::default());
        let mut tickets = Vec::with_capacity(records.len());
        for record in records {
            tickets.push(producer.send(encoded(&topic, record)?).await?);
        }
        producer.flush().await;
        for ticket in tickets {
            ticket.receipt().await?;
        }
        Ok(())
    }

    /// Where topics end now. A topology that is run with [`InputEnd::At`](mainstem_processor::InputEnd::At) these works through
    /// all that is there, and its handle's `ended` says when it has.
    ///
    /// # Errors
    /// Where there is no such topic.
    pub async fn ends(&self, topics: &[&str]) -> Result<HashMap<TopicPartition, Offset>, ReadError> {
        let mut ends = HashMap::new();
        for topic in topics {
            let reader = Reader::open(self.transport.as_ref(), topic).await?;
            ends.extend(reader.consumer.end_offsets(&reader.partitions).await?);
        }
        Ok(ends)
    }

    /// All records that a topic has now, partition by partition, each in the order of its log. At most a million.
    ///
    /// # Errors
    /// Where there is no such topic, or keys or values are something else.
    pub async fn read<K: Serde, V: Serde>(&self, topic: &str) -> Result<Vec<TestRecord<K, V>>, ReadError> {
        let mut reader = Reader::open(self.transport.as_ref(), topic).await?;
        let ends = reader.consumer.end_offsets(&reader.partitions).await?;
        while !reader.has_reached(&ends) {
            reader.step().await?;
        }
        reader.decoded()
    }

    /// As [`Self::read`], once a topic has at least so many records. They are waited for half a minute at most.
    ///
    /// # Errors
    /// As [`Self::read`], and where they do not come.
    pub async fn wait_for<K: Serde, V: Serde>(
        &self,
        topic: &str,
        records: usize,
    ) -> Result<Vec<TestRecord<K, V>>, ReadError> {
        let mut reader = Reader::open(self.transport.as_ref(), topic).await?;
        let end = Instant::now() + EMBEDDED_PATIENCE;
        while reader.count() < records {
            match timeout_at(end, reader.step()).await {
                Ok(read) => read?,
                Err(_) => return Err(reader.late(records)),
            }
        }
        reader.decoded()
    }
}

fn encoded<K: Encode, V: Encode>(
    topic: &Text,
    record: &TestRecord<K, V>,
) -> Result<ProducerRecord, WriteError> {
    let TestRecord { key, value, timestamp, partition, headers } = record;
    Ok(ProducerRecord {
        topic: topic.clone(),
        partition: partition.map(PartitionId),
        timestamp: Some(*timestamp),
        key: key.to_bytes()?,
        value: value.to_bytes()?,
        headers: headers.clone(),
    })
}

/// Reads a topic from its beginning.
struct Reader {
    topic: Text,
    consumer: Consumer,
    partitions: Vec<TopicPartition>,
    records: BTreeMap<i32, Vec<Record>>,
}

impl Reader {
    async fn open(transport: &dyn Transport, topic: &str) -> Result<Self, ReadError> {
        let config = ConsumerConfig {
            offset_reset: OffsetReset::Earliest,
            creates_topics: false,
            timeout: EMBEDDED_PATIENCE,
            ..ConsumerConfig::default()
        };
        let mut consumer = Consumer::new(transport, config);
        let partitions = consumer.partitions(topic).await?;
        consumer.assign(partitions.iter().cloned());
        Ok(Self { topic: Text::from(topic), consumer, partitions, records: BTreeMap::new() })
    }

    async fn step(&mut self) -> Result<(), ReadError> {
        if let Polled::Records(batches) = self.consumer.poll(EMBEDDED_PATIENCE).await? {
            for batch in batches {
                self.records.entry(batch.partition.partition.0).or_default().extend(batch.records);
            }
        }
        if self.count() > EMBEDDED_READ_RECORDS_MAX {
            return Err(ReadError::TooMany { topic: self.topic.clone() });
        }
        Ok(())
    }

    fn count(&self) -> usize {
        self.records.values().map(Vec::len).sum()
    }

    /// The position moves past records that nobody gets to see, so it is what says that an end is reached.
    fn has_reached(&self, ends: &HashMap<TopicPartition, Offset>) -> bool {
        let is_reached = |(partition, end): (&TopicPartition, &Offset)| {
            *end <= Offset::ZERO || self.consumer.position(partition).is_some_and(|position| position >= *end)
        };
        ends.iter().all(is_reached)
    }

    fn decoded<K: Serde, V: Serde>(self) -> Result<Vec<TestRecord<K, V>>, ReadError> {
        let Self { topic, records, .. } = self;
        let records =
            records.into_iter().flat_map(|(id, records)| records.into_iter().map(move |of| (id, of)));
        let decoded = records.map(|(partition, record)| {
            let wrong =
                |error| ReadError::Serde { topic: topic.clone(), partition, offset: record.offset.0, error };
            TestRecord::decoded(partition, &record).map_err(wrong)
        });
        decoded.collect()
    }

    fn late(&self, wanted: usize) -> ReadError {
        let (topic, found) = (self.topic.clone(), self.count());
        ReadError::Late { topic, found, wanted, limit: EMBEDDED_PATIENCE }
    }
}
