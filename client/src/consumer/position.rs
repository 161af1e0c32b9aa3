//! How far each partition was read.

use std::collections::HashMap;

use mainstem_protocol::{Offset, messages::fetch::PartitionData};

use tokio::time::Instant;

use crate::{TopicPartition, caps, offsets::OffsetSpec};

/// Where the next record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// From what was committed, or else where the settings say.
    Committed,
    /// From an end or a time.
    Reset(OffsetSpec),
    /// From this offset.
    At(Offset),
}

/// A partition that is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) place: Place,
    /// Changes whenever the place is changed from outside, so that what is on its way is known to be stale.
    pub(super) round: u64,
    /// Records were asked for.
    pub(super) busy: bool,
    /// Answers that wait to be taken.
    pub(super) ready: usize,
    /// Where the records come from that are asked for next; behind the place where answers wait.
    pub(super) ahead: Offset,
    /// Nothing is to be read for the moment.
    pub(super) paused: bool,
    /// The ends of the partition, as they were last seen.
    pub(super) ends: Ends,
    /// When that was.
    pub(super) told: Option<Instant>,
}

impl Position {
    /// Notes what a broker says now of the ends.
    pub(super) fn hear(&mut self, ends: Ends) {
        (self.ends, self.told) = (ends, Some(Instant::now()));
    }
}

/// Where a partition ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) high_watermark: Offset,
    /// Where the first open transaction begins, or the same.
    pub(super) last_stable: Offset,
}

impl Ends {
    pub(super) const UNKNOWN: Self = Self { high_watermark: Offset::NONE, last_stable: Offset::NONE };

    pub(super) const fn told(data: &PartitionData) -> Self {
        Self { high_watermark: data.high_watermark, last_stable: data.last_stable_offset }
    }
}

/// The partitions that are read.
#[derive(Debug, Default)]
pub(super) struct Positions {
    all: HashMap<TopicPartition, Position>,
    rounds: u64,
}

impl Positions {
    /// Reads these partitions and no others. Those that were read before go on where they are.
    pub(super) fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        let mut before = std::mem::take(&mut self.all);
        for partition in partitions {
            match before.remove(&partition) {
                Some(position) => drop(self.all.insert(partition, position)),
                None => self.put(partition, Place::Committed),
            }
        }
    }

    /// Reads these no more.
    pub(super) fn release(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.all.remove(partition);
        }
    }

    /// Goes on elsewhere.
    pub(super) fn put(&mut self, partition: TopicPartition, place: Place) {
        self.rounds += 1;
        let paused = self.all.get(&partition).is_some_and(|position| position.paused);
        let position = Position {
            place,
            round: self.rounds,
            busy: false,
            ready: 0,
            ahead: Offset::NONE,
            paused,
            ends: Ends::UNKNOWN,
            told: None,
        };
        self.all.insert(partition, position);
    }

    pub(super) fn get(&self, partition: &TopicPartition) -> Option<&Position> {
        self.all.get(partition)
    }

    /// The position, if it is still that of the round.
    pub(super) fn current(&mut self, partition: &TopicPartition, round: u64) -> Option<&mut Position> {
        self.all.get_mut(partition).filter(|position| position.round == round)
    }

    pub(super) fn get_mut(&mut self, partition: &TopicPartition) -> Option<&mut Position> {
        self.all.get_mut(partition)
    }

    pub(super) fn partitions(&self) -> Vec<TopicPartition> {
        let mut partitions: Vec<_> = self.all.keys().cloned().collect();
        partitions.sort();
        partitions
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The partitions whose place answers to a question.
    pub(super) fn placed<T>(&self, ask: impl Fn(Place) -> Option<T>) -> Vec<(TopicPartition, T)> {
        let placed = self.all.iter();
        placed.filter_map(|(partition, position)| Some((partition.clone(), ask(position.place)?))).collect()
    }

    /// What has been read, for a commit.
    pub(super) fn consumed(&self) -> Vec<(TopicPartition, Offset)> {
        self.placed(|place| if let Place::At(offset) = place { Some(offset) } else { None })
    }

    /// Partitions for which records can be asked, from where, and in which round.
    pub(super) fn idle(&self) -> impl Iterator<Item = (&TopicPartition, Offset, u64)> {
        let idle =
            self.all.iter().filter(|(_, position)| !position.busy && !position.paused && !position.is_full());
        idle.filter_map(|(partition, position)| match position.place {
            Place::At(offset) => Some((partition, offset.max(position.ahead), position.round)),
            _ => None,
        })
    }

    /// Partitions for which nothing is asked before something is taken.
    pub(super) fn full(&self) -> impl Iterator<Item = &TopicPartition> {
        let full = self.all.iter().filter(|(_, position)| position.is_full() && !position.paused);
        full.map(|(partition, _)| partition)
    }

    /// Whether what was fetched in a round is still to be taken, and may be now.
    pub(super) fn wants(&self, partition: &TopicPartition, round: u64) -> bool {
        self.get(partition).is_some_and(|position| position.round == round && !position.paused)
    }
}

impl Position {
    const fn is_full(&self) -> bool {
        self.ready >= caps::READY_PER_PARTITION_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_that_stay_go_on_where_they_are() {
        let (a, b) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
        let mut positions = Positions::default();
        positions.assign([a.clone()]);
        positions.put(a.clone(), Place::At(Offset(5)));
        positions.assign([b.clone(), a.clone()]);
        assert_eq!(positions.get(&a).unwrap().place, Place::At(Offset(5)));
        assert_eq!(positions.get(&b).unwrap().place, Place::Committed);
        positions.assign([b.clone()]);
        assert_eq!(positions.partitions(), [b]);
    }

    #[test]
    fn a_seek_makes_what_is_on_its_way_stale() {
        let a = TopicPartition::new("t", 0);
        let mut positions = Positions::default();
        positions.put(a.clone(), Place::At(Offset(5)));
        let round = positions.get(&a).unwrap().round;
        assert!(positions.current(&a, round).is_some());
        positions.put(a.clone(), Place::At(Offset(1)));
        assert!(positions.current(&a, round).is_none());
    }
}
