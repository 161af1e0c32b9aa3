use std::{io::IoSlice, path::Path};

use mainstem_protocol::LeaderEpoch;

use super::*;
use crate::{
    JournalError, Lsn,
    checkpoint::{self, TopicSnapshot},
    disk::{FaultyDisk, Open},
    ids::Incarnation,
    journal::file,
    testing::sized_batch,
};

/// Everything that is folded, as a checkpoint of now would have it.
fn folded(bench: &Bench) -> (Lsn, Vec<TopicSnapshot>) {
    let checkpoint = bench.store.snapshot(&bench.store.journal(), false);
    (checkpoint.lsn, checkpoint.topics)
}

fn busy(bench: &Bench) -> TopicId {
    let topic = bench.topic("orders", 2, &[("segment.bytes", "500")]);
    for at in 0..10 {
        bench.append(topic, 0, batch(5, Some((7, 0, at * 5))));
        bench.append(topic, 1, batch(1, None));
    }
    topic
}

#[test]
fn a_start_finds_what_was_committed() {
    let bench = Bench::new();
    assert!(bench.recovery.is_new);
    let topic = busy(&bench);
    let (before, read) = (folded(&bench), bench.read(topic, 0));
    let bench = bench.restart();
    assert_eq!((bench.recovery.is_new, bench.recovery.was_clean, bench.recovery.groups), (false, false, 21));
    assert_eq!(folded(&bench), before);
    assert_eq!(bench.read(topic, 0), read);
    assert_eq!(bench.append(topic, 0, batch(1, Some((7, 0, 50)))).0, 50);
}

#[test]
fn a_clean_stop_leaves_nothing_to_recover() {
    let bench = Bench::new();
    let topic = busy(&bench);
    bench.store.shutdown().unwrap();
    let before = folded(&bench);
    let bench = bench.restart();
    assert_eq!((bench.recovery.was_clean, bench.recovery.groups), (true, 0));
    assert_eq!(folded(&bench), before);
    bench.fill(topic, 1, 1);
    let bench = bench.restart();
    assert_eq!((bench.recovery.was_clean, bench.recovery.groups), (false, 1));
}

#[test]
fn a_checkpoint_shortens_what_a_start_reads() {
    let bench = Bench::new();
    let topic = busy(&bench);
    bench.store.write_checkpoint(false).unwrap();
    bench.fill(topic, 0, 3);
    let before = folded(&bench);
    let bench = bench.restart();
    assert_eq!(bench.recovery.groups, 3);
    assert_eq!(folded(&bench), before);
    assert_eq!(bench.read(topic, 0).len(), 13);
}

#[test]
fn what_was_not_committed_is_gone_after_a_start() {
    let bench = Bench::new();
    let topic = busy(&bench);
    let before = folded(&bench);
    bench.place_batch(topic, 0, batch(5, None)).unwrap();
    let bench = bench.restart();
    assert_eq!(folded(&bench).1, before.1);
}

#[test]
fn durability_02_what_lies_behind_the_end_is_cut_off() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.fill(topic, 0, 3);
    let segment = bench.partition(topic, 0).segments()[0].clone();
    // A batch that has exactly the next base offset, as a lost append may leave it.
    let stale = bench.read(topic, 0)[2];
    let stale = BatchHeader { base_offset: Offset(15), ..stale };
    let file = bench.disk.open(&segment.log_path(), Open::Write).unwrap();
    file.write_at(&[IoSlice::new(&stale.encode())], segment.end()).unwrap();
    drop((segment, file));
    let bench = bench.restart();
    assert_eq!(bench.partition(topic, 0).high_watermark(), Offset(15));
    bench.append(topic, 0, batch(1, None));
    assert_eq!(ends(&bench.read(topic, 0)), [5, 10, 15, 16]);
}

#[test]
fn durability_08_rot_in_the_journal_refuses_to_start_and_changes_nothing() {
    let bench = Bench::new();
    busy(&bench);
    bench.store.round().unwrap();
    let file = bench.disk.open(&file::path(0), Open::Write).unwrap();
    file.write_at(&[IoSlice::new(b"rot")], 3 * 4096 + 40).unwrap();
    drop(file);
    let (disk, _folder) = (bench.disk.clone(), bench.folder.clone());
    let error = bench.try_restart().err().unwrap();
    let OpenError::Journal(JournalError::Damaged { path, range, .. }) = error else { panic!("{error}") };
    assert_eq!(path, file::path(0));
    assert!(range.contains(&(3 * 4096 + 40)), "{range:?}");
    let again = Bench::open(options(), disk).err().unwrap();
    assert!(matches!(again, OpenError::Journal(JournalError::Damaged { .. })));
}

