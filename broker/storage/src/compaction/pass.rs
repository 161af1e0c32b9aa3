//! One pass over a log (Kafka: `Cleaner.doClean`): the keys of its dirty part, then every segment before the end of that,
//! group by group, into other segments. Blocks all the while, and holds nothing.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use mainstem_protocol::{
    Offset, ProducerId, Timestamp,
    records::{Batch, BatchHeader, FilterError},
};

use super::{
    KeyMap,
    batches::{BatchCleaner, Indexer, LastWritten, Noted, Rest, Terms},
    choice::Dirt,
    source::Source,
    transactions::Transactions,
};
use crate::{
    config::TopicConfig,
    partition::AbortedIndex,
    segment::{Origin, ReadError, Segment, SegmentFiles, SegmentId},
    state::{Kept, SegmentState},
};

/// Bytes that are written at once. Their write-back is started then, and waited for before the next are written: what
/// the journal syncs meanwhile never waits behind more than this.
const WRITE_BYTES: usize = 256 * 1024;

/// What the entry of a swap says of a source.
const SOURCE_BYTES: usize = 12;

/// How many times the bytes of an entry one source alone may have, which cannot be split.
const ALONE: usize = 8;

/// Why a pass ends early. What it wrote so far is removed, unless it took the place of its sources already.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CleanError {
    /// The store stops, or the topic is deleted.
    #[error("the cleaning was stopped")]
    Stopped,
    /// A source is broken or cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A batch is not what it should be.
    #[error("the batch at offset {offset} cannot be cleaned: {error}")]
    Batch {
        /// Its base offset.
        offset: Offset,
        /// What is wrong.
        error: FilterError,
    },
    /// One segment alone has more than the entry that swaps it may say.
    #[error(
        "the segment at offset {base} has {count} aborted transactions, the journal takes {most} in one entry"
    )]
    TooManyAborted {
        /// Where it begins.
        base: Offset,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A cleaned segment cannot be written.
    #[error("a cleaned segment cannot be written: {0}")]
    Write(io::Error),
    /// A cleaned segment cannot be synced: the log directory is poisoned (durability 27).
    #[error("a cleaned segment cannot be synced: {0}")]
    Sync(io::Error),
}

/// What is to be cleaned, and how.
pub(crate) struct Job<'a> {
    pub(crate) files: &'a Arc<SegmentFiles>,
    pub(crate) folder: Arc<Path>,
    /// Every segment before the end of the dirty part, in order.
    pub(crate) segments: Vec<(SegmentState, Arc<Segment>)>,
    pub(crate) config: &'a TopicConfig,
    pub(crate) dirt: Dirt,
    pub(crate) now: Timestamp,
    pub(crate) aborted: &'a AbortedIndex,
    pub(crate) producers: BTreeMap<ProducerId, LastWritten>,
    /// Bytes that the map of keys may have.
    pub(crate) map_bytes: usize,
    /// Bytes of sources and aborted transactions that the entry of a swap should have at most.
    pub(crate) entry_bytes: usize,
    /// Is told, before each batch too, of all bytes that were read or written since; may wait, or end the pass.
    pub(crate) spend: &'a dyn Fn(u64) -> Result<(), CleanError>,
}

/// A pass whose keys are known.
pub(crate) struct Pass<'a> {
    job: Job<'a>,
    cleaner: BatchCleaner<'a>,
    /// Segments that were gone through.
    done: usize,
    /// Segments that have anything to be gone through.
    count: usize,
    /// Up to where the log is clean when all is done.
    pub(crate) clean_to: Offset,
    pub(crate) tally: Tally,
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) keys: usize,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
    /// Bytes of the segments that were gone through, and of what is left of them.
    pub(crate) bytes_before: u64,
    pub(crate) bytes_after: u64,
}

/// A group of segments, and what is left of it: durable, and not in the log yet.
#[derive(Debug)]
pub(crate) struct Rewritten {
    pub(crate) sources: Vec<SegmentId>,
    /// Behind the last record of the sources.
    pub(crate) upto: Offset,
    /// None where nothing is left.
    pub(crate) segment: Option<(SegmentState, Segment)>,
    /// The markers of aborted transactions among the sources that readers must still know of.
    pub(crate) aborted: Vec<Offset>,
}

