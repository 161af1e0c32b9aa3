//! The table of what a start may find (durability 19): each case is a disk with one thing wrong, and what the start
//! then does. Whoever refuses changes nothing.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use mainstem_storage::disk::{Disk, FaultyDisk};

use crate::{
    image::{Image, differences},
    node::Node,
    scene::Scene,
};

/// What a start does.
enum Expected {
    /// It opens and has everything.
    Whole,
    /// It opens and has everything but the last groups, so many.
    Without(u64),
    /// It refuses, and says these words.
    Refused(&'static [&'static str]),
}
use Expected::{Refused, Whole, Without};

/// Breaks something, and says what a start must do then.
fn check(name: &str, scene: Scene, expected: Expected) {
    let Scene { disk, images, .. } = scene;
    let before = files(&disk);
    let opened = Node::open(&disk);
    match (expected, opened) {
        (Refused(words), Err(error)) => {
            assert!(words.iter().all(|word| error.contains(word)), "{name}: {error}");
            let after = files(&disk);
            let changed: Vec<_> =
                before.keys().filter(|path| before.get(*path) != after.get(*path)).collect();
            assert!(changed.is_empty(), "{name}: the refused start changed {changed:?}");
        }
        (Whole, Ok(node)) => assert_same(name, &images[images.len() - 1], &node),
        (Without(groups), Ok(node)) => assert_same(name, &images[images.len() - 1 - groups as usize], &node),
        (_, Err(error)) => panic!("{name}: {error}"),
        (Refused(_), Ok(_)) => panic!("{name}: the start was not refused"),
    }
}

fn assert_same(name: &str, expected: &Image, node: &Node) {
    let found = node.image().unwrap_or_else(|error| panic!("{name}: {error}"));
    let differences = differences(expected, &found);
    assert!(differences.is_empty(), "{name}: {differences:#?}");
}

/// Every file but the lock, those that were never finished, and `meta`: the incarnation rises before anything else is
/// looked at (durability 7).
fn files(disk: &FaultyDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in disk.list(&folder).unwrap() {
            let path = folder.join(&entry.name);
            match entry.is_dir {
                true => folders.push(path),
                false if is_lasting(&entry.name) => drop(all.insert(path.clone(), Scene::read(disk, &path))),
                false => {}
            }
        }
    }
    all
}

fn is_lasting(name: &str) -> bool {
    !["lock", "meta"].contains(&name) && !name.ends_with(".tmp")
}

#[test]
fn durability_19_empty_directory_becomes_a_store() {
    let node = Node::open(&FaultyDisk::new(1)).unwrap();
    assert_eq!(node.image().unwrap(), Image::default());
}

#[test]
fn durability_19_untouched_directory_opens_whole() {
    check("nothing", Scene::new(), Whole);
    check("after a checkpoint", Scene::new().checkpointed(), Whole);
}

#[test]
fn durability_19_missing_journal_is_refused() {
    let scene = Scene::new().checkpointed();
    scene.lose_all("journal");
    check("no journal", scene, Refused(&["journal", "missing"]));
    let scene = Scene::new().checkpointed();
    scene.journal_files().iter().for_each(|path| scene.overwrite(path, 0, &vec![0; 8192]));
    check("empty journal", scene, Refused(&["journal", "header"]));
}

#[test]
fn durability_08_torn_tail_is_cut_and_rot_is_refused() {
    let scene = Scene::new();
    scene.flip(&scene.commit(0));
    check("torn last frame", scene, Without(1));

    let scene = Scene::new().idle();
    scene.flip(&scene.commit(0));
    check("last frame with an idle frame behind it", scene, Refused(&["journal", "damaged", "bytes"]));

    let scene = Scene::new();
    scene.flip(&scene.commit(2));
    check("rot below the durable position", scene, Refused(&["journal", "damaged", "bytes"]));
}

#[test]
fn durability_19_hole_between_frames_that_were_not_synced_ends_the_log() {
    let scene = Scene::new().unsynced_pair();
    scene.flip(&scene.commit(1));
    check("hole", scene, Without(2));
}

#[test]
fn durability_10_group_without_its_commit_frame_never_was() {
    let scene = Scene::new().big_group();
    check("big group", scene.copy(), Whole);
    scene.flip(&scene.commit(0));
    check("torn in the middle of a group", scene, Without(1));
}

#[test]
fn durability_07_frame_of_an_earlier_incarnation_is_no_successor() {
    let scene = Scene::new().unsynced_pair();
    // The power cut kept the second of two frames and lost the first.
    scene.erase(&scene.commit(1));
    let mut scene = scene.restarted();
    let expected = scene.append(1);
    let disk = scene.disk.killed(5);
    let node = Node::open(&disk).unwrap();
    assert_same("ghost of an earlier incarnation", &expected, &node);
}

