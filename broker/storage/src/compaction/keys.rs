//! The last offset of each key, in bounded memory (Kafka: `SkimpyOffsetMap`).
//!
//! Keys are known by 128 bits of two keyed hashes, so that the memory of an entry does not depend on its key. That two
//! keys of one pass share them is as good as impossible, also for whoever would like them to: the hashes are keyed anew
//! in each process.

use std::hash::{BuildHasher as _, RandomState};

use mainstem_protocol::Offset;

/// The two hashes of a key, and its offset plus one: zeros are an empty slot, and memory of zeros costs nothing before
/// it is touched.
type Slot = [u64; 3];

/// Bytes that one key takes.
pub(crate) const SLOT_BYTES: usize = size_of::<Slot>();

/// Of a hundred slots so many are used (Kafka: `log.cleaner.io.buffer.load.factor`).
const LOAD_PERCENT: usize = 90;

/// There is no room for another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the map of keys is full")]
pub(crate) struct Full;

/// Offsets by key.
pub(crate) struct KeyMap {
    slots: Vec<Slot>,
    len: usize,
    len_max: usize,
    hashes: [RandomState; 2],
}

impl KeyMap {
    /// A map for so many keys, as far as `bytes_max` allows; for one at least.
    pub(crate) fn new(keys: u64, bytes_max: usize) -> Self {
        let wanted = usize::try_from(keys).unwrap_or(usize::MAX);
        let slots = (wanted.saturating_mul(100) / LOAD_PERCENT).saturating_add(2);
        let slots = slots.min(bytes_max / SLOT_BYTES).max(2);
        let len_max = (slots * LOAD_PERCENT / 100).max(1);
        let hashes = [RandomState::new(), RandomState::new()];
        Self { slots: vec![[0; 3]; slots], len: 0, len_max, hashes }
    }

    /// Remembers that a record of the key is at the offset; offsets rise.
    ///
    /// # Errors
    /// Where the key is new and there is no room for it.
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) -> Result<(), Full> {
        let hash = self.hash(key);
        let at = self.find(hash);
        if self.slots[at][2] == 0 {
            if self.len == self.len_max {
                return Err(Full);
            }
            self.len += 1;
        }
        self.slots[at] = [hash[0], hash[1], offset.0 as u64 + 1];
        Ok(())
    }

    /// The last offset of the key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        let slot = self.slots[self.find(self.hash(key))];
        slot[2].checked_sub(1).map(|offset| Offset(offset as i64))
    }

    /// Keys in it.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        [self.hashes[0].hash_one(key), self.hashes[1].hash_one(key)]
    }

    /// The slot of the key, or the empty one where it belongs; there always is one.
    fn find(&self, hash: [u64; 2]) -> usize {
        let count = self.slots.len();
        let mut at = ((u128::from(hash[0]) * count as u128) >> 64) as usize;
        loop {
            let slot = &self.slots[at];
            if slot[2] == 0 || slot[..2] == hash {
                return at;
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offset_of_each_key_is_found() {
        let mut map = KeyMap::new(1000, 1 << 20);
        for offset in 0..2000_i64 {
            map.put(&(offset % 1000).to_be_bytes(), Offset(offset)).unwrap();
        }
        assert_eq!(map.len(), 1000);
        for key in 0..1000_i64 {
            assert_eq!(map.get(&key.to_be_bytes()), Some(Offset(1000 + key)));
        }
        assert_eq!(map.get(b"nobody"), None);
        assert_eq!(map.get(b""), None);
    }

    #[test]
    fn memory_has_a_limit_and_known_keys_go_on_when_it_is_reached() {
        let mut map = KeyMap::new(u64::MAX, 100 * SLOT_BYTES);
        let full = (0..).find(|key: &i64| map.put(&key.to_be_bytes(), Offset(*key)).is_err());
        assert_eq!(full, Some(90));
        assert!(map.slots.len() * SLOT_BYTES <= 100 * SLOT_BYTES);
        map.put(&7_i64.to_be_bytes(), Offset(777)).unwrap();
        assert_eq!(map.get(&7_i64.to_be_bytes()), Some(Offset(777)));
        assert_eq!(map.get(&90_i64.to_be_bytes()), None);
    }

    #[test]
    fn a_map_takes_one_key_at_least() {
        let mut map = KeyMap::new(0, 0);
        map.put(b"a", Offset(0)).unwrap();
        assert_eq!(map.put(b"b", Offset(1)), Err(Full));
        assert_eq!((map.get(b"a"), map.get(b"b")), (Some(Offset(0)), None));
    }
}
