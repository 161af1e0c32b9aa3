//! What a cache and a medium know of one file.

use std::{collections::BTreeMap, collections::BTreeSet, ops::Range, sync::Arc};

use super::{super::PAGE_BYTES, Survival, chance::Chance};

/// The unit that a medium writes whole or not at all.
pub(super) const SECTOR_BYTES: u64 = 512;
const SECTORS: u64 = PAGE_BYTES / SECTOR_BYTES;
const ALL_SECTORS: u8 = u8::MAX;
/// How often a sector that is written again was written back in between, in a hundred.
const WRITTEN_BACK_PERCENT: u64 = 25;

type Page = [u8; PAGE_BYTES as usize];

/// Pages by number; what is absent is zeros. Pages are shared by cache, medium and every disk that was cut from it.
#[derive(Clone, Debug, Default)]
struct Pages(BTreeMap<u64, Arc<Page>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    cache: Pages,
    medium: Pages,
    len: u64,
    len_medium: u64,
    /// Sectors that differ between the two, a bit each, by page: a sync carries them over.
    dirty: BTreeMap<u64, u8>,
    /// Sectors that were dirty when the last descriptor was closed: their write-back may fail and nobody is told,
    /// so no later sync vouches for them (durability 13).
    orphaned: BTreeMap<u64, u8>,
    /// Pages that a read has to wait for.
    cold: BTreeSet<u64>,
    unreadable: Vec<Range<u64>>,
    /// The end of what has space.
    allocated: u64,
    pub(super) handles: usize,
    pub(super) linked: bool,
}

impl Pages {
    fn copy_to(&self, buffer: &mut [u8], position: u64) {
        for (page, within, bytes) in pieces(position, buffer.len()) {
            let target = &mut buffer[bytes];
            match self.0.get(&page) {
                Some(source) => target.copy_from_slice(&source[within..within + target.len()]),
                None => target.fill(0),
            }
        }
    }

    /// Of one page, those sectors alone.
    fn copy_sectors_to(&self, buffer: &mut [u8], position: u64, page: u64, mask: u8) {
        for sector in (0..SECTORS).filter(|sector| mask & (1 << sector) != 0) {
            let start = page * PAGE_BYTES + sector * SECTOR_BYTES;
            let (from, to) =
                (start.max(position), (start + SECTOR_BYTES).min(position + buffer.len() as u64));
            if from < to {
                self.copy_to(&mut buffer[(from - position) as usize..(to - position) as usize], from);
            }
        }
    }

    fn page_mut(&mut self, page: u64) -> &mut Page {
        Arc::make_mut(self.0.entry(page).or_insert_with(|| Arc::new([0; PAGE_BYTES as usize])))
    }

    fn take_sectors(&mut self, source: &Self, page: u64, mask: u8) {
        if mask == ALL_SECTORS {
            match source.0.get(&page) {
                Some(bytes) => self.0.insert(page, Arc::clone(bytes)),
                None => self.0.remove(&page),
            };
            return;
        }
        let mut bytes = [0; PAGE_BYTES as usize];
        source.copy_to(&mut bytes, page * PAGE_BYTES);
        let target = self.page_mut(page);
        for sector in (0..SECTORS).filter(|sector| mask & (1 << sector) != 0) {
            let range = (sector * SECTOR_BYTES) as usize..((sector + 1) * SECTOR_BYTES) as usize;
            target[range.clone()].copy_from_slice(&bytes[range]);
        }
    }

    fn cut(&mut self, len: u64) {
        drop(self.0.split_off(&len.div_ceil(PAGE_BYTES)));
        let within = (len % PAGE_BYTES) as usize;
        if within > 0 && self.0.contains_key(&(len / PAGE_BYTES)) {
            self.page_mut(len / PAGE_BYTES)[within..].fill(0);
        }
    }
}

impl Inode {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn allocated(&self) -> u64 {
        if self.linked || self.handles > 0 { self.allocated } else { 0 }
    }

