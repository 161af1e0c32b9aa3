//! Any bytes as the files of a segment: its batches, with headers that may be right, and both indexes behind trailers
//! that are.

#![no_main]

use std::{io::IoSlice, path::Path, sync::Arc};

use libfuzzer_sys::fuzz_target;
use mainstem_protocol::{
    LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp,
    records::{Attributes, BatchHeader, Tail, batches, builder::write_header, header::HEADER_BYTES},
};
use mainstem_storage::{
    disk::{Disk, MemoryDisk, Open},
    segment::{Limit, Origin, Segment, SegmentFiles, Wait, file_name},
};

const BASE: Offset = Offset(1000);

fuzz_target!(|data: &[u8]| {
    let [shape, offset, time, offset_index, time_index, rest @ ..] = data else { return };
    let rest = &mut &*rest;
    let offset_index = split(rest, usize::from(*offset_index));
    let time_index = split(rest, usize::from(*time_index));
    let log = if shape & 1 == 0 { rest.to_vec() } else { log(rest) };

    let disk = Arc::new(MemoryDisk::new());
    let folder: Arc<Path> = Path::new("topic-0").into();
    disk.create_dir_all(&folder).expect("memory");
    let put = |extension, bytes: &[u8]| {
        let path = folder.join(file_name(BASE, extension));
        let file = disk.open(&path, Open::Create).expect("memory");
        file.write_at(&[IoSlice::new(bytes)], 0).expect("memory");
    };
    put("log", &log);
    let covered = if shape & 2 == 0 { log.len() as u64 } else { u64::from(shape >> 4) * 16 };
    put("index", &index(*b"MSOX", 8, offset_index, covered));
    put("timeindex", &index(*b"MSTX", 12, time_index, covered));

    let files = SegmentFiles::new(disk.clone());
    let origin = Origin::Known { end: log.len() as u64, largest: Timestamp(i64::from(*time)) };
    let segment = Segment::open(&files, &folder, BASE, 64, origin).expect("known");
    query(&segment, Offset(BASE.0 + i64::from(*offset)), Timestamp(i64::from(*time)));
});

fn query(segment: &Segment, offset: Offset, time: Timestamp) {
    let end = segment.end();
    let limit = Limit { end, bytes_max: 300, at_least_one: true };
    for wait in [Wait::No, Wait::Yes] {
        if let Ok(Some(range)) = segment.read(offset, limit, wait) {
            let bytes = mainstem_protocol::records::RecordsRange::bytes(&range).expect("memory");
            for batch in batches(bytes, Tail::Report) {
                batch.expect("a range is of whole batches");
            }
        }
        let _ = segment.position_of(offset, end, wait);
    }
    let _ = segment.record_at_time(time, offset, end);
    let _ = segment.record_with_largest_time(offset, end);
    let mut last = 0;
    let _ = segment.headers(end, |position, header| {
        assert!(position >= last);
        last = position + header.size() as u64;
        true
    });
    assert!(last <= end);
}

/// Batches whose offsets, timestamps and sizes come from the input, with right checksums.
fn log(mut input: &[u8]) -> Vec<u8> {
    let mut log = Vec::new();
    let mut next = BASE;
    while let [gap, count, time, size, rest @ ..] = input {
        input = rest;
        let records = split(&mut input, usize::from(size % 64));
        let header = header(next.plus(i64::from(gap % 4)), i32::from(*count), i64::from(*time as i8));
        let mut batch = [&[0; HEADER_BYTES][..], records].concat();
        write_header(&mut batch, &header);
        next = header.next_offset();
        log.extend(batch);
    }
    log
}

fn header(base_offset: Offset, record_count: i32, time: i64) -> BatchHeader {
    BatchHeader {
        base_offset,
        length: 0,
        leader_epoch: LeaderEpoch(0),
        crc: 0,
        attributes: Attributes((record_count & 15) as i16),
        last_offset_delta: record_count,
        base_timestamp: Timestamp(0),
        max_timestamp: Timestamp(time),
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        base_sequence: Sequence::NONE,
        record_count,
    }
}

fn index(magic: [u8; 4], entry_bytes: usize, entries: &[u8], covered: u64) -> Vec<u8> {
    let count = entries.len() / entry_bytes;
    let mut bytes = entries[..count * entry_bytes].to_vec();
    bytes.extend(magic);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((count as u64).to_le_bytes());
    bytes.extend(covered.to_le_bytes());
    bytes.extend(i64::MAX.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend([0; 4]);
    bytes
}

fn split<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (front, back) = bytes.split_at(count.min(bytes.len()));
    *bytes = back;
    front
}