#[test]
fn durability_14_damaged_checkpoint_is_refused() {
    let scene = Scene::new().recycled();
    scene.lose_all("checkpoint");
    check("checkpoint missing", scene, Refused(&["missing"]));

    let scene = Scene::new().checkpointed();
    scene.checkpoints().iter().for_each(|path| scene.disk.flip_bit(path, 40, 1).unwrap());
    check("checkpoint torn", scene, Refused(&["checkpoint", "damaged"]));

    let scene = Scene::new().checkpointed();
    let old: Vec<_> = scene.checkpoints().iter().map(|path| (path.clone(), scene.contents(path))).collect();
    let scene = scene.recycled();
    scene.lose_all("checkpoint");
    old.iter().for_each(|(path, contents)| scene.overwrite(path, 0, contents));
    check("checkpoint older than the journal's start", scene, Refused(&["missing"]));
}

#[test]
fn durability_19_segments_hold_what_the_checkpoint_says() {
    let scene = Scene::new().checkpointed();
    scene.disk.lose(&scene.segment("log")).unwrap();
    check("segment missing", scene, Refused(&[".log"]));

    let scene = Scene::new().checkpointed();
    scene.disk.shorten(&scene.segment("log"), 100).unwrap();
    check("segment short", scene, Refused(&[".log"]));

    let scene = Scene::new().checkpointed();
    let path = scene.segment("log");
    let len = scene.contents(&path).len() as u64;
    scene.overwrite(&path, len, &[7; 5000]);
    check("segment longer", scene, Whole);
}

#[test]
fn durability_19_indexes_are_made_anew() {
    for extension in ["index", "timeindex"] {
        let scene = Scene::new().checkpointed();
        scene.disk.lose(&scene.segment(extension)).unwrap();
        check("index missing", scene, Whole);
        let scene = Scene::new().checkpointed();
        scene.disk.flip_bit(&scene.segment(extension), 3, 0).unwrap();
        check("index wrong", scene, Whole);
    }
}

#[test]
fn durability_12_interrupted_removals_are_finished() {
    let scene = Scene::new();
    let path = scene.segment("log");
    let contents = scene.contents(&path);
    let deleted = path.parent().and_then(Path::parent).unwrap().to_owned();
    let scene = scene.without_topic();
    scene.disk.create_dir_all(path.parent().unwrap()).unwrap();
    scene.overwrite(&path, 0, &contents);
    let disk = scene.disk.clone();
    check("unlink interrupted", scene, Whole);
    let node = Node::open(&disk).unwrap();
    node.clean_up();
    assert!(disk.list(&deleted).is_err(), "the folder of a deleted topic is still there");
}

#[test]
fn durability_19_full_disk_delays_a_recovery_and_loses_nothing() {
    let scene = Scene::new();
    let used = scene.disk.space().unwrap();
    for spare in [0, 4096, 65_536] {
        let scene = scene.copy();
        scene.disk.set_capacity(Some(used.total - used.usable + spare));
        drop(Node::open(&scene.disk));
        scene.disk.set_capacity(None);
        let disk = scene.disk.killed(spare);
        check("disk full", scene.on(disk), Whole);
    }
}

#[test]
fn durability_27_failed_sync_of_a_recovery_loses_nothing() {
    let scene = Scene::new();
    let probe = scene.copy();
    drop(Node::open(&probe.disk).unwrap());
    let syncs = probe.disk.syncs();
    assert!(syncs > 3);
    for sync in 0..syncs {
        let scene = scene.copy();
        scene.disk.fail_sync(sync);
        assert!(Node::open(&scene.disk).is_err(), "sync {sync} failed and nobody minded");
        scene.disk.evict();
        let disk = scene.disk.cut(sync);
        check("failed sync", scene.on(disk), Whole);
    }
}

#[test]
fn second_store_on_a_directory_is_refused_with_the_holders_pid() {
    let scene = Scene::new();
    let _first = Node::open(&scene.disk).unwrap();
    let Err(error) = Node::open(&scene.disk) else { panic!("two stores on one directory") };
    assert!(error.contains(&std::process::id().to_string()), "{error}");
}

#[test]
fn newer_formats_are_refused() {
    for path in ["meta", "journal", "checkpoint"] {
        let scene = Scene::new().checkpointed();
        let paths = match path {
            "meta" => vec![PathBuf::from("meta")],
            "journal" => scene.journal_files(),
            _ => scene.checkpoints(),
        };
        paths.iter().for_each(|path| scene.overwrite(path, 8, &99_u32.to_le_bytes()));
        check(path, scene, Refused(&["format", "99"]));
    }
}
