//! A start: the lock, who we are, the checkpoint, the journal's tail, and only then a store.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, RwLock,
        atomic::{AtomicBool, AtomicU64},
    },
};

use arc_swap::ArcSwap;
use mainstem_protocol::{LeaderEpoch, Offset, PartitionId, TopicId};

use super::{
    AppendError, Options, Poisoned, Store, Topics,
    checkpoints::Checkpoints,
    cleaning::Cleaner,
    control::Control,
    producer_ids::ProducerIds,
    queue::Queue,
    recovery::{self, Recovered},
    rests::LastWrite,
    retention::millis,
    round::{Journal, Unsynced},
    threads::Threads,
    upkeep::Upkeep,
};
use crate::{
    caps::{BLOCK_BYTES, INITIAL_TASK_DELAY},
    checkpoint::{self, Checkpoint, Reserve},
    clock::Clock,
    disk::{Disk, LockError, Open, whole::TEMPORARY_SUFFIX},
    envelope::EnvelopeError,
    ids::{Incarnation, Lsn},
    journal::{
        Entry, JournalError, Layout, Point, Pool, Writer,
        file::{self, FOLDER as JOURNAL, FileHeader},
        pool::{self, PoolFile},
    },
    meta::{self, Identity},
    partition::{Partition, TOPICS},
    segment::{Segment, SegmentFiles, SegmentId},
};

/// What a start found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The directory was empty before.
    pub is_new: bool,
    /// The last stop was in order.
    pub was_clean: bool,
    /// Groups that only the journal had.
    pub groups: u64,
    /// Bytes of records that were written into segments again.
    pub bytes: u64,
    /// Partitions whose leader epoch rose, since they may have lost what was not synced (rule 18).
    pub epochs_raised: u64,
    /// Files that a deletion or a lost append had left.
    pub files_removed: u64,
}

/// Why a data directory cannot be opened. Nothing was changed, but for the incarnation.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// `meta` or a checkpoint cannot be read.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file that must be there is not.
    #[error("{path} is missing, {why}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// How we know.
        why: &'static str,
    },
    /// Journal, checkpoint and segments do not belong together.
    #[error("{path} is damaged: {what}")]
    Inconsistent {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Segments are missing or shorter than a checkpoint says.
    #[error("{} damaged segments, the first: {}", .0.len(), .0.first().map_or("", String::as_str))]
    Segments(Vec<String>),
    /// The journal takes nothing.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A sync failed.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// The disk does not do what it should; a full one among others.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the disk said.
        source: io::Error,
    },
}

pub(super) fn io_error(what: &'static str) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Io { what, source }
}

impl Store {
    /// Opens the data directory on `disk`; a new one is made where there is none. Blocks.
    ///
    /// # Errors
    /// Where somebody else has it, it is damaged, or the disk does not do what it should.
    pub fn open(
        mut options: Options,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Arc<Self>, Recovery), OpenError> {
        let lock = disk.lock(Path::new("lock"))?;
        let layout = Layout::new(options.journal_bytes);
        let (last, is_new) = identity(&*disk, &options, layout)?;
        let identity = Identity { incarnation: Incarnation(last.incarnation.0 + 1), ..last.clone() };
        identity.write(&*disk).map_err(io_error("meta cannot be written"))?;
        remove_temporary(&*disk).map_err(io_error("unfinished files cannot be removed"))?;
        let files = match options.append.take() {
            Some(append) => SegmentFiles::with_append(Arc::clone(&disk), append),
            None => SegmentFiles::new(Arc::clone(&disk)),
        };
        let recovered = recovery::recover(&disk, &files, &options, last.incarnation)?;
        let (store, recovery) = assemble(options, disk, clock, files, identity, lock, recovered)?;
        let recovery = Recovery { is_new, ..recovery };
        if store.options.background {
            store.start_threads().map_err(io_error("a thread cannot be started"))?;
        }
        Ok((store, recovery))
    }
}

/// Who we are: as `meta` says, or new where the directory is empty.
fn identity(disk: &dyn Disk, options: &Options, layout: Layout) -> Result<(Identity, bool), OpenError> {
    match Identity::read(disk)? {
        Some(identity) => Ok((identity, false)),
        None if has_data(disk).map_err(io_error("the directory cannot be listed"))? => {
            Err(OpenError::Missing { path: meta::PATH.into(), why: "but there are topics" })
        }
        None => initialize(disk, options, layout)
            .map(|identity| (identity, true))
            .map_err(io_error("the directory cannot be made")),
    }
}