impl<'a> Pass<'a> {
    /// Goes through the dirty part for its keys, as far as there is memory for them.
    pub(crate) fn begin(job: Job<'a>) -> Result<Self, CleanError> {
        let mut tally = Tally::default();
        let (keys, clean_to) = index(&job, &mut tally)?;
        tally.keys = keys.len();
        let terms = Terms {
            now: job.now,
            delete_retention_ms: job.config.delete_retention_ms,
            mapped_to: clean_to,
            end: job.dirt.end,
            producers: job.producers.clone(),
        };
        let count = job.segments.iter().take_while(|(segment, _)| segment.base < clean_to).count();
        let transactions = Transactions::new(job.aborted);
        let cleaner = BatchCleaner::new(keys, terms, transactions);
        Ok(Self { job, cleaner, done: 0, count, clean_to, tally })
    }

    /// Rewrites the next group of segments; `None` behind the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Rewritten>, CleanError> {
        let group = self.group();
        if group.is_empty() {
            return Ok(None);
        }
        let upto = self.base_of(self.done + group.len());
        self.check_entry(&group)?;
        self.done += group.len();
        let output = self.output(&group)?;
        match self.rewrite(&group, &output) {
            Ok(is_changed) => self.finish(&group, output, upto, is_changed).map(Some),
            Err(error) => {
                discard(&output);
                Err(error)
            }
        }
    }

    /// The next segments that together are not larger than one may be, nor what the journal is told of them.
    fn group(&self) -> Vec<(SegmentState, Arc<Segment>)> {
        let config = self.job.config;
        let most = config.segment_bytes.min(i32::MAX.unsigned_abs().into());
        let left = &self.job.segments[self.done..self.count];
        let (mut bytes, base) = (0, left.first().map_or(Offset::ZERO, |(first, _)| first.base));
        let mut entry = 0;
        let fits = |(at, (segment, _)): &(usize, &(SegmentState, Arc<Segment>))| {
            bytes += segment.end_position;
            entry += SOURCE_BYTES + Kept::bytes_of(self.aborted_in(self.done + at));
            let is_near = self.base_of(self.done + at + 1).0 - base.0 <= i64::from(i32::MAX);
            let entries = bytes / config.index_interval_bytes.max(1);
            let is_told = entry <= self.job.entry_bytes;
            *at == 0 || (bytes <= most && is_near && is_told && entries * 8 <= config.segment_index_bytes)
        };
        left.iter().enumerate().take_while(fits).map(|(_, segment)| segment.clone()).collect()
    }

    /// The markers of aborted transactions in a segment: the entry has a bit for each.
    fn aborted_in(&self, at: usize) -> usize {
        self.job.aborted.lock().count(self.base_of(at)..self.base_of(at + 1))
    }

    /// A segment alone may have so many that no frame of the journal takes them: it stays as it is, and what comes behind
    /// it, since a later pass could take a tombstone away whose record is in it.
    fn check_entry(&self, group: &[(SegmentState, Arc<Segment>)]) -> Result<(), CleanError> {
        let [(only, _)] = group else { return Ok(()) };
        let (count, most) = (self.aborted_in(self.done), ALONE * self.job.entry_bytes * 8);
        if count > most {
            return Err(CleanError::TooManyAborted { base: only.base, count, most });
        }
        Ok(())
    }

    /// Where a segment begins; behind the last one, where those end that are cleaned.
    fn base_of(&self, at: usize) -> Offset {
        self.job.segments.get(at).map_or(self.job.dirt.end, |(segment, _)| segment.base)
    }

    fn output(&self, group: &[(SegmentState, Arc<Segment>)]) -> Result<Segment, CleanError> {
        let first = group.first().map_or_else(|| Offset::ZERO.into(), |(first, _)| first.id());
        let id = SegmentId { revision: first.revision + 1, ..first };
        let Job { files, folder, config, .. } = &self.job;
        Segment::open(files, folder, id, config.index_interval_bytes, Origin::New).map_err(CleanError::Write)
    }

    /// Whether anything of them was dropped or written anew.
    fn rewrite(
        &mut self,
        group: &[(SegmentState, Arc<Segment>)],
        output: &Segment,
    ) -> Result<bool, CleanError> {
        let limit: u64 = group.iter().map(|(segment, _)| segment.end_position).sum();
        let mut writer = Writer { output, limit, waiting: Vec::new(), bytes: 0 };
        let mut is_changed = group.len() > 1;
        for (state, segment) in group {
            let mut source = Source::new(segment, 0, state.end_position);
            while let Some(batch) = source.next()? {
                self.job.spend(&mut self.tally, std::mem::take(&mut source.read), 0)?;
                let offset = batch.header().base_offset;
                let rest = self.cleaner.clean(&batch).map_err(|error| CleanError::Batch { offset, error })?;
                is_changed |= rest != Rest::Unchanged;
                writer.put(batch, rest);
                if writer.bytes >= WRITE_BYTES {
                    let written = writer.write()?;
                    self.job.spend(&mut self.tally, 0, written)?;
                }
            }
            self.tally.bytes_before += state.end_position;
        }
        let written = writer.write()?;
        self.job.spend(&mut self.tally, 0, written)?;
        Ok(is_changed)
    }

    fn finish(
        &mut self,
        group: &[(SegmentState, Arc<Segment>)],
        output: Segment,
        upto: Offset,
        is_changed: bool,
    ) -> Result<Rewritten, CleanError> {
        let aborted = self.cleaner.transactions.take_kept();
        let sources: Vec<_> = group.iter().map(|(segment, _)| segment.id()).collect();
        self.tally.bytes_after += output.end();
        let is_needless = !is_changed || output.end() == 0;
        if is_needless {
            discard(&output);
            let sources = if is_changed { sources } else { Vec::new() };
            return Ok(Rewritten { sources, upto, segment: None, aborted });
        }
        let first_timestamp = group.first().map_or(Timestamp::NONE, |(first, _)| first.first_timestamp);
        let state = SegmentState {
            base: output.base_offset(),
            revision: output.id().revision,
            end_position: output.end(),
            largest_timestamp: output.largest_timestamp(),
            first_timestamp,
        };
        let sealed = output.seal().map_err(CleanError::Write);
        if let Err(error) = sealed.and_then(|()| output.sync().map_err(CleanError::Sync)) {
            discard(&output);
            return Err(error);
        }
        Ok(Rewritten { sources, upto, segment: Some((state, output)), aborted })
    }
}

