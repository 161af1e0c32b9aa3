//! The entries, in the format of Kafka's index files (`OffsetIndex`, `TimeIndex`): big-endian.

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// The first offset of the batch, counted from the segment's.
    pub relative_offset: i32,
    /// Where the batch begins in the log.
    pub position: i32,
}

/// From when on there may be a timestamp as large as this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    /// Larger than every timestamp in the batches before.
    pub timestamp: i64,
    /// The first offset of the batch that has it, counted from the segment's.
    pub relative_offset: i32,
}

/// What index files are made of.
pub(super) trait Entry: Copy {
    /// Bytes of an entry.
    const BYTES: usize;

    fn write(self, into: &mut Vec<u8>);

    /// Reads an entry from exactly [`Entry::BYTES`] bytes.
    fn read(bytes: &[u8]) -> Self;
}

impl Entry for OffsetEntry {
    const BYTES: usize = 8;

    fn write(self, into: &mut Vec<u8>) {
        into.extend(self.relative_offset.to_be_bytes());
        into.extend(self.position.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        Self {
            relative_offset: i32::from_be_bytes(field(bytes, 0)),
            position: i32::from_be_bytes(field(bytes, 4)),
        }
    }
}

impl Entry for TimeEntry {
    const BYTES: usize = 12;

    fn write(self, into: &mut Vec<u8>) {
        into.extend(self.timestamp.to_be_bytes());
        into.extend(self.relative_offset.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        Self {
            timestamp: i64::from_be_bytes(field(bytes, 0)),
            relative_offset: i32::from_be_bytes(field(bytes, 8)),
        }
    }
}

/// The last of the sorted entries for which `is_before` holds.
pub(super) fn floor<E: Entry>(entries: &[u8], is_before: impl Fn(E) -> bool) -> Option<E> {
    let count = count_before(entries, is_before);
    count.checked_sub(1).map(|last| at(entries, last))
}

/// How many of the sorted entries come before those for which `is_before` no longer holds.
pub(super) fn count_before<E: Entry>(entries: &[u8], is_before: impl Fn(E) -> bool) -> usize {
    let (mut low, mut high) = (0, entries.len() / E::BYTES);
    while low < high {
        let middle = usize::midpoint(low, high);
        if is_before(at(entries, middle)) { low = middle + 1 } else { high = middle }
    }
    low
}

fn at<E: Entry>(entries: &[u8], number: usize) -> E {
    E::read(&entries[number * E::BYTES..(number + 1) * E::BYTES])
}

/// Some bytes of a structure that is long enough.
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stand_as_in_kafka() {
        let mut bytes = Vec::new();
        OffsetEntry { relative_offset: 258, position: 4097 }.write(&mut bytes);
        TimeEntry { timestamp: 1_700_000_000_000, relative_offset: 3 }.write(&mut bytes);
        assert_eq!(bytes[..8], [0, 0, 1, 2, 0, 0, 16, 1]);
        assert_eq!(bytes[8..], [0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, 0, 0, 0, 3]);
        assert_eq!(TimeEntry::read(&bytes[8..]).timestamp, 1_700_000_000_000);
    }

    #[test]
    fn floor_is_the_last_entry_that_is_not_behind() {
        let mut bytes = Vec::new();
        for offset in [3, 5, 9] {
            OffsetEntry { relative_offset: offset, position: offset * 100 }.write(&mut bytes);
        }
        let found =
            |target| floor::<OffsetEntry>(&bytes, |e| e.relative_offset <= target).map(|e| e.position);
        assert_eq!(
            [2, 3, 4, 5, 8, 9, 99].map(found),
            [None, Some(300), Some(300), Some(500), Some(500), Some(900), Some(900)]
        );
    }
}
