use std::time::Duration;

use super::*;
use crate::{
    NotCommitted, TopicConfig,
    disk::FaultyDisk,
    store::{NewTopic, Round},
    testing::sized_batch,
};

const LAX: &[(&str, &str)] = &[("flush.messages", "100"), ("flush.ms", "1000")];

#[test]
fn durability_04_os_groups_are_answered_by_the_write_and_synced_when_due() {
    let bench = Bench::new();
    let topic = bench.topic("lax", 1, LAX);
    bench.fill(topic, 0, 1);
    bench.store.round().unwrap();
    let ticket = bench.place_batch(topic, 0, batch(5, None)).unwrap();
    assert_eq!(bench.store.round().unwrap(), Round { groups: 1, synced: false, wrote: true });
    ticket.wait().unwrap();
    assert!(!bench.store.round().unwrap().synced);
    bench.clock.advance(Duration::from_millis(1000));
    assert!(bench.store.round().unwrap().synced, "after flush.ms");
    for at in 0..20 {
        bench.place_batch(topic, 0, batch(5, None)).unwrap();
        assert_eq!(bench.store.round().unwrap().synced, at == 19, "after flush.messages");
    }
}

#[test]
fn durability_05_an_os_group_behind_an_fsync_group_waits_with_it() {
    let bench = Bench::new();
    let synced = bench.topic("synced", 1, &[]);
    let lax = bench.topic("lax", 2, LAX);
    let mut mixed = AppendGroup::new();
    mixed.push(synced, PartitionId(0), batch(1, None));
    mixed.push(lax, PartitionId(0), batch(1, None));
    bench.place(mixed).unwrap();
    bench.place_batch(lax, 0, batch(1, None)).unwrap();
    bench.place_batch(lax, 1, batch(1, None)).unwrap();
    let taken = bench.store.queue.take();
    let (early, late) = super::super::round::split_by_need(taken.groups);
    assert_eq!((early.len(), late.len()), (1, 2));
    assert_eq!(early[0].partitions[0].id(), PartitionId(1));
}

#[test]
fn durability_08_an_idle_journal_writes_one_witness() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.fill(topic, 0, 1);
    assert!(bench.store.round().unwrap().wrote);
    assert!(!bench.store.round().unwrap().wrote);
}

#[test]
fn durability_27_a_failed_sync_poisons_the_store() {
    let disk = Arc::new(FaultyDisk::new(3));
    let bench = Bench::on(disk.clone());
    let topic = bench.topic("orders", 1, &[]);
    bench.fill(topic, 0, 1);
    let ticket = bench.place_batch(topic, 0, batch(1, None)).unwrap();
    disk.fail_sync(disk.syncs());
    assert!(bench.store.round().is_err());
    assert_eq!(ticket.wait(), Err(NotCommitted::Failed));
    assert!(matches!(bench.place_batch(topic, 0, batch(1, None)), Err(AppendError::Poisoned(_))));
    assert!(bench.store.round().is_err());
    assert!(bench.store.poisoned().is_some());
}

#[test]
fn durability_15_a_full_journal_holds_appends_back_and_a_full_disk_refuses_them() {
    let disk = Arc::new(FaultyDisk::new(4));
    let bench = Bench::on(disk.clone());
    let topic = bench.topic("orders", 1, &[]);
    bench.append(topic, 0, sized_batch(1, 7000, None, NOW));
    // Without space for a checkpoint the journal cannot be freed.
    bench.store.write_checkpoint(false).unwrap();
    let mut refused = None;
    for _ in 0..2000 {
        disk.set_capacity(Some(0));
        if let Err(error) = bench.place_batch(topic, 0, sized_batch(1, 7000, None, NOW)) {
            refused = Some(error);
            break;
        }
        bench.store.round().unwrap();
    }
    assert_eq!(refused, Some(AppendError::DiskFull));
    disk.set_capacity(None);
    bench.append(topic, 0, sized_batch(1, 7000, None, NOW));
}

#[test]
fn threads_do_what_steps_do() {
    let options = Options { background: true, ..options() };
    let bench = {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let clock = Arc::new(crate::SystemClock::default());
        Store::open(options, disk, clock).unwrap().0
    };
    let overrides = Overrides::from([("segment.bytes".to_owned(), "50000".to_owned())]);
    let new = NewTopic { name: "orders".to_owned(), partitions: 4, overrides, keyed: false };
    let (topic, ticket) = bench.create_topic(new).unwrap();
    ticket.wait().unwrap();
    std::thread::scope(|scope| {
        for partition in 0..4 {
            let store = &bench;
            scope.spawn(move || (0..300).for_each(|_| append(store, topic, partition)));
        }
    });
    for partition in 0..4 {
        assert_eq!(read_all(&bench.partition(topic, PartitionId(partition)).unwrap()).len(), 300);
    }
    bench.shutdown().unwrap();
    assert_eq!(bench.topics().get(topic).unwrap().config.segment_bytes, 50_000);
    assert_ne!(TopicConfig::default().segment_bytes, 50_000);
}

fn append(store: &Store, topic: TopicId, partition: i32) {
    let mut group = AppendGroup::single(topic, PartitionId(partition), sized_batch(1, 2000, None, NOW));
    let ticket = loop {
        match store.append(&group) {
            Err(AppendError::NoRoom) => store.make_room(&mut group).unwrap(),
            result => break result.unwrap(),
        }
    };
    ticket.wait().unwrap();
}