impl Job<'_> {
    fn spend(&self, tally: &mut Tally, read: u64, written: u64) -> Result<(), CleanError> {
        tally.bytes_read += read;
        tally.bytes_written += written;
        (self.spend)(read + written)
    }
}

/// Removes what takes nobody's place.
pub(crate) fn discard(segment: &Segment) {
    if let Err(error) = segment.remove() {
        tracing::warn!(?segment, %error, "what a cleaning wrote was not removed");
    }
}

/// The keys of the dirty part, and up to where they are all known.
fn index(job: &Job<'_>, tally: &mut Tally) -> Result<(KeyMap, Offset), CleanError> {
    let Dirt { from, end, .. } = job.dirt;
    let mut keys = KeyMap::new(u64::try_from(end.0 - from.0).unwrap_or(0), job.map_bytes);
    let mut indexer = Indexer::new(Transactions::new(job.aborted));
    let ends = job.segments.iter().skip(1).map(|(next, _)| next.base).chain([end]);
    for ((state, segment), behind) in job.segments.iter().zip(ends) {
        if behind <= from {
            continue;
        }
        let mut source = Source::new(segment, 0, state.end_position);
        while let Some(batch) = source.next()? {
            job.spend(tally, std::mem::take(&mut source.read), 0)?;
            let offset = batch.header().base_offset;
            let noted = indexer.note(&batch, from, &mut keys);
            if let Noted::UpTo(full) = noted.map_err(|error| CleanError::Batch { offset, error })? {
                return Ok((keys, full));
            }
        }
    }
    Ok((keys, end))
}

/// Puts batches into a cleaned segment, some at a time.
struct Writer<'a> {
    output: &'a Segment,
    /// More bytes than this it never gets, unless batches grow.
    limit: u64,
    waiting: Vec<(BatchHeader, bytes::Bytes)>,
    bytes: usize,
}

impl Writer<'_> {
    fn put(&mut self, batch: Batch, rest: Rest) {
        let batch = match rest {
            Rest::Nothing => return,
            Rest::Unchanged => batch,
            Rest::Rewritten(mut bytes) => Batch::split_from(&mut bytes).unwrap_or(batch),
        };
        self.bytes += batch.bytes().len();
        self.waiting.push((*batch.header(), batch.payload()));
    }

    fn write(&mut self) -> Result<u64, CleanError> {
        let bytes = std::mem::take(&mut self.bytes) as u64;
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(0);
        }
        self.output.wait_for_writeback().map_err(CleanError::Sync)?;
        let end = self.output.end() + bytes;
        self.output.reserve(end, self.limit).map_err(CleanError::Write)?;
        self.output.append(&waiting).map_err(CleanError::Write)?;
        self.output.start_writeback(1).map_err(CleanError::Write)?;
        Ok(bytes)
    }
}
