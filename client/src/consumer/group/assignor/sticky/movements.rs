//! Which partitions were moved from whom to whom, so that none goes one way while another of the same topic comes the
//! other way (Kafka: `PartitionMovements`).

use std::collections::HashMap;

use mainstem_protocol::Text;

use super::{super::java_order::JavaSet, Taker};
use crate::TopicPartition;

/// From whom, to whom.
type Pair = (Taker, Taker);

#[derive(Default)]
pub(super) struct Movements {
    by_topic: HashMap<Text, HashMap<Pair, JavaSet<TopicPartition>>>,
    pairs: HashMap<TopicPartition, Pair>,
}

impl Movements {
    /// Notes that a partition moves.
    pub(super) fn note(&mut self, partition: &TopicPartition, from: Taker, to: Taker) {
        match self.forget(partition) {
            // It is back where it came from.
            Some((origin, _)) if origin == to => {}
            Some((origin, _)) => self.add(partition, (origin, to)),
            None => self.add(partition, (from, to)),
        }
    }

    fn add(&mut self, partition: &TopicPartition, pair: Pair) {
        self.pairs.insert(partition.clone(), pair);
        let pairs = self.by_topic.entry(partition.topic.clone()).or_default();
        pairs.entry(pair).or_insert_with(JavaSet::new).insert(partition.clone());
    }

    fn forget(&mut self, partition: &TopicPartition) -> Option<Pair> {
        let pair = self.pairs.remove(partition)?;
        if let Some(pairs) = self.by_topic.get_mut(&partition.topic) {
            let moved = pairs.get_mut(&pair).into_iter();
            if moved.map(|set| set.remove(partition)).count() > 0 && pairs[&pair].is_empty() {
                pairs.remove(&pair);
            }
        }
        Some(pair)
    }

    /// What is to be moved in place of a partition: one of the same topic that came the other way, where there is one.
    pub(super) fn instead(&self, partition: &TopicPartition, from: Taker, to: Taker) -> TopicPartition {
        let origin = self.pairs.get(partition).map_or(from, |(origin, _)| *origin);
        let reverse = self.by_topic.get(&partition.topic).and_then(|pairs| pairs.get(&(to, origin)));
        reverse.and_then(|moved| moved.iter().next()).unwrap_or(partition).clone()
    }
}
