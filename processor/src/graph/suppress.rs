//! Nodes that hold the updates of a table back, so that of several of one key only the last is passed on.
//!
//! What is held is at hand as a whole, in the order in which it is to be released; the store has a copy, for a restart:
//!
//! | key | value |
//! |---|---|
//! | the key | its release (8), since when it waits (8), its time (8), what is so (1), the length of the value before (4), that
//! value, the new value |

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mainstem_client::{Text, Timestamp};

use super::{
    LAST, NodeError,
    aggregate::{Updates, result},
    behind,
    cells::Seen,
    cx::Cx,
    operator::Logic,
    table::update::Update,
};
use crate::{
    record::Item,
    serdes::{Serde, SerdeError},
    watermark::BEGINNING,
};

/// The place in the line of an update that comes at a time, by its key and the watermark.
pub(crate) type Release<K> = Arc<dyn Fn(&K, Timestamp, Timestamp) -> Place + Send + Sync>;

/// How much is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Updates; none where there is no limit.
    pub(crate) records_max: Option<usize>,
    /// Bytes of keys and values; none where there is no limit.
    pub(crate) bytes_max: Option<usize>,
    /// Whether the first are released early when there is no more room, rather than the task failing.
    pub(crate) emits_early: bool,
}

/// What a node that holds updates back goes by.
pub(crate) struct Holding<K> {
    pub(crate) release: Release<K>,
    pub(crate) room: Room,
    /// Whether a key that is gone when its update is released needs no word about that, for nobody has seen it.
    pub(crate) forgets_gone: bool,
}

/// A node that holds the updates of a table back.
pub(crate) struct Suppress<K, V> {
    holding: Holding<K>,
    store: Text,
    /// Whether what the store has is at hand.
    is_loaded: bool,
    held: HashMap<Bytes, Held<V>>,
    /// What is held, in the order of its release.
    line: BTreeSet<(Place, Bytes)>,
    bytes: usize,
    changed: BTreeSet<Bytes>,
}

/// A place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The watermark at which an update is released.
    pub(crate) release: Timestamp,
    /// Since when it has been waiting, where that matters among those that are released together.
    pub(crate) since: Timestamp,
}

/// An update that waits.
struct Held<V> {
    place: Place,
    /// Its old value is that which was passed on last.
    update: Update<V>,
    seen: Seen,
    bytes: usize,
}

const HAS_OLD: u8 = 1;
const HAS_NEW: u8 = 2;

/// Bytes in front of the values.
const HEAD_BYTES: usize = 29;

