//! Under which leader epochs a log was written (Kafka: `LeaderEpochFileCache`).

use mainstem_protocol::{LeaderEpoch, Offset};

/// An epoch and the first offset that was written under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochStart {
    pub(crate) epoch: LeaderEpoch,
    pub(crate) start: Offset,
}

/// In rising order of epochs and offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Epochs(pub(crate) Vec<EpochStart>);

impl Epochs {
    /// A batch at `start` was written under `epoch`.
    pub(crate) fn note(&mut self, epoch: LeaderEpoch, start: Offset) {
        if self.0.last().is_none_or(|last| last.epoch < epoch) {
            self.0.push(EpochStart { epoch, start });
        }
    }

    /// Drops epochs that end before the log does begin; the one that holds the log's start begins there.
    pub(crate) fn cut_before(&mut self, log_start: Offset) {
        let at_start = self.0.iter().rposition(|entry| entry.start <= log_start);
        if let Some(first) = at_start {
            self.0.drain(..first);
            if let Some(entry) = self.0.first_mut() {
                entry.start = log_start;
            }
        }
    }

    /// The last one under which anything was written.
    pub(crate) fn latest(&self) -> Option<LeaderEpoch> {
        self.0.last().map(|entry| entry.epoch)
    }

    /// The largest epoch not above `epoch` and the offset behind its last record, as OffsetForLeaderEpoch asks.
    pub(crate) fn end_offset(&self, epoch: LeaderEpoch, end: Offset) -> (LeaderEpoch, Offset) {
        let Some(latest) = self.0.last() else { return (LeaderEpoch::NONE, Offset::NONE) };
        if epoch == LeaderEpoch::NONE || epoch > latest.epoch {
            return (LeaderEpoch::NONE, Offset::NONE);
        }
        if epoch == latest.epoch {
            return (epoch, end);
        }
        let higher = self.0.iter().position(|entry| entry.epoch > epoch).unwrap_or_default();
        let floor = higher.checked_sub(1).map_or(epoch, |at| self.0[at].epoch);
        (floor, self.0[higher].start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs() -> Epochs {
        let mut epochs = Epochs::default();
        for (epoch, start) in [(1, 0), (1, 5), (3, 10), (2, 15), (7, 20)] {
            epochs.note(LeaderEpoch(epoch), Offset(start));
        }
        epochs
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next_one() {
        let end = |epoch| {
            let (epoch, offset) = epochs().end_offset(LeaderEpoch(epoch), Offset(99));
            (epoch.0, offset.0)
        };
        assert_eq!(end(7), (7, 99));
        assert_eq!(end(8), (-1, -1));
        assert_eq!(end(-1), (-1, -1));
        assert_eq!(end(5), (3, 20));
        assert_eq!(end(3), (3, 20));
        assert_eq!(end(1), (1, 10));
        assert_eq!(end(0), (0, 0));
    }

    #[test]
    fn epochs_before_the_log_start_go() {
        let mut epochs = epochs();
        epochs.cut_before(Offset(12));
        assert_eq!(epochs.0[0], EpochStart { epoch: LeaderEpoch(3), start: Offset(12) });
        assert_eq!(epochs.0.len(), 2);
    }
}