    /// How much more space a write or an allocation up to `end` needs.
    pub(super) fn missing(&self, end: u64) -> u64 {
        end.next_multiple_of(PAGE_BYTES).saturating_sub(self.allocated)
    }

    pub(super) fn is_unreadable(&self, range: &Range<u64>) -> bool {
        self.unreadable.iter().any(|bad| bad.start < range.end && range.start < bad.end)
    }

    /// Whether a read of the range would wait for the medium.
    pub(super) fn is_cold(&self, range: &Range<u64>) -> bool {
        self.cold.range(page_range(range)).next().is_some()
    }

    pub(super) fn warm(&mut self, range: &Range<u64>) {
        for page in page_range(range) {
            self.cold.remove(&page);
        }
    }

    /// Copies what the cache has; returns how much lies within the file.
    pub(super) fn read(&self, buffer: &mut [u8], position: u64) -> usize {
        let count = self.within(buffer.len(), position);
        self.cache.copy_to(&mut buffer[..count], position);
        count
    }

    /// Copies what the medium has, but for what the cache still has to write: a real disk writes that first.
    pub(super) fn read_direct(&self, buffer: &mut [u8], position: u64) -> usize {
        let count = self.within(buffer.len(), position);
        let buffer = &mut buffer[..count];
        self.medium.copy_to(buffer, position);
        let pages = page_range(&(position..position + count as u64));
        for (page, mask) in self.dirty.range(pages.clone()).chain(self.orphaned.range(pages)) {
            self.cache.copy_sectors_to(buffer, position, *page, *mask);
        }
        count
    }

    fn within(&self, len: usize, position: u64) -> usize {
        len.min(usize::try_from(self.len.saturating_sub(position)).unwrap_or(usize::MAX))
    }

    pub(super) fn write(&mut self, bytes: &[u8], position: u64, chance: &mut Chance) {
        for (page, within, piece) in pieces(position, bytes.len()) {
            let piece = &bytes[piece];
            let mask = sectors(within, piece.len());
            self.write_back_before(page, mask, chance);
            self.cache.page_mut(page)[within..within + piece.len()].copy_from_slice(piece);
            self.mark_dirty(page, mask);
            self.cold.remove(&page);
        }
        self.grow(position + bytes.len() as u64);
        self.reserve(position + bytes.len() as u64);
    }

    /// The cache may have written an earlier version of a sector before it is overwritten.
    fn write_back_before(&mut self, page: u64, mask: u8, chance: &mut Chance) {
        let again = self.dirty.get(&page).copied().unwrap_or(0) & mask;
        if again != 0 && chance.happens(WRITTEN_BACK_PERCENT) {
            self.medium.take_sectors(&self.cache, page, again & chance.next() as u8);
        }
    }

    fn mark_dirty(&mut self, page: u64, mask: u8) {
        *self.dirty.entry(page).or_insert(0) |= mask;
        if let Some(orphaned) = self.orphaned.get_mut(&page) {
            *orphaned &= !mask;
        }
    }