impl<K: Serde, V: Serde> Suppress<K, V> {
    pub(crate) fn new(store: Text, holding: Holding<K>) -> Self {
        let (held, line, changed) = (HashMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { holding, store, is_loaded: false, held, line, bytes: 0, changed }
    }

    fn load(&mut self, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        if std::mem::replace(&mut self.is_loaded, true) {
            return Ok(());
        }
        for (key, value) in cx.store(&self.store).range_from(b"") {
            let held: Held<V> = read(&key, &value).map_err(|cause| self.stored(cause))?;
            self.line.insert((held.place, key.clone()));
            self.bytes += held.bytes;
            self.held.insert(key, held);
        }
        Ok(())
    }

    fn stored(&self, cause: SerdeError) -> NodeError {
        NodeError::Stored { store: self.store.clone(), cause }
    }

    fn take(
        &mut self,
        item: Item<K, Update<V>>,
        out: &mut Updates<K, V>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let watermark = behind(item.watermark, cx.delay_ms);
        self.release_due(watermark, item.order, out, cx)?;
        let (seen, order) = (Seen::of(&item), item.order);
        self.hold(item, watermark, seen, cx)?;
        // What is due already does not wait for time to go on.
        self.release_due(watermark, order, out, cx)?;
        self.make_room(seen, out)
    }

    /// Puts an update in place of the one that waits, if one does; it keeps its place in the line then.
    fn hold(
        &mut self,
        item: Item<K, Update<V>>,
        watermark: Timestamp,
        seen: Seen,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let Item { key, value: update, time, .. } = item;
        let Some(bytes) = cx.needed_key(&key)? else { return Ok(()) };
        // The key must not hold on to the memory of the record that it comes from.
        let bytes = Bytes::copy_from_slice(&bytes);
        self.changed.insert(bytes.clone());
        let before = self.held.remove(&bytes);
        let place =
            before.as_ref().map_or_else(|| (self.holding.release)(&key, time, watermark), |held| held.place);
        let (old, size_before) = match before {
            Some(held) => (held.update.old, held.bytes),
            None => (update.old, 0),
        };
        self.bytes -= size_before;
        if update.new.is_none() && self.holding.forgets_gone && old.is_none() {
            self.line.remove(&(place, bytes));
            return Ok(());
        }
        let update = Update { old, new: update.new };
        let size = self.size(&bytes, &update, cx)?;
        self.bytes += size;
        self.line.insert((place, bytes.clone()));
        self.held.insert(bytes, Held { place, update, seen, bytes: size });
        Ok(())
    }

    /// Bytes of key and values, where somebody asks for them.
    fn size(&self, key: &Bytes, update: &Update<V>, cx: &mut Cx<'_>) -> Result<usize, NodeError> {
        if self.holding.room.bytes_max.is_none() {
            return Ok(0);
        }
        let (old, new) = (value_bytes(&update.old, cx.buffer())?, value_bytes(&update.new, cx.buffer())?);
        Ok(size(key, &old, &new))
    }

    /// Passes on what is due, in the order of the line and then of the keys.
    fn release_due(
        &mut self,
        watermark: Timestamp,
        order: u64,
        out: &mut Updates<K, V>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        self.load(cx)?;
        while let Some(release) =
            self.line.first().map(|(place, _)| place.release).filter(|at| *at <= watermark)
        {
            // Those behind this node see it when it was due, and not when that was noticed.
            let seen_at = Timestamp(release.0.saturating_add(cx.delay_ms)).min(LAST);
            self.release_first((seen_at, order), out)?;
        }
        Ok(())
    }

    fn make_room(&mut self, seen: Seen, out: &mut Updates<K, V>) -> Result<(), NodeError> {
        let Room { records_max, bytes_max, emits_early } = self.holding.room;
        let is_above = |count: usize, limit: Option<usize>| limit.is_some_and(|limit| count > limit);
        while is_above(self.held.len(), records_max) || is_above(self.bytes, bytes_max) {
            if !emits_early {
                return Err(self.no_room());
            }
            self.release_first((seen.watermark, seen.order), out)?;
        }
        Ok(())
    }

    fn no_room(&self) -> NodeError {
        let Room { records_max, bytes_max, .. } = self.holding.room;
        let (records, bytes) = (self.held.len(), self.bytes);
        let (held, room) = match (records_max, bytes_max) {
            (Some(limit), _) if records > limit => (format!("{records} updates"), format!("{limit}")),
            _ => (format!("{bytes} bytes of updates"), format!("{}", bytes_max.unwrap_or(bytes))),
        };
        NodeError::NoRoom { held, room }
    }

    fn release_first(
        &mut self,
        (watermark, order): (Timestamp, u64),
        out: &mut Updates<K, V>,
    ) -> Result<(), NodeError> {
        let Some((_, key)) = self.line.pop_first() else { return Ok(()) };
        let Some(Held { update, seen, bytes, .. }) = self.held.remove(&key) else { return Ok(()) };
        self.bytes -= bytes;
        let decoded = K::decode(Some(&key)).map_err(|cause| self.stored(cause))?;
        self.changed.insert(key);
        out.push(result(decoded, update, Seen { time: seen.time, watermark, order }));
        Ok(())
    }
}

fn value_bytes<V: Serde>(value: &Option<V>, buffer: &mut BytesMut) -> Result<Option<Bytes>, NodeError> {
    let unwritable = |cause| NodeError::Unwritable { part: "value", cause };
    let bytes = value.as_ref().map(|value| value.encode(buffer)).transpose().map_err(unwritable)?;
    Ok(bytes.flatten())
}

fn size(key: &Bytes, old: &Option<Bytes>, new: &Option<Bytes>) -> usize {
    let length = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
    key.len() + length(old) + length(new)
}

impl<V: Serde> Held<V> {
    /// As it stands in the store, in memory of its own.
    fn to_bytes(&self, buffer: &mut BytesMut) -> Result<Bytes, NodeError> {
        let (old, new) = (value_bytes(&self.update.old, buffer)?, value_bytes(&self.update.new, buffer)?);
        let flag = |value: &Option<Bytes>, flag| if value.is_some() { flag } else { 0 };
        let what = flag(&old, HAS_OLD) | flag(&new, HAS_NEW);
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let mut whole = BytesMut::with_capacity(HEAD_BYTES + old.len() + new.len());
        whole.put_i64(self.place.release.0);
        whole.put_i64(self.place.since.0);
        whole.put_i64(self.seen.time.0);
        whole.put_u8(what);
        whole.put_u32(old.len() as u32);
        whole.put_slice(&old);
        whole.put_slice(&new);
        Ok(whole.freeze())
    }
}

fn read<V: Serde>(key: &Bytes, value: &Bytes) -> Result<Held<V>, SerdeError> {
    let expected = "an update that is held back";
    let short = |wanted| SerdeError::Length { expected, wanted, found: value.len() };
    let mut head = value.clone();
    if head.len() < HEAD_BYTES {
        return Err(short(HEAD_BYTES));
    }
    let place = Place { release: Timestamp(head.get_i64()), since: Timestamp(head.get_i64()) };
    let time = Timestamp(head.get_i64());
    let (what, old_bytes) = (head.get_u8(), head.get_u32() as usize);
    if head.len() < old_bytes {
        return Err(short(HEAD_BYTES + old_bytes));
    }
    let (old, new) = (head.split_to(old_bytes), head);
    let of = |bytes: &Bytes, flag| (what & flag != 0).then(|| V::decode(Some(bytes))).transpose();
    let update = Update { old: of(&old, HAS_OLD)?, new: of(&new, HAS_NEW)? };
    let bytes = key.len() + old.len() + new.len();
    Ok(Held { place, update, seen: Seen { time, watermark: BEGINNING, order: 0 }, bytes })
}

impl<K: Serde, V: Serde> Logic for Suppress<K, V> {
    type In = Item<K, Update<V>>;
    type Out = Updates<K, V>;

    fn run(
        &mut self,
        input: &mut Vec<Item<K, Update<V>>>,
        out: &mut Updates<K, V>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        input.drain(..).try_for_each(|item| self.take(item, out, cx))
    }

    fn watermark(&mut self, out: &mut Updates<K, V>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.release_due(cx.watermark, *cx.order, out, cx)
    }

    fn commit(&mut self, _: &mut Updates<K, V>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        for key in std::mem::take(&mut self.changed) {
            match self.held.get(&key) {
                Some(held) => {
                    let bytes = held.to_bytes(cx.buffer())?;
                    cx.store(&self.store).put(&key, bytes);
                }
                None => cx.store(&self.store).delete(&key),
            }
        }
        Ok(())
    }
}