/// `meta` is written last, with the first incarnation: without it nothing was ever appended.
fn has_data(disk: &dyn Disk) -> io::Result<bool> {
    match disk.list(Path::new(TOPICS)) {
        Ok(entries) => Ok(!entries.is_empty()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn initialize(disk: &dyn Disk, options: &Options, layout: Layout) -> io::Result<Identity> {
    for folder in [JOURNAL, checkpoint::FOLDER, TOPICS] {
        disk.create_dir_all(Path::new(folder))?;
    }
    disk.sync_dir(Path::new(""))?;
    let identity = Identity::new(options.node_id);
    let (incarnation, file_bytes) = (identity.incarnation, layout.first_file_bytes);
    let header = FileHeader { number: 0, first: Lsn(1), incarnation, file_bytes };
    pool::create(disk, 0, file_bytes, &header.encode())?;
    let point = Point { number: 0, position: BLOCK_BYTES, lsn: Lsn(1) };
    checkpoint::write(disk, &Checkpoint::empty(identity.incarnation, point))?;
    Ok(identity)
}

fn remove_temporary(disk: &dyn Disk) -> io::Result<()> {
    for folder in ["", JOURNAL, checkpoint::FOLDER] {
        for entry in disk.list(Path::new(folder))? {
            if !entry.is_dir && entry.name.ends_with(TEMPORARY_SUFFIX) {
                disk.remove(&Path::new(folder).join(entry.name))?;
            }
        }
    }
    Ok(())
}

/// The journal's files as the start goes on with them: up to the one that is written, and those behind it.
fn pool_files(
    disk: &dyn Disk,
    files: &BTreeMap<u64, u64>,
    last: u64,
) -> io::Result<(Vec<PoolFile>, Vec<PoolFile>)> {
    let (mut used, mut free) = (Vec::new(), Vec::new());
    for (&number, &bytes) in files {
        let file = disk.open(&file::path(number), Open::Write)?;
        let file = PoolFile { number, bytes, file };
        let follows = free.last().map_or(last, |free: &PoolFile| free.number) + 1;
        match number {
            number if number <= last => used.push(file),
            number if number == follows => free.push(file),
            // A gap in the numbers: nothing refers to what lies behind it.
            _ => disk.remove(&file::path(number))?,
        }
    }
    Ok((used, free))
}

fn assemble(
    options: Options,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    files: Arc<SegmentFiles>,
    identity: Identity,
    lock: crate::disk::DiskLock,
    recovered: Recovered,
) -> Result<(Arc<Store>, Recovery), OpenError> {
    let Recovered {
        images,
        point,
        next_group,
        journal_files,
        mut segments,
        checkpoint,
        folders,
        first_file,
        needs_checkpoint,
        recovery,
    } = recovered;
    let layout = Layout::new(options.journal_bytes);
    let broken = io_error("the journal's files cannot be opened");
    let (used, free) = pool_files(&*disk, &journal_files, point.number).map_err(broken)?;
    let missing = || OpenError::Missing { path: file::path(point.number), why: "the journal ends in it" };
    let current = used.last().cloned().ok_or_else(missing)?;
    let pool = Arc::new(Pool::new(Arc::clone(&disk), layout, used, free));
    let writer = Writer::new(Arc::clone(&pool), identity.incarnation, current, point);
    let kept_back = (layout.journal_bytes / 16).min(1024 * 1024);
    let queue = Queue::new(point.lsn, next_group, writer.room(), kept_back);
    let journal = Journal {
        writer,
        dirty: segments.clone(),
        written: BTreeMap::new(),
        unsynced: Unsynced::default(),
        next_producer_id: images.next_producer_id,
    };
    let producer_ids = ProducerIds::behind(images.next_producer_id);
    options.topic_defaults.warn_of_contradiction(&images.resources, identity.node_id);
    let topic_defaults = options.topic_defaults.of_broker(&images.resources, identity.node_id);
    let rest = INITIAL_TASK_DELAY.min(options.retention_check_interval);
    let first_retention = clock.monotonic().saturating_add(rest).as_millis() as u64;
    let store = Store {
        clock,
        identity,
        pool,
        files,
        queue: Arc::new(queue),
        journal: Mutex::new(journal),
        topics: ArcSwap::default(),
        resources: ArcSwap::from_pointee(images.resources),
        topic_defaults: ArcSwap::from_pointee(topic_defaults),
        control: Mutex::new(Control::default()),
        producer_ids: Mutex::new(producer_ids),
        publication: RwLock::new(()),
        allocation: Mutex::new(()),
        checkpoints: Mutex::new(Checkpoints { reserve: Reserve::new(Arc::clone(&disk)) }),
        checkpointed: AtomicU64::new(checkpoint.0),
        is_checkpoint_asked: AtomicBool::new(false),
        is_stuck: AtomicBool::new(false),
        retention_due: AtomicU64::new(first_retention),
        producer_expiration: AtomicU64::new(millis(options.producer_expiration)),
        upkeep: Upkeep::default(),
        cleaner: Cleaner::new(options.cleaner),
        last_write: LastWrite::default(),
        threads: Threads::default(),
        poisoned: OnceLock::new(),
        options,
        disk,
        _lock: lock,
    };
    let mut topics = Topics::default();
    for image in images.topics.into_values() {
        topics.insert(store.topic_of(image, &mut segments)?);
    }
    store.topics.store(Arc::new(topics));
    store.upkeep.note_folders(folders);
    store.pool.recycle_below(first_file).map_err(io_error("the journal cannot be recycled"))?;
    let recovery = store.finish_recovery(needs_checkpoint, recovery)?;
    Ok((Arc::new(store), recovery))
}

impl Store {
    fn topic_of(
        &self,
        image: crate::images::TopicImage,
        segments: &mut BTreeMap<(TopicId, PartitionId, Offset), Arc<Segment>>,
    ) -> Result<super::Topic, OpenError> {
        let crate::images::TopicImage { new, partitions } = image;
        let mut opened = Vec::with_capacity(partitions.len());
        for (number, partition) in partitions.into_iter().enumerate() {
            let id = PartitionId(number as i32);
            let interval =
                self.topic_defaults().with(&new.overrides).map_or(4096, |config| config.index_interval_bytes);
            let files =
                recovery::open_segments(&self.files, (new.id, id), &partition.state, interval, segments)
                    .map_err(io_error("a segment cannot be opened"))?;
            opened.push(Some((partition, files)));
        }
        Ok(self.new_topic(&new, |number| opened[number as usize].take().unwrap_or_default()))
    }

    /// Only when the tail is durable: a power cut might take back what tells us of the deletions.
    fn remove_orphans(&self) -> Result<u64, OpenError> {
        let topics = self.topics();
        let partitions = |topic| topics.get(topic).map_or(0, |topic| topic.partitions.len());
        let has_segment = |topic, partition, id: SegmentId| {
            let found = topics.get(topic).and_then(|topic| topic.partition(partition));
            let segment = found.and_then(|partition| partition.segment(id.base));
            segment.is_some_and(|segment| segment.id() == id)
        };
        let removed = recovery::remove_orphans(&*self.disk, &partitions, &has_segment);
        removed.map_err(io_error("files that were left cannot be removed"))
    }

    /// What must be done before anybody has the store.
    fn finish_recovery(&self, needs_checkpoint: bool, recovery: Recovery) -> Result<Recovery, OpenError> {
        if needs_checkpoint {
            self.write_checkpoint(false)?;
        }
        if recovery.was_clean {
            return Ok(recovery);
        }
        let (files_removed, epochs_raised) = (self.remove_orphans()?, self.raise_epochs()?);
        if recovery.groups > 0 {
            self.ask_for_checkpoint();
        }
        Ok(Recovery { files_removed, epochs_raised, ..recovery })
    }

    /// Partitions whose topic does not wait for syncs may have lost what was acknowledged (rule 18).
    fn raise_epochs(&self) -> Result<u64, OpenError> {
        let topics = self.topics().sorted();
        let lax = topics.iter().filter(|topic| !topic.config.is_synced());
        let partitions: Vec<_> = lax.flat_map(|topic| topic.partitions.iter().cloned()).collect();
        for some in partitions.chunks(EPOCHS_PER_GROUP) {
            self.raise_epochs_of(some)?;
        }
        Ok(partitions.len() as u64)
    }

    fn raise_epochs_of(&self, partitions: &[Arc<Partition>]) -> Result<(), OpenError> {
        let entries: Vec<_> = partitions.iter().map(raised_epoch).collect();
        if self.place_own(entries.clone(), partitions.to_vec()).is_err() {
            // The journal is full of what was just recovered.
            self.write_checkpoint(false)?;
            self.place_own(entries, partitions.to_vec())?;
        }
        self.round()?;
        Ok(())
    }
}

/// So many entries fit into a frame of the smallest journal.
const EPOCHS_PER_GROUP: usize = 200;

fn raised_epoch(partition: &Arc<Partition>) -> Entry {
    let epoch = LeaderEpoch(partition.leader_epoch().0 + 1);
    Entry::LeaderEpochRaised { topic: partition.topic(), partition: partition.id(), epoch }
}