#[test]
fn durability_12_replay_writes_no_bytes_of_deleted_topics_and_segments() {
    let bench = Bench::new();
    let kept = bench.topic("kept", 1, &[("segment.bytes", "500")]);
    let gone = bench.topic("gone", 1, &[]);
    bench.store.write_checkpoint(false).unwrap();
    bench.fill(kept, 0, 10);
    bench.fill(gone, 0, 10);
    bench.store.move_log_start(kept, PartitionId(0), Offset(42)).unwrap();
    bench.store.delete_topic(gone).unwrap();
    bench.store.round().unwrap();
    bench.store.cleanup_step();
    assert!(bench.disk.list(&crate::partition::topic_folder(gone)).is_err());
    let before = folded(&bench);
    let bench = bench.restart();
    assert_eq!(folded(&bench), before);
    assert!(bench.disk.list(&crate::partition::topic_folder(gone)).is_err());
    assert_eq!(ends(&bench.read(kept, 0)), [45, 50]);
    // The segment that is written to, and the one with offset 42.
    assert!(bench.recovery.bytes < 5 * 111, "{}", bench.recovery.bytes);
}

#[test]
fn durability_12_a_start_finishes_interrupted_removals() {
    let bench = Bench::new();
    let gone = bench.topic("gone", 2, &[]);
    bench.fill(gone, 0, 1);
    bench.fill(gone, 1, 1);
    let kept = bench.topic("kept", 1, &[("segment.bytes", "200")]);
    bench.fill(kept, 0, 3);
    bench.store.write_checkpoint(false).unwrap();
    bench.store.delete_topic(gone).unwrap();
    bench.store.move_log_start(kept, PartitionId(0), Offset(10)).unwrap();
    bench.store.round().unwrap();
    let bench = bench.restart();
    assert!(bench.recovery.files_removed >= 4, "{:?}", bench.recovery);
    assert!(bench.disk.list(&crate::partition::topic_folder(gone)).is_err());
    assert!(bench.store.topics().get(gone).is_none());
    assert_eq!(ends(&bench.read(kept, 0)), [15]);
}

#[test]
fn durability_14_a_short_or_missing_segment_is_damage() {
    for damage in ["short", "missing"] {
        let bench = Bench::new();
        let topic = bench.topic("orders", 1, &[]);
        bench.fill(topic, 0, 3);
        bench.store.shutdown().unwrap();
        let path = bench.partition(topic, 0).segments()[0].log_path();
        match damage {
            "short" => bench.disk.open(&path, Open::Write).unwrap().set_len(100).unwrap(),
            _ => bench.disk.remove(&path).unwrap(),
        }
        let error = bench.try_restart().err().unwrap();
        assert!(matches!(&error, OpenError::Segments(damages) if damages.len() == 1), "{error}");
        assert!(error.to_string().contains(".log"), "{error}");
    }
}

#[test]
fn durability_14_a_missing_checkpoint_or_journal_refuses_to_start() {
    let open = |spoil: &dyn Fn(&Bench)| {
        let bench = Bench::new();
        busy(&bench);
        spoil(&bench);
        bench.try_restart().err().unwrap()
    };
    let checkpoint = open(&|bench| bench.disk.remove(&checkpoint::path(Lsn(0))).unwrap());
    assert!(matches!(checkpoint, OpenError::Missing { .. }), "{checkpoint}");
    let journal = open(&|bench| bench.disk.remove(&file::path(0)).unwrap());
    assert!(matches!(journal, OpenError::Journal(JournalError::Missing { .. })), "{journal}");
    let meta = open(&|bench| bench.disk.remove(Path::new("meta")).unwrap());
    assert!(matches!(meta, OpenError::Missing { .. }), "{meta}");
}

#[test]
fn durability_14_a_damaged_checkpoint_gives_way_to_an_older_one_where_the_journal_reaches_far_enough() {
    let bench = Bench::new();
    let topic = busy(&bench);
    let before = folded(&bench);
    let newer =
        checkpoint::Checkpoint { is_clean: false, ..bench.store.snapshot(&bench.store.journal(), false) };
    // A crash before the older one was removed, and rot in the newer one.
    checkpoint::write(&*bench.disk, &newer).unwrap();
    bench.disk.open(&checkpoint::path(newer.lsn), Open::Write).unwrap().set_len(50).unwrap();
    let bench = bench.restart();
    assert_eq!(folded(&bench), before);
    assert_eq!(bench.read(topic, 0).len(), 10);
}

