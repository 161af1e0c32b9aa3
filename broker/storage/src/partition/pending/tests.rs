use std::cell::Cell;

use proptest::prelude::*;

use super::*;

const A: ProducerId = ProducerId(1);
const B: ProducerId = ProducerId(2);

type Values = BTreeMap<Bytes, Bytes>;

fn value(offset: i64, key: &'static str, value: Option<&'static str>) -> PendingValue {
    PendingValue {
        offset: Offset(offset),
        key: Bytes::from_static(key.as_bytes()),
        value: value.map(|value| Bytes::from_static(value.as_bytes())),
        is_superseded: false,
    }
}

fn values(of: &[(&'static str, &'static str)]) -> Values {
    of.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

#[test]
fn committed_values_count_and_aborted_ones_do_not() {
    let (mut pending, mut found) = (Pending::default(), values(&[("b", "old"), ("c", "old")]));
    pending.push(A, value(1, "a", Some("new")));
    pending.push(A, value(1, "b", None));
    pending.push(B, value(2, "c", Some("new")));
    pending.end(B, false, &mut found);
    assert_eq!(found, values(&[("b", "old"), ("c", "old")]));
    pending.end(A, true, &mut found);
    assert_eq!(found, values(&[("a", "new"), ("c", "old")]));
    assert_eq!(pending, Pending::default());
    assert!(pending.keys.is_empty());
}

#[test]
fn last_value_in_the_log_counts_whichever_is_decided_first() {
    for first in [A, B] {
        let (mut pending, mut found) = (Pending::default(), Values::new());
        pending.push(A, value(1, "k", Some("from a")));
        pending.push(B, value(2, "k", Some("from b")));
        pending.end(first, true, &mut found);
        pending.end(if first == A { B } else { A }, true, &mut found);
        assert_eq!(found, values(&[("k", "from b")]), "{first} first");
    }
}

#[test]
fn value_outside_of_transactions_counts_over_those_before_it() {
    let (mut pending, mut found) = (Pending::default(), values(&[("k", "plain")]));
    pending.push(A, value(1, "k", Some("from a")));
    pending.supersede(&b"k"[..], Offset(2));
    assert_eq!(pending.keys(b"").count(), 1, "it is open all the same");
    pending.end(A, true, &mut found);
    assert_eq!(found, values(&[("k", "plain")]));
}

#[test]
fn transaction_has_one_value_of_a_key_however_often_it_writes_it() {
    let mut pending = Pending::default();
    (0..5).for_each(|offset| pending.push(A, value(offset, "k", Some("v"))));
    pending.push(B, value(9, "k", None));
    assert_eq!((pending.count(A), pending.count(B), pending.keys(b"").count()), (1, 1, 1));
}

#[test]
fn key_that_is_removed_is_open_no_more() {
    let (mut pending, mut found) = (Pending::default(), Values::new());
    pending.push(A, value(1, "k", Some("from a")));
    pending.push(B, value(2, "k", Some("from b")));
    pending.push(B, value(2, "other", Some("from b")));
    pending.remove(&b"k"[..]);
    assert_eq!(pending.keys(b"").collect::<Vec<_>>(), ["other"]);
    pending.push(A, value(4, "k", Some("again")));
    pending.end(B, true, &mut found);
    assert_eq!(found, values(&[("other", "from b")]));
    pending.end(A, true, &mut found);
    assert_eq!(found, values(&[("k", "again"), ("other", "from b")]));
}

/// What [`Pending`] must be equal to, as one would say it: every value that was written, in the order of the log.
#[derive(Clone, Debug, Default)]
struct Model {
    written: Vec<(ProducerId, PendingValue)>,
    values: Values,
}

impl Model {
    fn supersede(&mut self, key: &Bytes, offset: Offset) {
        let before = |value: &&mut PendingValue| value.offset <= offset && value.key == key;
        let written = self.written.iter_mut().map(|(_, value)| value);
        written.filter(before).for_each(|value| value.is_superseded = true);
    }

    fn count(&mut self, key: Bytes, value: Option<Bytes>) {
        match value {
            Some(value) => drop(self.values.insert(key, value)),
            None => drop(self.values.remove(&key)),
        }
    }

    /// As it is outside of transactions: a tombstone takes along what is open.
    fn count_outside(&mut self, key: Bytes, offset: Offset, value: Option<Bytes>) {
        self.supersede(&key, offset);
        if value.is_none() {
            self.written.retain(|(_, value)| value.key != key);
        }
        self.count(key, value);
    }

    fn end(&mut self, producer: ProducerId, committed: bool) {
        let ended: Vec<_> = self.written.extract_if(.., |(id, _)| *id == producer).collect();
        for (_, PendingValue { offset, key, value, is_superseded }) in ended {
            if committed && !is_superseded {
                self.supersede(&key, offset);
                self.count(key, value);
            }
        }
    }

    fn keys(&self, prefix: &[u8]) -> Vec<Bytes> {
        let mut keys: Vec<_> = self.written.iter().map(|(_, value)| value.key.clone()).collect();
        keys.retain(|key| key.starts_with(prefix));
        keys.sort();
        keys.dedup();
        keys
    }
}

/// What a batch does that is folded.
#[derive(Clone, Debug)]
enum Step {
    Writes {
        producer: i64,
        keys: Vec<u8>,
        is_tombstone: bool,
    },
    Counts {
        key: u8,
        is_tombstone: bool,
    },
    Ends {
        producer: i64,
        committed: bool,
    },
    /// A checkpoint is written and read.
    Restarts,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4_i64, prop::collection::vec(0..6_u8, 1..4), any::<bool>())
            .prop_map(|(producer, keys, is_tombstone)| Step::Writes { producer, keys, is_tombstone }),
        2 => (0..6_u8, any::<bool>()).prop_map(|(key, is_tombstone)| Step::Counts { key, is_tombstone }),
        2 => (0..4_i64, any::<bool>()).prop_map(|(producer, committed)| Step::Ends { producer, committed }),
        1 => Just(Step::Restarts),
    ];
    prop::collection::vec(step, 1..60)
}

