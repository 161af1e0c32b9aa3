//! What a faulty disk may lose, and what it may not.

use std::{
    io::IoSlice,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{super::whole, *};

fn create(disk: &FaultyDisk, name: &str) -> Arc<dyn DiskFile> {
    disk.open(Path::new(name), Open::Create).unwrap()
}

fn write(file: &dyn DiskFile, bytes: &[u8], position: u64) {
    file.write_at(&[IoSlice::new(bytes)], position).unwrap();
}

fn contents(disk: &FaultyDisk, name: &str) -> Option<Vec<u8>> {
    whole::read_direct(disk, Path::new(name)).ok()
}

#[test]
fn synced_bytes_survive_every_cut() {
    let disk = FaultyDisk::new(1);
    let file = create(&disk, "a");
    write(&*file, &[1; 10_000], 0);
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    write(&*file, &[2; 10_000], 10_000);
    for seed in 0..200 {
        let survivor = contents(&disk.cut(seed), "a").unwrap();
        assert_eq!(survivor[..10_000], [1; 10_000]);
    }
}

#[test]
fn unsynced_sectors_survive_in_every_combination() {
    let disk = FaultyDisk::new(1);
    let file = create(&disk, "a");
    write(&*file, &[1; 8192], 0);
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    write(&*file, &[2; 8192], 0);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..500 {
        let survivor = contents(&disk.cut(seed), "a").unwrap();
        let (first, second) = survivor.split_at(4096);
        let kind = |page: &[u8]| (page.contains(&1), page.contains(&2));
        seen.insert((kind(first), kind(second)));
        assert!(survivor.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
    }
    // Each of the two pages old, new, or torn.
    assert_eq!(seen.len(), 9);
}

#[test]
fn earlier_version_of_an_unsynced_sector_may_survive() {
    let survivors = (0..200).filter(|seed| {
        let disk = FaultyDisk::new(*seed);
        let file = create(&disk, "a");
        disk.sync_dir(Path::new("")).unwrap();
        write(&*file, b"first", 0);
        write(&*file, b"other", 0);
        contents(&disk.cut(*seed), "a").unwrap() == b"first"
    });
    assert!(survivors.count() > 0);
}

#[test]
fn names_are_lost_until_their_folder_is_synced() {
    let disk = FaultyDisk::new(1);
    create(&disk, "old").sync_data().unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    disk.rename(Path::new("old"), Path::new("new")).unwrap();
    create(&disk, "fresh").sync_data().unwrap();
    let names = |disk: &FaultyDisk| {
        disk.list(Path::new("")).unwrap().into_iter().map(|entry| entry.name).collect::<Vec<_>>().join(" ")
    };
    let seen: std::collections::BTreeSet<_> = (0..200).map(|seed| names(&disk.cut(seed))).collect();
    assert_eq!(seen, ["fresh new", "fresh old", "new", "old"].map(str::to_owned).into());
    disk.sync_dir(Path::new("")).unwrap();
    assert!((0..50).all(|seed| names(&disk.cut(seed)) == "fresh new"));
}

#[test]
fn replaced_file_is_old_or_new_at_every_cut() {
    let disk = FaultyDisk::new(1);
    whole::replace(&disk, Path::new("a"), &[1; 5000]).unwrap();
    let cuts = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&cuts);
    disk.observe(move |disk, event| {
        for seed in 0..50 {
            let survivor = contents(&disk.cut(seed), "a").unwrap();
            assert!(survivor == [1; 5000] || survivor == [2; 6000], "torn at {event:?}");
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    whole::replace(&disk, Path::new("a"), &[2; 6000]).unwrap();
    disk.unobserve();
    assert!(cuts.load(Ordering::Relaxed) > 200);
    assert_eq!(contents(&disk.cut(7), "a").unwrap(), [2; 6000]);
}

#[test]
fn failed_sync_looks_clean_until_the_cache_forgets() {
    let disk = FaultyDisk::new(3);
    let file = create(&disk, "a");
    write(&*file, &[1; 40_960], 0);
    disk.fail_sync(0);
    file.sync_data().unwrap_err();
    file.sync_data().unwrap();
    let mut cached = vec![0; 40_960];
    file.read_at(&mut cached, 0).unwrap();
    assert_eq!(cached, [1; 40_960]);
    assert_ne!(contents(&disk, "a").unwrap(), cached);
    disk.evict();
    assert_eq!(file.read_at_nowait(&mut [0], 0).unwrap(), None);
    file.read_at(&mut cached, 0).unwrap();
    assert_ne!(cached, [1; 40_960]);
}

#[test]
fn sync_does_not_vouch_for_what_another_descriptor_wrote_and_closed() {
    let disk = FaultyDisk::new(3);
    disk.forget_on_close();
    write(&*create(&disk, "a"), &[1; 40_960], 0);
    create(&disk, "a").sync_data().unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    assert!((0..50).any(|seed| contents(&disk.cut(seed), "a").unwrap() != [1; 40_960]));
}

#[test]
fn power_goes_off_in_the_middle_of_the_event() {
    let disk = FaultyDisk::new(1);
    disk.power_off_at(2);
    let file = create(&disk, "a");
    write(&*file, b"one", 0);
    file.write_at(&[IoSlice::new(b"two")], 3).unwrap_err();
    file.read_at(&mut [0], 0).unwrap_err();
    file.sync_data().unwrap_err();
    assert_eq!(disk.events(), 3);
    assert!((0..50).any(|seed| contents(&disk.cut(seed), "a").is_some_and(|bytes| bytes == b"onetwo")));
}

#[test]
fn full_disk_refuses_what_has_no_space_and_nothing_else() {
    let disk = FaultyDisk::new(1);
    disk.set_capacity(Some(16_384));
    let file = create(&disk, "a");
    file.allocate(0..12_288).unwrap();
    let other = create(&disk, "b");
    write(&*other, &[1; 4096], 0);
    write(&*file, &[1; 12_288], 0);
    let refused = |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::StorageFull;
    assert!(refused(other.write_at(&[IoSlice::new(b"x")], 4096)));
    assert!(refused(other.allocate(0..8192)));
    drop(file);
    disk.remove(Path::new("a")).unwrap();
    write(&*other, &[1; 12_288], 4096);
}

#[test]
fn damage_shows_in_every_kind_of_read() {
    let disk = FaultyDisk::new(1);
    let file = create(&disk, "a");
    write(&*file, &[0; 8192], 0);
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    disk.flip_bit(Path::new("a"), 5000, 3).unwrap();
    assert_eq!(file.map(5000..5001).unwrap()[..], [8]);
    assert_eq!(contents(&disk.cut(1), "a").unwrap()[5000], 8);
    disk.spoil(Path::new("a"), 100..200).unwrap();
    file.read_at(&mut [0; 10], 195).unwrap_err();
    file.read_at(&mut [0; 10], 200).unwrap();
    disk.shorten(Path::new("a"), 50).unwrap();
    assert_eq!(contents(&disk.cut(2), "a").unwrap().len(), 50);
    disk.lose(Path::new("a")).unwrap();
    assert_eq!(contents(&disk, "a"), None);
}

#[test]
fn killed_process_leaves_its_writes_but_no_promise() {
    let disk = FaultyDisk::new(1);
    write(&*create(&disk, "a"), b"written", 0);
    let killed = disk.killed(2);
    assert_eq!(contents(&killed, "a").unwrap(), b"written");
    assert!((0..50).any(|seed| contents(&killed.cut(seed), "a").is_none()));
}

#[test]
fn same_seed_gives_the_same_disk() {
    let run = |seed| {
        let disk = FaultyDisk::new(seed);
        let file = create(&disk, "a");
        for round in 0..50_u8 {
            write(&*file, &[round; 3000], u64::from(round % 7) * 1000);
        }
        contents(&disk.cut(seed), "a")
    };
    assert!((0..20).all(|seed| run(seed) == run(seed)));
    assert!((0..20).any(|seed| run(seed) != run(0)));
}
