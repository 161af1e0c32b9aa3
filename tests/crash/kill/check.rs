//! What must be true of a partition after a start.

use crate::{
    load::{self, Track},
    wire::Stored,
};

/// What is wrong, in the words of those who look for it for a living.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// An acknowledged record is not there.
    LostWrite { sequence: i64 },
    /// A record is there twice.
    Duplicate { sequence: i64 },
    /// A record stands before one that was sent earlier, or one between them is missing.
    OutOfOrder { expected: i64, found: i64 },
    /// A record that nobody has sent.
    Ghost { offset: i64 },
    /// A record is not at the offset that was acknowledged.
    InconsistentOffset { sequence: i64, acknowledged: i64, found: i64 },
}

/// Checks a partition that one producer writes: sequence and offset are the same number.
pub(crate) fn check(records: &[Stored], track: &Track) -> Result<usize, Violation> {
    for (expected, record) in (0_i64..).zip(records) {
        check_record(expected, record, track.sent)?;
    }
    for (first, base_offset) in &track.acknowledged {
        if first != base_offset {
            return Err(Violation::InconsistentOffset {
                sequence: *first,
                acknowledged: *base_offset,
                found: *first,
            });
        }
        let last = first + Track::RECORDS - 1;
        if last >= records.len() as i64 {
            return Err(Violation::LostWrite { sequence: last });
        }
    }
    Ok(track.acknowledged.len() * Track::RECORDS as usize)
}

fn check_record(expected: i64, record: &Stored, sent: i64) -> Result<(), Violation> {
    let found = std::str::from_utf8(&record.value).ok().and_then(|text| text.parse::<i64>().ok());
    let Some(found) = found.filter(|found| *found < sent && load::value(*found).as_bytes() == record.value)
    else {
        return Err(Violation::Ghost { offset: record.offset });
    };
    match found {
        found if found == expected && record.offset != expected => Err(Violation::InconsistentOffset {
            sequence: found,
            acknowledged: expected,
            found: record.offset,
        }),
        found if found == expected => Ok(()),
        found if found < expected => Err(Violation::Duplicate { sequence: found }),
        found => Err(Violation::OutOfOrder { expected, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, sequence: i64) -> Stored {
        Stored { offset, value: load::value(sequence).into() }
    }

    fn good() -> (Vec<Stored>, Track) {
        let records = (0..60).map(|n| record(n, n)).collect();
        let track = Track { sent: 80, acknowledged: vec![(0, 0), (20, 20)], ..Track::default() };
        (records, track)
    }

    #[test]
    fn what_is_right_passes_with_unacknowledged_records_behind() {
        let (records, track) = good();
        assert_eq!(check(&records, &track), Ok(40));
    }

    #[test]
    fn each_planted_fault_is_named() {
        let (records, track) = good();
        assert_eq!(check(&records[..30], &track), Err(Violation::LostWrite { sequence: 39 }));

        let mut twice = records.clone();
        twice.insert(21, record(21, 20));
        assert_eq!(check(&twice, &track), Err(Violation::Duplicate { sequence: 20 }));

        let mut swapped = records.clone();
        swapped.swap(3, 4);
        assert_eq!(check(&swapped, &track), Err(Violation::OutOfOrder { expected: 3, found: 4 }));

        let mut ghost = records.clone();
        ghost.push(record(60, 80));
        assert_eq!(check(&ghost, &track), Err(Violation::Ghost { offset: 60 }));

        let mut moved = records.clone();
        moved[7].offset = 8;
        assert_eq!(
            check(&moved, &track),
            Err(Violation::InconsistentOffset { sequence: 7, acknowledged: 7, found: 8 })
        );

        let track = Track { acknowledged: vec![(0, 0), (20, 40)], ..track };
        assert!(matches!(check(&records, &track), Err(Violation::InconsistentOffset { .. })));
    }
}
