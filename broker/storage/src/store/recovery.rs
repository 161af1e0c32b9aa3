//! Recovery: the checkpoint and the journal's tail say what is; the segments are made to hold it (durability §4).
//!
//! The tail is read twice. The first time everything is folded, without a file: that tells which segments still hold
//! anything of a log at the end. The second time the bytes of those are written, all of them, whether or not the files
//! "already have" them; bytes of deleted topics and segments are not.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, IoSlice},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{Offset, PartitionId, TopicId, records::BatchHeader};

use super::{
    Options, Recovery,
    open::{OpenError, io_error},
};
use crate::{
    caps::BLOCK_BYTES,
    checkpoint::{self, Checkpoint, Found},
    disk::{Disk, DiskFile, Open},
    ids::{Incarnation, Lsn},
    images::Images,
    journal::{
        Entry, PlacedBatch, Point, Reader, entry,
        file::{self, padded},
        frame::FrameKind,
    },
    partition::{TOPICS, partition_folder, topic_folder, topic_of_folder},
    segment::{Origin, Segment, SegmentFiles, SegmentId, file_name, parse_file_name},
    state::{PartitionState, SegmentState},
};

type Key = (TopicId, PartitionId);
type Opened = BTreeMap<(TopicId, PartitionId, Offset), Arc<Segment>>;

/// What a start goes on with.
pub(super) struct Recovered {
    pub(super) images: Images,
    /// Where the journal goes on.
    pub(super) point: Point,
    pub(super) next_group: u64,
    pub(super) journal_files: BTreeMap<u64, u64>,
    /// Segments that were written to, and folders that were made: not durable yet, the journal's tail is.
    pub(super) segments: Opened,
    pub(super) folders: BTreeSet<PathBuf>,
    /// The LSN of the checkpoint that was found, and the first file of the journal that it needs.
    pub(super) checkpoint: Lsn,
    pub(super) first_file: u64,
    /// The checkpoint is not the newest that there was.
    pub(super) needs_checkpoint: bool,
    pub(super) recovery: Recovery,
}

/// A group of the tail.
pub(crate) struct Group {
    lsn: Lsn,
    entries: Vec<Entry>,
}

/// The groups of the tail, one after the other.
pub(crate) struct Tail {
    reader: Reader,
    behind: Lsn,
    ahead: HashMap<u64, BytesMut>,
    next_group: u64,
}

/// `incarnation` is the last one that ran.
pub(super) fn recover(
    disk: &Arc<dyn Disk>,
    files: &Arc<SegmentFiles>,
    options: &Options,
    incarnation: Incarnation,
) -> Result<Recovered, OpenError> {
    let gone = || OpenError::Missing { path: checkpoint::FOLDER.into(), why: "there is no checkpoint in it" };
    let Found { checkpoint, damaged } = checkpoint::find(&**disk)?.ok_or_else(gone)?;
    // Whoever wrote it may have been killed before it synced the folder; the journal is recycled on the strength of it.
    disk.sync_dir(Path::new(checkpoint::FOLDER)).map_err(io_error("the checkpoints cannot be synced"))?;
    let was_clean = checkpoint.is_clean && checkpoint.incarnation == incarnation && damaged.is_none();
    let known = segments_of(&checkpoint);
    let (first, lsn, next_group) = (checkpoint.journal, checkpoint.lsn, checkpoint.next_group);
    let mut tail = Tail::open(disk, &checkpoint)?;
    let mut images = Images::of(checkpoint.clone());
    let mut recovery = Recovery { was_clean, ..Recovery::default() };
    if !was_clean {
        while let Some(group) = tail.next()? {
            recovery.groups += 1;
            group.apply(&mut images)?;
        }
    }
    let point = if was_clean { first } else { tail.reader.point() };
    let needs_checkpoint = damaged.is_some();
    reaches(point, lsn, damaged)?;
    check_segments(&**disk, &known, &images)?;
    if !was_clean {
        renew_tail(&**disk, first, point).map_err(io_error("the journal's tail cannot be written again"))?;
    }
    let (segments, folders) = match recovery.groups {
        0 => Default::default(),
        _ => rewrite(disk, files, &checkpoint, &images, options, &mut recovery)?,
    };
    let journal_files = tail.reader.files().clone();
    let next_group = next_group.max(tail.next_group);
    Ok(Recovered {
        folders,
        first_file: first.number,
        images,
        point,
        next_group,
        journal_files,
        segments,
        checkpoint: lsn,
        needs_checkpoint,
        recovery,
    })
}