/// Keys of two prefixes.
fn key(number: u8) -> Bytes {
    format!("{}{number}", if number.is_multiple_of(2) { "even" } else { "odd" }).into()
}

fn copy(pending: &Pending) -> Pending {
    let mut copy = Pending::default();
    for producer in pending.producers() {
        pending.values(producer).for_each(|value| copy.push(producer, value));
    }
    copy
}

proptest! {
    #[test]
    fn folded_values_are_those_of_the_simple_model(steps in steps()) {
        let (mut pending, mut found, mut model) = (Pending::default(), Values::new(), Model::default());
        for (at, step) in steps.into_iter().enumerate() {
            let (offset, new) = (Offset(at as i64), Bytes::from(format!("at {at}")));
            match step {
                Step::Writes { producer, keys, is_tombstone } => for number in keys {
                    let value = Some(new.clone()).filter(|_| !is_tombstone);
                    let value = PendingValue { offset, key: key(number), value, is_superseded: false };
                    model.written.push((ProducerId(producer), value.clone()));
                    pending.push(ProducerId(producer), value);
                },
                Step::Counts { key: number, is_tombstone } => {
                    let value = Some(new).filter(|_| !is_tombstone);
                    model.count_outside(key(number), offset, value.clone());
                    match value {
                        Some(value) => {
                            pending.supersede(&key(number), offset);
                            found.insert(key(number), value);
                        }
                        None => {
                            pending.remove(&key(number));
                            found.remove(&key(number));
                        }
                    }
                }
                Step::Ends { producer, committed } => {
                    model.end(ProducerId(producer), committed);
                    pending.end(ProducerId(producer), committed, &mut found);
                }
                Step::Restarts => {
                    let restarted = copy(&pending);
                    prop_assert_eq!(&restarted, &pending);
                    pending = restarted;
                }
            }
            prop_assert_eq!(&found, &model.values);
            for prefix in ["", "even", "odd", "none"] {
                let keys: Vec<_> = pending.keys(prefix.as_bytes()).cloned().collect();
                prop_assert_eq!(keys, model.keys(prefix.as_bytes()));
            }
        }
    }
}

thread_local! {
    static COMPARED: Cell<u64> = const { Cell::new(0) };
}

/// A key that counts how often one is compared.
#[derive(Clone, Copy, Debug)]
struct Counted(u32);

impl Ord for Counted {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        COMPARED.set(COMPARED.get() + 1);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Counted {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Counted {}

/// Comparisons that it takes until `producers` have written the same `keys`, others count over all of them, and all
/// transactions are committed.
fn comparisons(producers: i64, keys: u32) -> u64 {
    COMPARED.set(0);
    let (mut pending, mut values) = (Pending::default(), BTreeMap::new());
    for producer in 0..producers {
        for key in 0..keys {
            let (offset, value) = (Offset(producer), Some(Bytes::new()));
            let value = PendingValue { offset, key: Counted(key), value, is_superseded: false };
            pending.push(ProducerId(producer), value);
        }
    }
    (0..keys).for_each(|key| pending.supersede(&Counted(key), Offset(0)));
    (0..producers).for_each(|producer| pending.end(ProducerId(producer), true, &mut values));
    COMPARED.get()
}

#[test]
fn work_grows_with_what_is_written_and_hardly_faster() {
    // Ten times the keys take a few more levels of a tree each; ten times the producers no more than ten times as much.
    let small = comparisons(10, 1000);
    assert!(small > 0);
    assert!(comparisons(10, 10_000) < 16 * small, "{} and {small}", comparisons(10, 10_000));
    assert!(comparisons(100, 1000) <= 11 * small, "{} and {small}", comparisons(100, 1000));
}
