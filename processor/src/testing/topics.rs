//! Topics in memory.

use std::collections::HashMap;

use bytes::Bytes;
use mainstem_client::{Offset, Record, Text, TopicPartition, producer::partition_of_key};

use crate::{OutputRecord, record::Emitted};

/// Every topic that a test has named or a topology has written to.
#[derive(Debug, Default)]
pub(super) struct Topics {
    topics: HashMap<Text, Topic>,
}

#[derive(Debug, Default)]
struct Topic {
    partitions: Vec<Vec<Record>>,
    /// Where the records went, in the order in which they were written.
    written: Vec<(usize, usize)>,
    /// How many of them the test has read.
    read: usize,
}

impl Topics {
    pub(super) fn create(&mut self, name: &Text, partitions: i32) {
        let partitions = (0..partitions).map(|_| Vec::new()).collect();
        self.topics.insert(name.clone(), Topic { partitions, ..Topic::default() });
    }

    pub(super) fn partitions(&self, name: &str) -> Option<usize> {
        self.topics.get(name).map(|topic| topic.partitions.len())
    }

    /// Writes a record; a topic that is not there yet gets one partition.
    pub(super) fn write(&mut self, emitted: Emitted) {
        let Emitted { topic, partition, record } = emitted;
        if !self.topics.contains_key(&topic) {
            self.create(&topic, 1);
        }
        let Some(topic) = self.topics.get_mut(&topic) else { return };
        let partition = partition.map_or_else(|| topic.of_key(record.key.as_ref()), |id| id.0 as usize);
        topic.append(partition, record);
    }

    /// The records of a partition from an offset on.
    pub(super) fn from(&self, partition: &TopicPartition, offset: usize) -> Vec<Record> {
        let topic = self.topics.get(&partition.topic);
        let records = topic.and_then(|topic| topic.partitions.get(partition.partition.0 as usize));
        records.and_then(|records| records.get(offset..)).map(<[Record]>::to_vec).unwrap_or_default()
    }

    /// The records of a topic that were not read yet, in the order in which they were written.
    pub(super) fn read(&mut self, name: &str) -> Vec<(i32, Record)> {
        let Some(topic) = self.topics.get_mut(name) else { return Vec::new() };
        let records = topic.written[topic.read..]
            .iter()
            .map(|(partition, offset)| (*partition as i32, topic.partitions[*partition][*offset].clone()));
        let records = records.collect();
        topic.read = topic.written.len();
        records
    }
}

impl Topic {
    /// Records without a key go to the first partition.
    fn of_key(&self, key: Option<&Bytes>) -> usize {
        key.map_or(0, |key| partition_of_key(key, self.partitions.len()).0 as usize)
    }

    fn append(&mut self, partition: usize, record: OutputRecord) {
        let OutputRecord { key, value, timestamp, headers } = record;
        let Some(records) = self.partitions.get_mut(partition) else { return };
        self.written.push((partition, records.len()));
        records.push(Record { offset: Offset(records.len() as i64), timestamp, key, value, headers });
    }
}