/// Whoever wrote the tail may have been killed before its sync, and no sync of ours vouches for the writes of others: it
/// is written again, byte for byte, and synced, before anything is done because of it (rule 17). Then it need not be
/// anywhere else.
fn renew_tail(disk: &dyn Disk, first: Point, last: Point) -> io::Result<()> {
    for number in first.number..=last.number {
        let file = disk.open(&file::path(number), Open::Write)?;
        let start =
            if number == first.number { first.position / BLOCK_BYTES * BLOCK_BYTES } else { BLOCK_BYTES };
        let end = if number == last.number { padded(last.position) } else { file.len()? };
        renew(&*file, 0..BLOCK_BYTES)?;
        renew(&*file, start..end)?;
        file.sync_data()?;
    }
    disk.sync_dir(Path::new(file::FOLDER))
}

/// Writes what the medium has.
fn renew(file: &dyn DiskFile, range: Range<u64>) -> io::Result<()> {
    let bytes = RENEWED_BYTES.min((range.end.saturating_sub(range.start)) as usize);
    let mut buffer = vec![0; bytes];
    let mut position = range.start;
    while position < range.end {
        let count = buffer.len().min((range.end - position) as usize);
        let read = file.read_direct(&mut buffer[..count], position)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_at(&[IoSlice::new(&buffer[..read])], position)?;
        position += read as u64;
    }
    Ok(())
}

/// Bytes that are written again at once.
const RENEWED_BYTES: usize = 1024 * 1024;

/// A journal that ends before what its checkpoint, or a damaged newer one, has seen is damaged.
fn reaches(
    point: Point,
    lsn: Lsn,
    damaged: Option<(Lsn, crate::envelope::EnvelopeError)>,
) -> Result<(), OpenError> {
    if let Some((newer, error)) = damaged
        && point.lsn <= newer
    {
        return Err(error.into());
    }
    if point.lsn <= lsn {
        let what = format!("it ends before frame {}, the checkpoint is of {lsn}", point.lsn);
        return Err(OpenError::Inconsistent { path: file::path(point.number), what });
    }
    Ok(())
}

impl Group {
    pub(crate) fn apply(&self, images: &mut Images) -> Result<(), OpenError> {
        self.entries.iter().try_for_each(|entry| images.apply(entry)).map_err(|error| {
            OpenError::Inconsistent {
                path: file::FOLDER.into(),
                what: format!("group {}: {error}", self.lsn),
            }
        })
    }
}

impl Tail {
    pub(crate) fn open(disk: &Arc<dyn Disk>, checkpoint: &Checkpoint) -> Result<Self, OpenError> {
        let reader = Reader::open(Arc::clone(disk), checkpoint.journal, checkpoint.incarnation)?;
        Ok(Self { reader, behind: checkpoint.lsn, ahead: HashMap::new(), next_group: 1 })
    }

    /// The next group that is complete; `None` where the journal ends.
    pub(crate) fn next(&mut self) -> Result<Option<Group>, OpenError> {
        while let Some((header, payload)) = self.reader.next()? {
            self.next_group = self.next_group.max(header.group + 1);
            match header.kind {
                FrameKind::Idle => {}
                FrameKind::Data => self.ahead.entry(header.group).or_default().extend_from_slice(&payload),
                FrameKind::Commit => {
                    let ahead = self.ahead.remove(&header.group).unwrap_or_default().freeze();
                    if header.lsn > self.behind {
                        return group(header.lsn, payload, ahead).map(Some);
                    }
                }
            }
        }
        Ok(None)
    }
}

fn group(lsn: Lsn, payload: Bytes, ahead: Bytes) -> Result<Group, OpenError> {
    let damaged = |error: crate::codec::DecodeError| OpenError::Inconsistent {
        path: file::FOLDER.into(),
        what: format!("group {lsn}: {error}"),
    };
    Ok(Group { lsn, entries: entry::decode(payload, ahead).map_err(damaged)? })
}

