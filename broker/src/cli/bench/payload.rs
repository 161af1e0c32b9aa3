//! The bytes of records: not all the same, about half as large when they are compressed, and the same in every run.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

/// Different payloads; a record takes one after the other.
const COUNT: usize = 1024;

/// What they may take together; there are fewer of large ones.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Letters of which payloads are made: as many as leave compression something to do.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz {}:,\"";

/// Bytes that say of which run a record is, and when it was to be sent.
pub(super) const STAMP_BYTES: usize = 16;

/// Payloads of one size.
pub(super) struct Payloads {
    all: Vec<Bytes>,
}

impl Payloads {
    pub(super) fn new(bytes: usize) -> Self {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let letters = |_| random.letters(bytes);
        let count = (BYTES_MAX / bytes.max(1)).clamp(1, COUNT);
        Self { all: (0..count).map(letters).collect() }
    }

    /// The payload of the record of this number.
    pub(super) fn of(&self, number: u64) -> Bytes {
        let index = usize::try_from(number).unwrap_or(usize::MAX) % self.all.len();
        self.all.get(index).cloned().unwrap_or_default()
    }
}

/// What a record carries of which the time to the reader is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Which run it belongs to: a topic may have records of others.
    pub(super) run: u64,
    /// When it was to be sent, after the run's start.
    pub(super) due: Duration,
}

impl Stamp {
    /// A payload with the stamp in front, as long as the payload was but never shorter than the stamp.
    pub(super) fn put_on(self, payload: &Bytes) -> Bytes {
        let mut stamped = BytesMut::with_capacity(payload.len().max(STAMP_BYTES));
        stamped.put_u64(self.run);
        stamped.put_u64(u64::try_from(self.due.as_nanos()).unwrap_or(u64::MAX));
        stamped.extend_from_slice(payload.get(STAMP_BYTES..).unwrap_or_default());
        stamped.freeze()
    }

    /// The stamp of a record of this run.
    pub(super) fn read(value: &[u8], run: u64) -> Option<Self> {
        let (found, rest) = value.split_first_chunk()?;
        let (due, _) = rest.split_first_chunk()?;
        let due = Duration::from_nanos(u64::from_be_bytes(*due));
        (u64::from_be_bytes(*found) == run).then_some(Self { run, due })
    }
}

/// Marsaglia's xorshift: good enough for letters.
struct Random(u64);

impl Random {
    fn letters(&mut self, bytes: usize) -> Bytes {
        let mut word = Vec::with_capacity(bytes + 8);
        while word.len() < bytes {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            word.extend(self.0.to_le_bytes().map(|byte| LETTERS[usize::from(byte) % LETTERS.len()]));
        }
        word.truncate(bytes);
        word.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_their_size_and_differ() {
        for bytes in [0, 1, 7, 100, 1000] {
            let payloads = Payloads::new(bytes);
            assert_eq!((payloads.of(0).len(), payloads.of(12_345).len()), (bytes, bytes));
        }
        let payloads = Payloads::new(100);
        assert_ne!(payloads.of(0), payloads.of(1));
        let large = Payloads::new(BYTES_MAX / 2 + 1);
        assert_eq!(large.of(0).as_ptr(), large.of(1).as_ptr(), "one is all that there is room for");
        assert_eq!(payloads.of(3), Payloads::new(100).of(3));
    }

    #[test]
    fn a_stamp_is_read_in_its_own_run_alone() {
        let stamp = Stamp { run: 7, due: Duration::from_micros(5) };
        let value = stamp.put_on(&Payloads::new(100).of(0));
        assert_eq!(value.len(), 100);
        assert_eq!(Stamp::read(&value, 7), Some(stamp));
        assert_eq!((Stamp::read(&value, 8), Stamp::read(b"short", 7)), (None, None));
    }
}
