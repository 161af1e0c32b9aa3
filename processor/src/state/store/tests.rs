//! What every store does, wherever its committed part is kept.

use std::collections::BTreeMap;

use mainstem_client::{Offset, protocol::ids::TopicId};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    StateDirectory, caps,
    state::{Place, disk::Writes},
};

/// Somewhere that keeps a store.
enum Keeper {
    Memory,
    Disk { directory: StateDirectory, _path: TempDir },
}

const PLACE: Place<'static> = Place { processor: "p", task: "0_0", store: "s" };

impl Keeper {
    fn all() -> [Self; 2] {
        let path = TempDir::new().unwrap();
        let directory = StateDirectory::open(path.path(), caps::STATE_MEMORY_BYTES_MIN).unwrap();
        [Self::Memory, Self::Disk { directory, _path: path }]
    }

    /// What a new process finds.
    fn open(&self) -> Store {
        match self {
            Self::Memory => Store::default(),
            Self::Disk { directory, .. } => Store::on_disk(directory.table(&PLACE).unwrap().unwrap()),
        }
    }

    /// The store as a restart finds it; one in memory is what was committed.
    fn reopen(&self, store: Store) -> Store {
        match self {
            Self::Memory => Store { overlay: BTreeMap::new(), uncommitted_bytes: 0, ..store },
            Self::Disk { .. } => {
                drop(store);
                self.open()
            }
        }
    }
}

fn commit(store: &mut Store) {
    let mut writes = None;
    let checkpoint = Checkpoint { topic: TopicId::ZERO, offset: Offset(1), at: Timestamp(0) };
    store.apply(Some(&checkpoint), &mut writes);
    writes.map_or(Ok(()), Writes::commit).unwrap();
}

fn entries(store: &Store) -> Vec<(Bytes, Bytes)> {
    store.range_from(b"")
}

/// What may happen to a store.
#[derive(Clone, Copy, Debug)]
enum Step {
    Put(u8, u8),
    Delete(u8),
    Commit,
    /// A commit that fails, or a process that ends: what was not committed is gone.
    Abort,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12_u8, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        4 => (0..12_u8).prop_map(Step::Delete),
        3 => Just(Step::Commit),
        2 => Just(Step::Abort),
        1 => Just(Step::Clear),
    ]
}

/// Plain maps that should hold the same.
#[derive(Default)]
struct Model {
    committed: BTreeMap<Bytes, Bytes>,
    now: BTreeMap<Bytes, Bytes>,
}

impl Model {
    fn follow(&mut self, step: Step) {
        match step {
            Step::Put(key, value) => drop(self.now.insert(vec![key].into(), vec![value].into())),
            Step::Delete(key) => drop(self.now.remove(&[key][..])),
            Step::Commit => self.committed.clone_from(&self.now),
            Step::Abort => self.now.clone_from(&self.committed),
            Step::Clear => *self = Self::default(),
        }
    }
}

fn check(keeper: &Keeper, steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut store, mut model) = (keeper.open(), Model::default());
    store.clear().unwrap();
    for step in steps {
        match *step {
            Step::Put(key, value) => store.put(&[key], vec![value]),
            Step::Delete(key) => store.delete(&[key]),
            Step::Commit => commit(&mut store),
            Step::Abort => store = keeper.reopen(store),
            Step::Clear => store.clear().unwrap(),
        }
        model.follow(*step);
        prop_assert_eq!(entries(&store), model.now.clone().into_iter().collect::<Vec<_>>());
        for key in 0..12 {
            prop_assert_eq!(store.get(&[key]), model.now.get(&[key][..]).cloned());
        }
        let middle = store.range(&[3], &[9]);
        let expected = model.now.range::<[u8], _>((Bound::Included(&[3][..]), Bound::Excluded(&[9][..])));
        prop_assert_eq!(
            middle,
            expected.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()
        );
        prop_assert_eq!(store.first(), model.now.clone().into_iter().next());
        prop_assert!(store.fault().is_none());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn store_is_a_map_through_commits_aborts_and_restarts(steps in prop::collection::vec(step(), 0..40)) {
        for keeper in Keeper::all() {
            check(&keeper, &steps)?;
        }
    }
}

#[test]
fn range_ends_before_its_end() {
    for keeper in Keeper::all() {
        let mut store = keeper.open();
        store.put(b"a", "v");
        store.put(b"b", "v");
        commit(&mut store);
        store.put(b"c", "v");
        let keys: Vec<_> = store.range(b"a", b"c").into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["a", "b"]);
        let keys: Vec<_> = store.entries_from(b"b").take(1).map(|(key, _)| key).collect();
        assert_eq!(keys, ["b"]);
    }
}

#[test]
fn timers_come_in_the_order_of_their_times_once_they_are_due() {
    for keeper in Keeper::all() {
        let mut store = keeper.open();
        for (at, key) in [(5, "b"), (-3, "z"), (5, "a"), (9, "c")] {
            store.put_timer(Timestamp(at), "node", key.as_bytes());
            store.put_timer(Timestamp(at - 1), "another node", key.as_bytes());
            commit(&mut store);
        }
        store.put(b"not a timer", "v");
        let mut fired = Vec::new();
        while let Ok(Timer { at, node, key }) = store.due_timer(Timestamp(-3), Timestamp(5), "node") {
            store.delete_timer(at, &node, &key);
            fired.push((at.0, key));
        }
        assert_eq!(fired, [(-3, "z".into()), (5, "a".into()), (5, "b".into())]);
        assert_eq!(store.due_timer(Timestamp(5), Timestamp(7), "node"), Err(Timestamp(8)));
        assert_eq!(store.last_timer("node"), Some(Timestamp(9)));
        assert_eq!((store.last_timer("none"), store.timers(Timestamp(9)).count()), (None, 1));
    }
}

#[test]
fn uncommitted_bytes_are_those_of_the_overlay() {
    for keeper in Keeper::all() {
        let mut store = keeper.open();
        store.put(b"key", "value");
        store.put(b"key", "v");
        assert_eq!(store.uncommitted_bytes(), 1 + 3 + 1);
        commit(&mut store);
        assert_eq!((store.uncommitted_bytes(), store.uncommitted().count()), (0, 0));
    }
}

#[test]
fn entries_of_the_changelog_and_a_checkpoint_are_kept_together() {
    for keeper in Keeper::all() {
        let mut store = keeper.open();
        let checkpoint = Checkpoint { topic: TopicId([7; 16]), offset: Offset(12), at: Timestamp(99) };
        let key = Owned::ByUser.key(b"k");
        store
            .restore([(key.clone(), Some("v".into())), (Owned::ByUser.key(b"l"), None)], &checkpoint)
            .unwrap();
        let store = keeper.reopen(store);
        assert_eq!(entries(&store), [("k".into(), "v".into())]);
        let kept = store.is_on_disk().then_some(checkpoint);
        assert_eq!(store.checkpoint().unwrap(), kept);
    }
}
