//! What the fuzz targets (`tests/fuzz`) reach of this package's insides. Compiled for them alone: `--cfg fuzzing`.

use std::{io::IoSlice, path::Path, sync::Arc};

use bytes::Bytes;

use crate::{
    caps::BLOCK_BYTES,
    checkpoint::Checkpoint,
    codec::Decoder,
    disk::{Disk, MemoryDisk, Open},
    ids::{Incarnation, Lsn},
    images::Images,
    journal::{
        Entry, Point, Reader, entry,
        file::{self, FOLDER, FileHeader},
        frame::{FrameHeader, FrameKind},
    },
};

/// Any bytes as the payload of a commit frame, and as what was written ahead of it.
///
/// # Panics
/// Where what was read is not read again from what is written.
pub fn journal_entries(payload: &[u8], ahead: &[u8]) {
    let Ok(entries) = entry::decode(Bytes::copy_from_slice(payload), Bytes::copy_from_slice(ahead)) else {
        return;
    };
    let written = entry::encode(&entries, false).concat();
    assert_eq!(entry::decode(written.into(), Bytes::new()), Ok(entries));
}

/// Any bytes as the content of a checkpoint, and as the entries of the journal behind it.
///
/// # Panics
/// Where what was read is not read again from what is written.
pub fn checkpoint(content: &[u8], entries: &[u8]) {
    let content = Decoder(Bytes::copy_from_slice(content));
    let Ok(checkpoint) = Checkpoint::decode(content) else { return };
    let written = checkpoint.encode().0;
    assert_eq!(Checkpoint::decode(Decoder(written.into())), Ok(checkpoint.clone()));

    let mut images = Images::of(checkpoint);
    let entries = entry::decode(Bytes::copy_from_slice(entries), Bytes::new()).unwrap_or_default();
    for entry in entries.iter().filter(|entry| !is_vast(entry)) {
        let _ = images.apply(entry);
    }
}

/// More partitions than this would only show how much memory there is.
const PARTITIONS_MAX: u32 = 100;

const fn is_vast(entry: &Entry) -> bool {
    match entry {
        Entry::TopicCreated(topic) => topic.partitions > PARTITIONS_MAX,
        Entry::PartitionsAdded { partitions, .. } => *partitions > PARTITIONS_MAX,
        _ => false,
    }
}

/// A journal of two files whose frames come from the input, with right checksums, and then some bytes of it changed.
///
/// # Panics
/// Where the frames that are read are not in order.
pub fn journal(mut input: &[u8]) {
    let disk = Arc::new(MemoryDisk::new());
    disk.create_dir_all(Path::new(FOLDER)).expect("memory");
    let first = file(&mut input, 1);
    let second = file(&mut input, 2);
    put(&*disk, 1, &first);
    put(&*disk, 2, &second);

    let start = Point { number: 1, position: BLOCK_BYTES, lsn: Lsn(1) };
    let Ok(mut reader) = Reader::open(disk, start, Incarnation(1)) else { return };
    let mut expected = Lsn(1);
    while let Ok(Some((header, payload))) = reader.next() {
        assert_eq!((header.lsn, header.payload_bytes as usize), (expected, payload.len()));
        expected = expected.next();
        journal_entries(&payload, &payload);
    }
}

/// The first bytes say how many frames there are and what becomes of the file once it is written.
fn file(input: &mut &[u8], number: u64) -> Vec<u8> {
    let [frames, first, damage_at, damage] = take(input);
    let incarnation = Incarnation(u64::from(damage & 1) + 1);
    let first = Lsn(u64::from(first % 16));
    let header = FileHeader { number, first, incarnation, file_bytes: 4 * BLOCK_BYTES };
    let mut bytes = header.encode();
    for _ in 0..frames % 16 {
        frame(input, &mut bytes);
    }
    bytes.resize((4 * BLOCK_BYTES as usize).max(bytes.len()), 0);
    let at = usize::from(damage_at) * bytes.len() / 256;
    bytes[at] ^= damage & 0xfe;
    bytes
}

fn frame(input: &mut &[u8], bytes: &mut Vec<u8>) {
    let [kind, lsn, incarnation, durable, group, size] = take(input);
    let payload = split(input, usize::from(size));
    let header = FrameHeader {
        kind: [FrameKind::Idle, FrameKind::Data, FrameKind::Commit][usize::from(kind % 3)],
        lsn: Lsn(u64::from(lsn % 32)),
        incarnation: Incarnation(u64::from(incarnation % 4)),
        durable: Lsn(u64::from(durable % 32)),
        group: u64::from(group),
        payload_bytes: payload.len() as u32,
    };
    if kind & 0x80 != 0 {
        bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES as usize), 0);
    }
    bytes.extend(header.encode(&[Bytes::copy_from_slice(payload)]));
    bytes.extend(payload);
}

fn put(disk: &dyn Disk, number: u64, bytes: &[u8]) {
    let file = disk.open(&file::path(number), Open::Create).expect("memory");
    file.write_at(&[IoSlice::new(bytes)], 0).expect("memory");
}

/// Bytes from the front; zeros where there are too few.
fn take<const N: usize>(input: &mut &[u8]) -> [u8; N] {
    let front = split(input, N);
    let mut bytes = [0; N];
    bytes[..front.len()].copy_from_slice(front);
    bytes
}

fn split<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (front, back) = input.split_at(count.min(input.len()));
    *input = back;
    front
}