/// The segments of a checkpoint, each with what it holds.
pub(crate) fn segments_of(checkpoint: &Checkpoint) -> BTreeMap<(TopicId, PartitionId, Offset), SegmentState> {
    let topics = checkpoint.topics.iter();
    let partitions = topics.flat_map(|topic| {
        (0..).map(PartitionId).zip(&topic.partitions).map(|(id, partition)| (topic.id, id, partition))
    });
    let segments = partitions.flat_map(|(topic, id, partition)| {
        partition.state.segments.iter().map(move |segment| ((topic, id, segment.base), *segment))
    });
    segments.collect()
}

/// Anything shorter than its checkpoint says is damage (rule 14); all of it is named. Nothing is opened: that would be
/// most of a start with many partitions.
fn check_segments(
    disk: &dyn Disk,
    known: &BTreeMap<(TopicId, PartitionId, Offset), SegmentState>,
    images: &Images,
) -> Result<(), OpenError> {
    let is_needed =
        |topic, partition, segment: &SegmentState| images.has_segment(topic, partition, segment.id());
    let known = known.iter().map(|((topic, partition, _), segment)| (*topic, *partition, *segment));
    let needed = known.filter(|(topic, partition, segment)| is_needed(*topic, *partition, segment));
    // What a cleaning wrote was durable before the journal spoke of it.
    let cleaned = images.segments().filter(|(.., segment)| segment.revision > 0);
    let needed: BTreeSet<_> = needed
        .chain(cleaned)
        .map(|(topic, partition, segment)| (topic, partition, segment.id(), segment.end_position))
        .collect();
    let damages: Vec<_> = needed
        .into_iter()
        .filter_map(|(topic, partition, id, end)| {
            let path = partition_folder(topic, partition).join(file_name(id, "log"));
            check_len(disk, &path, end).err()
        })
        .collect();
    if damages.is_empty() { Ok(()) } else { Err(OpenError::Segments(damages)) }
}

fn check_len(disk: &dyn Disk, path: &Path, end: u64) -> Result<(), String> {
    let len = disk.len_of(path).map_err(|error| error.to_string())?;
    if len >= end {
        return Ok(());
    }
    Err(format!("{} has {len} bytes of the {end} that were made durable", path.display()))
}

pub(super) fn open_known(
    files: &Arc<SegmentFiles>,
    (topic, partition): Key,
    segment: &SegmentState,
    interval: u64,
) -> io::Result<Segment> {
    let folder: Arc<Path> = partition_folder(topic, partition).into();
    let origin = Origin::Known { end: segment.end_position, largest: segment.largest_timestamp };
    Segment::open(files, &folder, segment.id(), interval, origin)
}

/// The segments of a partition; those that were written to are open already.
pub(super) fn open_segments(
    files: &Arc<SegmentFiles>,
    key: Key,
    state: &PartitionState,
    interval: u64,
    opened: &mut Opened,
) -> io::Result<Vec<Arc<Segment>>> {
    let open = |segment: &SegmentState| match opened.remove(&(key.0, key.1, segment.base)) {
        Some(opened) => Ok(opened),
        None => open_known(files, key, segment, interval).map(Arc::new),
    };
    state.segments.iter().map(open).collect()
}

/// The second reading: bytes of the segments that still count go where the fold says, from the checkpoint's end on. They
/// are on their way to the disk then; the next checkpoint waits for them, as for all that is newer than the last one.
fn rewrite(
    disk: &Arc<dyn Disk>,
    files: &Arc<SegmentFiles>,
    checkpoint: &Checkpoint,
    images: &Images,
    options: &Options,
    recovery: &mut Recovery,
) -> Result<(Opened, BTreeSet<PathBuf>), OpenError> {
    let mut rewriter = Rewriter {
        disk,
        files,
        images,
        options,
        ends: ends_of(checkpoint),
        opened: Opened::new(),
        folders: BTreeSet::new(),
    };
    let mut tail = Tail::open(disk, checkpoint)?;
    for _ in 0..recovery.groups {
        let Some(group) = tail.next()? else { break };
        for entry in &group.entries {
            if let Entry::Batch(batch) = entry {
                recovery.bytes += rewriter.write(batch).map_err(io_error("a segment cannot be written"))?;
            }
        }
    }
    rewriter.finish().map_err(io_error("write-back does not start"))
}

/// The last segment of each partition, as far as it was written.
type Ends = HashMap<Key, SegmentState>;

fn ends_of(checkpoint: &Checkpoint) -> Ends {
    let mut ends = Ends::new();
    for ((topic, partition, _), segment) in segments_of(checkpoint) {
        ends.insert((topic, partition), segment);
    }
    ends
}

