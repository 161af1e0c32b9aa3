//! A data directory for the table of cases: a few groups, each in a journal frame of its own, and what was there
//! after each.

use std::{
    io::IoSlice,
    path::{Path, PathBuf},
};

use mainstem_protocol::{PartitionId, TopicId};
use mainstem_storage::{
    AppendGroup,
    disk::{Disk, FaultyDisk, Open},
};

use crate::{
    image::{Image, Value},
    node::{JOURNAL_BYTES, Kind, Node, batch},
};

/// A journal frame, where it stands and what it says (`docs/formats.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) path: PathBuf,
    pub(crate) position: u64,
    pub(crate) bytes: u64,
    pub(crate) kind: u8,
    pub(crate) lsn: u64,
}

const FRAME_HEADER_BYTES: usize = 72;
const COMMIT: u8 = 2;

pub(crate) struct Scene {
    pub(crate) disk: FaultyDisk,
    /// What was there at first, and after each group since.
    pub(crate) images: Vec<Image>,
    topic: TopicId,
    value: u64,
}

impl Scene {
    /// A topic, and ten groups, each synced by itself; the process was killed then.
    pub(crate) fn new() -> Self {
        let disk = FaultyDisk::new(1);
        let node = Node::open(&disk).unwrap();
        let (topic, _) = node.create_topic("topic", 2, Kind::SYNCED).unwrap();
        assert!(node.round());
        let mut scene = Self { disk, images: vec![node.image().unwrap()], topic, value: 0 };
        (0..10).for_each(|_| scene.append_to(&node, 1, 100));
        scene.killed(node)
    }

    fn killed(self, node: Node) -> Self {
        let disk = self.disk.killed(7);
        drop(node);
        Self { disk, ..self }
    }

    /// The same on another disk.
    pub(crate) fn on(self, disk: FaultyDisk) -> Self {
        Self { disk, ..self }
    }

    pub(crate) fn copy(&self) -> Self {
        Self { disk: self.disk.killed(7), images: self.images.clone(), topic: self.topic, value: self.value }
    }

    /// Goes on in a new process and is killed again.
    fn live(mut self, act: impl FnOnce(&mut Self, &Node)) -> Self {
        let node = Node::open(&self.disk).unwrap();
        act(&mut self, &node);
        self.killed(node)
    }

    pub(crate) fn restarted(self) -> Self {
        self.live(|scene, node| scene.images = vec![node.image().unwrap()])
    }

    pub(crate) fn checkpointed(self) -> Self {
        self.live(|_, node| assert!(node.checkpoint()))
    }

    /// The journal's first files were used again.
    pub(crate) fn recycled(self) -> Self {
        self.live(|scene, node| {
            for _ in 0..2 * JOURNAL_BYTES / 4096 {
                scene.append_to(node, 1, 100);
                assert!(node.checkpoint());
            }
        })
    }

    /// The journal fell idle and said so.
    pub(crate) fn idle(self) -> Self {
        self.live(|scene, node| {
            scene.append_to(node, 1, 100);
            assert!(node.round());
            assert!(node.round());
        })
    }

    /// Two more groups whose frames were written and synced at once, so that neither vouches for the other.
    pub(crate) fn unsynced_pair(self) -> Self {
        self.live(|scene, node| {
            for _ in 0..2 {
                drop(node.append(scene.group(1, 100)).unwrap());
            }
            assert!(node.round());
            let image = node.image().unwrap();
            let before = scene.images.last().unwrap().clone();
            scene.images.extend([before, image]);
        })
    }

    /// One more group that has data frames before its commit frame.
    pub(crate) fn big_group(self) -> Self {
        self.live(|scene, node| scene.append_to(node, 5, 9000))
    }

    pub(crate) fn without_topic(self) -> Self {
        self.live(|scene, node| {
            drop(node.store.delete_topic(scene.topic).unwrap());
            assert!(node.round());
            node.clean_up();
            scene.images = vec![node.image().unwrap()];
        })
    }

