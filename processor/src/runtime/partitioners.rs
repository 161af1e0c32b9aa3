//! Whether topics whose keys must meet were written by one partitioner. As many partitions as each other are not enough: a
//! Java producer puts a key elsewhere (murmur2) than librdkafka does by default (CRC-32), and a join of the two finds
//! little and says nothing. So some keys of each topic are looked at. A topic by itself may be written by any partitioner.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use mainstem_client::{
    Consumer, ConsumerConfig, Offset, Text, TopicPartition, Transport,
    consumer::{OffsetReset, PartitionRecords, Polled},
    producer::partition_of_key,
};
use tracing::debug;

use crate::{
    PlanError, Topology, caps,
    topology::{Plan, meetings},
};

/// What the keys of a topic say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// They are where the default partitioner puts them.
    ByDefault,
    /// They are not.
    Otherwise,
    /// There are too few.
    Unknown,
}

pub(super) async fn check(
    topology: &Topology,
    plan: &Plan,
    transport: &dyn Transport,
) -> Result<(), PlanError> {
    let mut known: HashMap<Text, Written> = HashMap::new();
    for meeting in meetings(topology) {
        // Repartition topics are written here, by the default partitioner.
        let mut by_default = meeting.moved;
        let mut otherwise = None;
        for topic in meeting.inputs {
            let written = match known.get(&topic) {
                Some(written) => *written,
                None => written(&topic, plan, transport).await,
            };
            known.insert(topic.clone(), written);
            match written {
                Written::ByDefault => by_default = Some(topic),
                Written::Otherwise => otherwise = Some(topic),
                Written::Unknown => {}
            }
        }
        if let (Some(other), Some(topic)) = (by_default, otherwise) {
            return Err(PlanError::OtherPartitioner { node: meeting.node, topic, other });
        }
    }
    Ok(())
}

/// What cannot be read now is nothing to refuse a start for: its task will say so.
async fn written(topic: &Text, plan: &Plan, transport: &dyn Transport) -> Written {
    let partitions = plan.partitions.get(topic).copied().unwrap_or(0);
    if partitions < 2 {
        return Written::Unknown;
    }
    match sample(topic, partitions, transport).await {
        Ok(sample) => sample.written(),
        Err(error) => {
            debug!(%topic, %error, "keys could not be looked at");
            Written::Unknown
        }
    }
}

/// Different keys of a topic.
struct Sample {
    partitions: usize,
    keys: HashSet<Bytes>,
    /// How many of them are elsewhere than the default partitioner puts them.
    strays: usize,
}

impl Sample {
    fn take(&mut self, records: PartitionRecords) {
        for record in records.records {
            let Some(key) = record.key.filter(|_| self.keys.len() < caps::SAMPLED_KEYS_MAX) else { continue };
            let is_stray = partition_of_key(&key, self.partitions) != records.partition.partition;
            if self.keys.insert(key) {
                self.strays += usize::from(is_stray);
            }
        }
    }

    /// Where partitions are chosen otherwise, at least half of the keys are strays. A few may be where somebody has put
    /// them by hand.
    fn written(&self) -> Written {
        match (self.keys.len(), self.strays) {
            (keys, _) if keys < caps::SAMPLED_KEYS_MIN => Written::Unknown,
            (keys, strays) if strays * 4 >= keys => Written::Otherwise,
            _ => Written::ByDefault,
        }
    }
}

async fn sample(
    topic: &Text,
    partitions: i32,
    transport: &dyn Transport,
) -> Result<Sample, Box<dyn std::error::Error + Send + Sync>> {
    let config = ConsumerConfig {
        timeout: caps::PATIENCE,
        offset_reset: OffsetReset::Earliest,
        poll_records: caps::SAMPLED_KEYS_MAX,
        ..ConsumerConfig::default()
    };
    let mut consumer = Consumer::new(transport, config);
    let all: Vec<_> = (0..partitions).map(|number| TopicPartition::new(topic.clone(), number)).collect();
    let (begins, ends) = (consumer.beginning_offsets(&all).await?, consumer.end_offsets(&all).await?);
    let end = |partition: &TopicPartition| ends.get(partition).copied().unwrap_or(Offset(0));
    let has_some =
        |partition: &TopicPartition| begins.get(partition).is_some_and(|begin| *begin < end(partition));
    let mut unread: HashSet<TopicPartition> = all.into_iter().filter(has_some).collect();
    consumer.assign(unread.iter().cloned());
    let mut sample = Sample { partitions: partitions as usize, keys: HashSet::new(), strays: 0 };
    for _ in 0..caps::SAMPLES_MAX {
        if unread.is_empty() || sample.keys.len() >= caps::SAMPLED_KEYS_MAX {
            break;
        }
        let Polled::Records(batches) = consumer.poll(caps::SAMPLE_PATIENCE).await? else { break };
        for records in batches {
            if records.next_offset >= end(&records.partition) {
                unread.remove(&records.partition);
            }
            sample.take(records);
        }
    }
    Ok(sample)
}
