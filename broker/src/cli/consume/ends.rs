//! Where to stop.

use mainstem_client::TopicPartition;
use mainstem_client::consumer::Consumer;
use mainstem_protocol::Offset;

use super::start::Offsets;

/// Where to stop: at the ends as they were, after so many records, or never.
pub(super) struct Ends {
    offsets: Option<Offsets>,
    left: Option<u64>,
}

impl Ends {
    pub(super) const fn new(offsets: Option<Offsets>, count: Option<u64>) -> Self {
        Self { offsets, left: count }
    }

    /// Takes note that a record is about to be printed; no more of them may be where this is false.
    pub(super) fn admit(&mut self, partition: &TopicPartition, offset: Offset) -> bool {
        let ends = self.offsets.as_ref().and_then(|offsets| offsets.get(partition));
        if self.left == Some(0) || ends.is_some_and(|end| offset >= *end) {
            return false;
        }
        self.left = self.left.map(|left| left - 1);
        true
    }

    /// Whether as many records are printed as were asked for.
    pub(super) fn is_counted(&self) -> bool {
        self.left == Some(0)
    }

    /// Whether there is nothing left to print of what the consumer has.
    pub(super) fn are_reached(&self, consumer: &Consumer) -> bool {
        self.is_counted() || self.offsets.as_ref().is_some_and(|ends| all_read(ends, consumer))
    }
}

/// Partitions that other members of the group read are their business.
fn all_read(ends: &Offsets, consumer: &Consumer) -> bool {
    consumer.assignment().iter().all(|partition| match (ends.get(partition), consumer.position(partition)) {
        (Some(end), Some(position)) => position >= *end,
        (Some(end), None) => *end == Offset::ZERO,
        (None, _) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_behind_the_end_are_not_printed() {
        let partition = TopicPartition::new("logs", 0);
        let mut ends = Ends::new(Some(Offsets::from([(partition.clone(), Offset(3))])), None);
        assert!(ends.admit(&partition, Offset(2)));
        assert!(!ends.admit(&partition, Offset(3)));
        assert!(ends.admit(&TopicPartition::new("logs", 1), Offset(9)));
    }

    #[test]
    fn a_count_ends_it() {
        let partition = TopicPartition::new("logs", 0);
        let mut ends = Ends::new(None, Some(2));
        let admitted: Vec<_> = (0..4).map(|offset| ends.admit(&partition, Offset(offset))).collect();
        assert_eq!(admitted, [true, true, false, false]);
    }
}