    /// Appends so many records in one group, in another process; what is there then.
    pub(crate) fn append(&mut self, records: u64) -> Image {
        let node = Node::open(&self.disk).unwrap();
        self.append_to(&node, records, 100);
        self.images.last().unwrap().clone()
    }

    fn append_to(&mut self, node: &Node, records: u64, bytes: usize) {
        let ticket = node.append(self.group(records, bytes)).unwrap();
        assert!(node.round());
        ticket.wait().unwrap();
        self.images.push(node.image().unwrap());
    }

    fn group(&mut self, records: u64, bytes: usize) -> AppendGroup {
        let values: Vec<_> = (self.value..self.value + records).map(Value).collect();
        self.value += records;
        AppendGroup::single(self.topic, PartitionId(0), batch(&values, bytes, None))
    }

    /// The commit frame that so many follow.
    pub(crate) fn commit(&self, from_the_last: usize) -> Frame {
        let mut frames: Vec<_> = self.frames().into_iter().filter(|frame| frame.kind == COMMIT).collect();
        frames.sort_by_key(|frame| frame.lsn);
        frames[frames.len() - 1 - from_the_last].clone()
    }

    fn frames(&self) -> Vec<Frame> {
        self.journal_files().iter().flat_map(|path| frames_of(path, &self.contents(path))).collect()
    }

    /// Turns a bit of the frame's payload over.
    pub(crate) fn flip(&self, frame: &Frame) {
        self.disk.flip_bit(&frame.path, frame.position + frame.bytes - 3, 4).unwrap();
    }

    pub(crate) fn erase(&self, frame: &Frame) {
        self.overwrite(&frame.path, frame.position, &vec![0; frame.bytes as usize]);
    }

    pub(crate) fn journal_files(&self) -> Vec<PathBuf> {
        self.within("journal", ".journal")
    }

    pub(crate) fn checkpoints(&self) -> Vec<PathBuf> {
        self.within("checkpoint", ".checkpoint")
    }

    /// A file of the last segment.
    pub(crate) fn segment(&self, extension: &str) -> PathBuf {
        let id = u128::from_be_bytes(self.topic.0);
        let files = self.within(&format!("topics/{id:032x}/0"), &format!(".{extension}"));
        files.last().expect("a segment").clone()
    }

    fn within(&self, folder: &str, suffix: &str) -> Vec<PathBuf> {
        let entries = self.disk.list(Path::new(folder)).unwrap();
        let files = entries.iter().filter(|entry| entry.name.ends_with(suffix));
        files.map(|entry| Path::new(folder).join(&entry.name)).collect()
    }

    pub(crate) fn lose_all(&self, folder: &str) {
        self.within(folder, "").iter().for_each(|path| self.disk.lose(path).unwrap());
    }

    pub(crate) fn contents(&self, path: &Path) -> Vec<u8> {
        Self::read(&self.disk, path)
    }

    pub(crate) fn read(disk: &FaultyDisk, path: &Path) -> Vec<u8> {
        let file = disk.open(path, Open::Read).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    /// Writes durably.
    pub(crate) fn overwrite(&self, path: &Path, position: u64, bytes: &[u8]) {
        let file = self.disk.open(path, Open::Create).unwrap();
        file.write_at(&[IoSlice::new(bytes)], position).unwrap();
        file.sync_data().unwrap();
        self.disk.sync_dir(path.parent().unwrap()).unwrap();
    }
}

fn frames_of(path: &Path, bytes: &[u8]) -> Vec<Frame> {
    let places =
        (0..bytes.len().saturating_sub(FRAME_HEADER_BYTES)).filter(|at| bytes[*at..].starts_with(b"MSFR"));
    let frame = |at: usize| {
        let header = &bytes[at..at + FRAME_HEADER_BYTES];
        let payload = u32::from_le_bytes(header[8..12].try_into().unwrap());
        Frame {
            path: path.to_owned(),
            position: at as u64,
            bytes: (FRAME_HEADER_BYTES as u64) + u64::from(payload),
            kind: header[12],
            lsn: u64::from_le_bytes(header[16..24].try_into().unwrap()),
        }
    };
    places.map(frame).collect()
}
