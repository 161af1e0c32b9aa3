//! A directory of state.

use bytes::Bytes;
use mainstem_client::{Offset, Timestamp, protocol::ids::TopicId};
use tempfile::TempDir;

use super::*;
use crate::state::{Checkpoint, Store, Stores};

const MEMORY: u64 = caps::STATE_MEMORY_BYTES_MIN;

fn place<'a>(task: &'a str, store: &'a str) -> Place<'a> {
    Place { processor: "p", task, store }
}

fn store(directory: &StateDirectory, task: &str, name: &str) -> Store {
    Store::on_disk(directory.table(&place(task, name)).unwrap().unwrap())
}

fn checkpoint(offset: i64) -> Checkpoint {
    Checkpoint { topic: TopicId::ZERO, offset: Offset(offset), at: Timestamp(0) }
}

#[test]
fn what_was_committed_is_there_after_the_directory_is_opened_again() {
    let path = TempDir::new().unwrap();
    let directory = StateDirectory::open(path.path(), MEMORY).unwrap();
    let mut stores = Stores::of(vec![
        ("a".into(), store(&directory, "0_0", "a")),
        ("b".into(), store(&directory, "0_0", "b")),
    ]);
    stores.declared_mut("a").put(b"k", "1");
    stores.declared_mut("b").put(b"k", "2");
    stores.commit(|name| Some(checkpoint(if name == "a" { 5 } else { 7 }))).unwrap();
    stores.declared_mut("a").put(b"k", "dropped");
    drop((stores, directory));
    let directory = StateDirectory::open(path.path(), MEMORY).unwrap();
    let (a, b) = (store(&directory, "0_0", "a"), store(&directory, "0_0", "b"));
    assert_eq!((a.get(b"k"), b.get(b"k")), (Some(Bytes::from("1")), Some(Bytes::from("2"))));
    let reached = |store: &Store| store.checkpoint().unwrap().unwrap().offset.0;
    assert_eq!((reached(&a), reached(&b)), (5, 7));
    assert_eq!(store(&directory, "0_1", "a").get(b"k"), None);
}

#[test]
fn directory_belongs_to_one_process_at_a_time() {
    let path = TempDir::new().unwrap();
    let first = StateDirectory::open(path.path(), MEMORY).unwrap();
    let refused = StateDirectory::open(path.path(), MEMORY).unwrap_err();
    assert!(matches!(refused, DirectoryError::Locked { .. }), "{refused}");
    drop(first);
    StateDirectory::open(path.path(), MEMORY).unwrap();
}

#[test]
fn table_belongs_to_one_task_at_a_time() {
    let path = TempDir::new().unwrap();
    let directory = StateDirectory::open(path.path(), MEMORY).unwrap();
    let first = store(&directory, "0_0", "s");
    assert!(directory.table(&place("0_0", "s")).unwrap().is_none());
    drop(first);
    assert!(directory.table(&place("0_0", "s")).unwrap().is_some());
}

/// Trap 49: what a newer version has written is refused with words that help.
#[test]
fn directory_of_a_newer_version_is_refused() {
    let path = TempDir::new().unwrap();
    let directory = StateDirectory::open(path.path(), MEMORY).unwrap();
    let about = directory.inner.database.keyspace(ABOUT, KeyspaceCreateOptions::default).unwrap();
    about.insert("format", "2").unwrap();
    drop((about, directory));
    let refused = StateDirectory::open(path.path(), MEMORY).unwrap_err().to_string();
    assert!(refused.contains("has format 2, and this version knows 1"), "{refused}");
}

#[test]
fn forgotten_stores_are_empty_and_those_in_use_stay() {
    let path = TempDir::new().unwrap();
    let directory = StateDirectory::open(path.path(), MEMORY).unwrap();
    for task in ["0_0", "0_1"] {
        let mut store = store(&directory, task, "s");
        store.restore([(Bytes::from("k"), Some(Bytes::from("v")))], &checkpoint(1)).unwrap();
    }
    let in_use = store(&directory, "0_1", "s");
    assert_eq!((directory.forget("other").unwrap(), directory.forget("p").unwrap()), (0, 1));
    assert_eq!(store(&directory, "0_0", "s").checkpoint().unwrap(), None);
    assert!(in_use.checkpoint().unwrap().is_some());
}

#[test]
fn buffers_keep_within_their_limit_whatever_is_written() {
    let path = TempDir::new().unwrap();
    let directory = StateDirectory::open(path.path(), MEMORY).unwrap();
    let mut stores: Vec<_> = (0..4).map(|number| store(&directory, "0_0", &format!("s{number}"))).collect();
    for round in 0..200_u32 {
        for store in &mut stores {
            let entry = |key: u32| {
                (Bytes::from((round * 100 + key).to_be_bytes().to_vec()), Some(vec![7; 200].into()))
            };
            store.restore((0..100).map(entry), &checkpoint(i64::from(round))).unwrap();
        }
        assert!(directory.inner.database.write_buffer_size() <= 2 * directory.buffer_bytes() + (1 << 20));
    }
    let reached: Vec<_> = stores.iter().map(|store| store.checkpoint().unwrap().unwrap().offset.0).collect();
    assert_eq!(reached, [199; 4]);
}

#[test]
fn too_little_memory_is_refused() {
    let refused = StateDirectory::open("never-made", MEMORY - 1).unwrap_err().to_string();
    assert_eq!(refused, "16777215 bytes of memory are too few for state on disk; give it at least 16777216");
}