struct Rewriter<'a> {
    disk: &'a Arc<dyn Disk>,
    files: &'a Arc<SegmentFiles>,
    images: &'a Images,
    options: &'a Options,
    ends: Ends,
    opened: Opened,
    folders: BTreeSet<PathBuf>,
}

impl Rewriter<'_> {
    /// Returns the bytes that were written.
    fn write(&mut self, batch: &PlacedBatch) -> io::Result<u64> {
        let key = (batch.topic, batch.partition);
        let header: &BatchHeader = &batch.header;
        let before = self.ends.get(&key).copied().filter(|_| !batch.starts_segment);
        let is_new = before.is_none();
        let before =
            before.unwrap_or_else(|| SegmentState::starting(header.base_offset, header.max_timestamp));
        let mut after = before;
        after.append(header);
        self.ends.insert(key, after);
        if !self.images.has_segment(key.0, key.1, before.id()) {
            return Ok(0);
        }
        let segment = self.segment(key, &before, is_new)?;
        segment.append(&[(*header, batch.records.clone())])?;
        Ok(batch.bytes())
    }

    fn segment(&mut self, key: Key, before: &SegmentState, is_new: bool) -> io::Result<Arc<Segment>> {
        let id = (key.0, key.1, before.base);
        if let Some(segment) = self.opened.get(&id) {
            return Ok(Arc::clone(segment));
        }
        let interval = self.interval(key.0);
        let segment = if is_new {
            self.create(key, before.base, interval)?
        } else {
            open_known(self.files, key, before, interval)?
        };
        let segment = Arc::new(segment);
        self.opened.insert(id, Arc::clone(&segment));
        Ok(segment)
    }

    fn create(&mut self, key: Key, base: Offset, interval: u64) -> io::Result<Segment> {
        let folder = partition_folder(key.0, key.1);
        self.disk.create_dir_all(&folder)?;
        self.folders.extend(folder.ancestors().skip(1).map(Path::to_owned));
        Segment::open(self.files, &folder.into(), base, interval, Origin::New)
    }

    fn interval(&self, topic: TopicId) -> u64 {
        let overrides = self.images.topics.get(&topic).map(|topic| &topic.new.overrides);
        let config = overrides.and_then(|overrides| self.options.topic_defaults.with(overrides).ok());
        config.map_or(self.options.topic_defaults.index_interval_bytes, |config| config.index_interval_bytes)
    }

    fn finish(self) -> io::Result<(Opened, BTreeSet<PathBuf>)> {
        self.opened.values().try_for_each(|segment| segment.start_writeback(1))?;
        Ok((self.opened, self.folders))
    }
}

/// Removes files that no log has: an unlink was interrupted, or what made them was lost with the tail.
pub(super) fn remove_orphans(
    disk: &dyn Disk,
    partitions: &dyn Fn(TopicId) -> usize,
    has_segment: &dyn Fn(TopicId, PartitionId, SegmentId) -> bool,
) -> io::Result<u64> {
    let mut removed = 0;
    for entry in disk.list(Path::new(TOPICS))? {
        let Some(topic) = topic_of_folder(&entry.name) else { continue };
        let partitions = partitions(topic);
        let has_segment = |partition, id| has_segment(topic, partition, id);
        removed += remove_orphans_of(disk, &topic_folder(topic), partitions, &has_segment)?;
        if partitions == 0 {
            disk.remove_dir(&topic_folder(topic))?;
        }
    }
    Ok(removed)
}

fn remove_orphans_of(
    disk: &dyn Disk,
    topic: &Path,
    partitions: usize,
    has_segment: &dyn Fn(PartitionId, SegmentId) -> bool,
) -> io::Result<u64> {
    let mut removed = 0;
    for entry in disk.list(topic)? {
        let Ok(number) = entry.name.parse::<u32>() else { continue };
        let folder = topic.join(&entry.name);
        for file in disk.list(&folder)? {
            let id = parse_file_name(&file.name).map(|(id, _)| id);
            if id.is_none_or(|id| !has_segment(PartitionId(number as i32), id)) {
                disk.remove(&folder.join(&file.name))?;
                removed += 1;
            }
        }
        if number as usize >= partitions {
            disk.remove_dir(&folder)?;
        }
    }
    Ok(removed)
}
