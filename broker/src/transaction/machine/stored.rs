//! A transactional id as `__transaction_state` keeps it (Kafka: `TransactionLog`).

use mainstem_protocol::{
    ProducerEpoch,
    formats::transactions::{PartitionsSchema, TransactionLogValue},
};

use super::{Partitions, Producer, State, Transaction, Version};

/// What Kafka calls the second version.
const SECOND: i16 = 2;

impl Transaction {
    /// What is stored of it.
    pub(crate) fn stored(&self) -> TransactionLogValue {
        TransactionLogValue {
            producer_id: self.producer.id,
            producer_epoch: self.producer.epoch,
            transaction_timeout_ms: self.timeout_ms,
            transaction_status: self.state.id(),
            transaction_partitions: (self.state != State::Empty).then(|| stored(&self.partitions)),
            transaction_last_update_timestamp_ms: self.updated,
            transaction_start_timestamp_ms: self.started,
            previous_producer_id: self.previous_id,
            next_producer_id: self.next_id,
            client_transaction_version: match self.version {
                Version::V1 => 0,
                Version::V2 => SECOND,
            },
            // The epoch before the last change: Kafka leaves this to transactions in two phases, which are not offered.
            next_producer_epoch: ProducerEpoch::NONE,
        }
    }

    /// As it was stored; none where the state is none that is known. The epoch before is not kept, as in Kafka: a repeat
    /// of InitProducerId across a restart is refused.
    pub(crate) fn restored(value: &TransactionLogValue) -> Option<Self> {
        let partitions = value.transaction_partitions.iter().flatten();
        let each = |topic: &'_ PartitionsSchema| {
            topic.partition_ids.iter().map(|id| (topic.topic.clone(), *id)).collect::<Vec<_>>()
        };
        let partitions: Vec<_> = partitions.flat_map(each).collect();
        Some(Self {
            producer: Producer { id: value.producer_id, epoch: value.producer_epoch },
            previous_id: value.previous_producer_id,
            next_id: value.next_producer_id,
            last_epoch: ProducerEpoch::NONE,
            timeout_ms: value.transaction_timeout_ms,
            state: State::of_id(value.transaction_status)?,
            partitions: partitions.iter().map(|(topic, partition)| (topic, *partition)).collect(),
            started: value.transaction_start_timestamp_ms,
            updated: value.transaction_last_update_timestamp_ms,
            version: if value.client_transaction_version >= SECOND { Version::V2 } else { Version::V1 },
        })
    }
}

fn stored(partitions: &Partitions) -> Vec<PartitionsSchema> {
    let topic = |(topic, ids): (&mainstem_protocol::Text, &std::collections::BTreeSet<_>)| PartitionsSchema {
        topic: topic.clone(),
        partition_ids: ids.iter().copied().collect(),
    };
    partitions.topics().map(topic).collect()
}