    pub(super) fn allocate(&mut self, end: u64) {
        self.grow(end);
        self.reserve(end);
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.cut(len);
        }
        self.len = len;
    }

    fn cut(&mut self, len: u64) {
        for (page, within, piece) in pieces(len, (self.len - len) as usize) {
            self.mark_dirty(page, sectors(within, piece.len()));
        }
        self.cache.cut(len);
        self.allocated = self.allocated.min(len.next_multiple_of(PAGE_BYTES));
    }

    fn grow(&mut self, len: u64) {
        self.len = self.len.max(len);
    }

    fn reserve(&mut self, end: u64) {
        self.allocated = self.allocated.max(end.next_multiple_of(PAGE_BYTES));
    }

    pub(super) fn sync(&mut self) {
        for (page, mask) in std::mem::take(&mut self.dirty) {
            self.medium.take_sectors(&self.cache, page, mask);
        }
        self.len_medium = self.len;
    }

    /// A sync that fails: any of the dirty pages are lost, and all of them look clean (durability 17).
    pub(super) fn fail_sync(&mut self, chance: &mut Chance) {
        for (page, mask) in std::mem::take(&mut self.dirty) {
            if chance.happens(50) {
                self.medium.take_sectors(&self.cache, page, mask);
            }
        }
    }

    /// The last descriptor is gone, and with it whoever would have been told of a failing write-back.
    pub(super) fn orphan(&mut self) {
        for (page, mask) in std::mem::take(&mut self.dirty) {
            *self.orphaned.entry(page).or_insert(0) |= mask;
        }
    }

    /// The cache forgets what it need not write: what was lost in a failed sync shows.
    pub(super) fn evict(&mut self) {
        let mut fresh = self.medium.clone();
        for (page, mask) in self.dirty.iter().chain(&self.orphaned) {
            fresh.take_sectors(&self.cache, *page, *mask);
        }
        self.cache = fresh;
        self.cold =
            (0..self.len.div_ceil(PAGE_BYTES)).filter(|page| !self.dirty.contains_key(page)).collect();
    }

    /// The file as a machine finds it after a power cut.
    pub(super) fn survivor(&self, survival: Survival, chance: &mut Chance) -> Self {
        let mut medium = self.medium.clone();
        let mut unsure = self.dirty.clone();
        for (page, mask) in &self.orphaned {
            *unsure.entry(*page).or_insert(0) |= mask;
        }
        for (page, mask) in unsure {
            medium.take_sectors(&self.cache, page, mask & survival.sectors(chance));
        }
        let len = survival.between(self.len_medium, self.len, chance);
        medium.cut(len);
        let cold = (0..len.div_ceil(PAGE_BYTES)).collect();
        Self {
            cache: medium.clone(),
            medium,
            len,
            len_medium: len,
            cold,
            unreadable: self.unreadable.clone(),
            allocated: len.next_multiple_of(PAGE_BYTES),
            linked: true,
            ..Self::default()
        }
    }

    /// The file as a process finds it that starts after another one was killed.
    pub(super) fn inherited(&self, forgets: bool) -> Self {
        let mut inode = Self { handles: 0, ..self.clone() };
        if forgets {
            inode.orphan();
        }
        inode
    }

    pub(super) fn flip_bit(&mut self, position: u64, bit: u8) {
        let within = (position % PAGE_BYTES) as usize;
        for pages in [&mut self.cache, &mut self.medium] {
            pages.page_mut(position / PAGE_BYTES)[within] ^= 1 << (bit % 8);
        }
    }

    pub(super) fn shorten(&mut self, len: u64) {
        self.cache.cut(len);
        self.medium.cut(len);
        self.len = len;
        self.len_medium = len;
    }

    pub(super) fn spoil(&mut self, range: Range<u64>) {
        self.unreadable.push(range);
    }
}

fn page_range(range: &Range<u64>) -> Range<u64> {
    range.start / PAGE_BYTES..range.end.div_ceil(PAGE_BYTES)
}

/// The pages that `len` bytes at `position` touch: page, place within it, and which of the bytes go there.
fn pieces(position: u64, len: usize) -> impl Iterator<Item = (u64, usize, Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = position + done as u64;
        let within = (at % PAGE_BYTES) as usize;
        let piece = done..(done + PAGE_BYTES as usize - within).min(len);
        done = piece.end;
        Some((at / PAGE_BYTES, within, piece))
    })
}

/// The sectors of a page that `len` bytes at `within` touch, a bit each.
fn sectors(within: usize, len: usize) -> u8 {
    let first = within / SECTOR_BYTES as usize;
    let last = (within + len - 1) / SECTOR_BYTES as usize;
    (first..=last).fold(0, |mask, sector| mask | 1 << sector)
}
