use std::{path::Path, sync::Arc};

use mainstem_protocol::{Offset, ProducerId, TopicId, records::BatchHeader};

use super::*;
use crate::{
    codec::Decoder,
    disk::{Disk, MemoryDisk, Open},
    partition::{KeyedState, Pending, PendingValue},
    state::AbortedTransaction,
    testing::{batch, transactional},
};

fn checkpoint(lsn: u64) -> Checkpoint {
    let mut state = PartitionState::default();
    for at in 0..7 {
        let header =
            BatchHeader { base_offset: Offset(at * 5), ..*batch(5, Some((1, 0, at as i32 * 5))).header() };
        state.append(&header, None, at % 3 == 0);
    }
    let open = BatchHeader { base_offset: Offset(35), ..*transactional(2, (2, 0, 0)).header() };
    state.append(&open, None, false);
    let aborted = AbortedTransaction {
        producer_id: ProducerId(9),
        first_offset: Offset(1),
        last_offset: Offset(7),
        last_stable_offset: Offset(8),
    };
    let aborted = Aborted::new(Offset::ZERO, [aborted]);
    let value = |key: &'static str, value: Option<&'static str>, is_superseded| PendingValue {
        offset: Offset(7),
        key: key.into(),
        value: value.map(Into::into),
        is_superseded,
    };
    let mut pending = Pending::default();
    pending.push(ProducerId(3), value("key", Some("new"), false));
    pending.push(ProducerId(3), value("gone", None, true));
    pending.push(ProducerId(4), value("key", Some("newer"), false));
    let keyed = KeyedState { values: KeyedValues::from([("key".into(), "value".into())]), pending };
    let topic = TopicSnapshot {
        id: TopicId([3; 16]),
        name: "orders".into(),
        keyed: true,
        overrides: Overrides::from([("retention.ms".into(), "1".into())]),
        partitions: vec![PartitionSnapshot { state, keyed, aborted }, PartitionSnapshot::default()],
    };
    let journal = Point { number: 4, position: 8192, lsn: Lsn(lsn + 1) };
    Checkpoint {
        lsn: Lsn(lsn),
        next_producer_id: ProducerId(2000),
        topics: vec![topic],
        ..Checkpoint::empty(Incarnation(3), journal)
    }
}

fn disk() -> Arc<MemoryDisk> {
    let disk = Arc::new(MemoryDisk::new());
    disk.create_dir_all(Path::new(FOLDER)).unwrap();
    disk
}

fn write(disk: &Arc<MemoryDisk>, lsn: u64) {
    Reserve::new(disk.clone()).write(&checkpoint(lsn)).unwrap();
}

#[test]
fn a_checkpoint_reads_back_as_written() {
    let content = checkpoint(9).encode().0;
    assert_eq!(Checkpoint::decode(Decoder(content.into())).unwrap(), checkpoint(9));
}

#[test]
fn checkpoint_of_the_first_versions_has_no_settings_of_resources() {
    let content: Bytes = checkpoint(9).encode().0.into();
    let before = content.slice(..content.len() - 4);
    assert_eq!(Checkpoint::decode(Decoder(before)).unwrap(), checkpoint(9));
}

#[test]
fn settings_of_resources_read_back_as_written() {
    let overrides = Overrides::from([("log.retention.ms".into(), "1".into())]);
    let resources = Resources::from([(crate::config::Resource::Brokers, overrides)]);
    let written = Checkpoint { resources, ..checkpoint(9) };
    assert_eq!(Checkpoint::decode(Decoder(written.encode().0.into())).unwrap(), written);
}

#[test]
fn every_cut_of_a_checkpoint_is_an_error() {
    let content: Bytes = checkpoint(9).encode().0.into();
    // The first versions ended before the settings of resources, of which there are none here.
    let first_versions = content.len() - 4;
    for end in (0..content.len()).filter(|end| *end != first_versions) {
        assert!(Checkpoint::decode(Decoder(content.slice(..end))).is_err());
    }
}

#[test]
fn the_newest_is_found_and_the_older_ones_go() {
    let disk = disk();
    assert!(find(&*disk).unwrap().is_none());
    write(&disk, 5);
    write(&disk, 70);
    assert_eq!(find(&*disk).unwrap().unwrap().checkpoint, checkpoint(70));
    Reserve::new(disk.clone()).remove_before(Lsn(70)).unwrap();
    assert_eq!(disk.list(Path::new(FOLDER)).unwrap().len(), 1);
}

#[test]
fn a_damaged_one_is_named_and_its_predecessor_found() {
    let disk = disk();
    write(&disk, 5);
    write(&disk, 70);
    disk.open(&path(Lsn(70)), Open::Write).unwrap().set_len(30).unwrap();
    let found = find(&*disk).unwrap().unwrap();
    assert_eq!(found.checkpoint, checkpoint(5));
    assert_eq!(found.damaged.unwrap().0, Lsn(70));
    disk.open(&path(Lsn(5)), Open::Write).unwrap().set_len(30).unwrap();
    assert!(find(&*disk).is_err());
}

#[test]
fn durability_15_a_checkpoint_goes_into_its_reserve() {
    let disk = disk();
    let mut reserve = Reserve::new(disk.clone());
    reserve.refill(100).unwrap();
    reserve.write(&checkpoint(7)).unwrap();
    assert_eq!(read(&*disk, Lsn(7)).unwrap(), checkpoint(7));
    assert_eq!(disk.list(Path::new(FOLDER)).unwrap().len(), 1);
}