#[test]
fn durability_18_partitions_that_may_have_lost_records_have_a_higher_epoch() {
    let bench = Bench::new();
    let synced = bench.topic("synced", 1, &[]);
    let lax = bench.topic("lax", 1, &[("flush.messages", "1000000")]);
    bench.fill(synced, 0, 1);
    bench.fill(lax, 0, 1);
    let bench = bench.restart();
    assert_eq!(bench.partition(synced, 0).leader_epoch(), LeaderEpoch(0));
    let partition = bench.partition(lax, 0);
    assert_eq!(partition.leader_epoch(), LeaderEpoch(1));
    assert_eq!(partition.end_offset_for_epoch(LeaderEpoch(0)), (LeaderEpoch(0), Offset(5)));
    assert_eq!(partition.end_offset_for_epoch(LeaderEpoch(1)), (LeaderEpoch(1), Offset(5)));
    assert_eq!(partition.end_offset_for_epoch(LeaderEpoch(-2)), (LeaderEpoch(-2), Offset(0)));
    assert_eq!(partition.end_offset_for_epoch(LeaderEpoch(2)), (LeaderEpoch(-1), Offset(-1)));
    drop(partition);
    bench.fill(lax, 0, 1);
    assert_eq!(bench.read(lax, 0)[1].leader_epoch, LeaderEpoch(1));
    bench.store.shutdown().unwrap();
    let bench = bench.restart();
    assert_eq!(bench.partition(lax, 0).leader_epoch(), LeaderEpoch(1));
}

#[test]
fn durability_19_a_second_broker_and_a_newer_format_are_refused() {
    let bench = Bench::new();
    let second = Bench::open(options(), bench.disk.clone()).err().unwrap();
    assert!(matches!(second, OpenError::Lock(_)), "{second}");
    assert!(second.to_string().contains(&std::process::id().to_string()), "{second}");
    let meta = bench.disk.open(Path::new("meta"), Open::Write).unwrap();
    meta.write_at(&[IoSlice::new(&9_u32.to_le_bytes())], 8).unwrap();
    drop(meta);
    let newer = bench.try_restart().err().unwrap();
    assert!(newer.to_string().contains("format 9"), "{newer}");
}

#[test]
fn durability_07_each_start_has_its_incarnation_and_the_node_keeps_its_name() {
    let bench = Bench::new();
    let first = bench.store.identity().clone();
    assert_eq!(first.incarnation, Incarnation(1));
    let bench = bench.restart();
    assert_eq!(bench.store.identity().incarnation, Incarnation(2));
    assert_eq!(bench.store.identity().cluster_id, first.cluster_id);
}

#[test]
fn durability_10_a_group_without_its_commit_frame_never_was() {
    let bench = Bench::new();
    let topic = bench.topic("big", 1, &[]);
    let mut group = AppendGroup::single(topic, PartitionId(0), sized_batch(1, 100_000, None, NOW));
    bench.store.make_room(&mut group).unwrap();
    bench.fill(topic, 0, 1);
    let before = folded(&bench);
    drop(group);
    let bench = bench.restart();
    assert_eq!(folded(&bench).1, before.1);
}

#[test]
fn the_journal_is_recycled_many_times_and_everything_is_found() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 3, &[("segment.bytes", "20000")]);
    for at in 0..1500 {
        bench.append(topic, at % 3, sized_batch(1, 3000, None, NOW));
        bench.store.upkeep_step().unwrap();
    }
    let stats = bench.store.stats();
    assert!(stats.checkpointed > Lsn(0) && stats.journal_used_bytes < stats.journal_bytes, "{stats:?}");
    let before = folded(&bench);
    let bench = bench.restart();
    assert_eq!(folded(&bench), before);
    assert!(bench.recovery.groups < 300);
    assert_eq!((0..3).map(|at| bench.read(topic, at).len()).sum::<usize>(), 1500);
}

#[test]
fn durability_01_at_every_power_cut_an_acknowledged_append_survives() {
    let disk = Arc::new(FaultyDisk::new(1));
    let bench = Bench::on(disk.clone());
    let topic = bench.topic("orders", 2, &[("segment.bytes", "500")]);
    for at in 0..12 {
        bench.append(topic, at % 2, batch(5, Some((7, 0, at / 2 * 5))));
        if at == 7 {
            bench.store.write_checkpoint(false).unwrap();
        }
        let acknowledged: Vec<_> = (0..2).map(|at| bench.read(topic, at)).collect();
        for seed in 0..5 {
            let after = Bench::on(Arc::new(disk.cut(seed)));
            let found: Vec<_> = (0..2).map(|at| after.read(topic, at)).collect();
            assert_eq!(found, acknowledged, "append {at}, seed {seed}");
        }
    }
}
