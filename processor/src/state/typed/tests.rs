//! Typed stores against plain maps that keep everything, and forget by looking.

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstem_client::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{serdes::Windowed, state::Store};

use std::time::Duration;

const KEPT_MS: i64 = 40;
const KEPT: Duration = Duration::from_millis(40);

fn ms(time: i64) -> Timestamp {
    Timestamp(time)
}

/// A record for a store: key, time, another time, and a value or none.
type Record = (String, i64, i64, Option<i64>);

fn records() -> impl Strategy<Value = Vec<Record>> {
    // Keys with zero bytes, of which one begins another.
    let key = prop::sample::select(vec!["", "a", "a\0", "a\0b", "b"]).prop_map(str::to_owned);
    let record = (key, 0..60_i64, 0..10_i64, prop::option::weighted(0.8, 0..9_i64));
    // Time goes on, with disorder.
    prop::collection::vec(record, 0..40).prop_map(|records| {
        let shift = |(at, (key, time, length, value)): (usize, Record)| {
            (key, at as i64 * 4 + time - 70, length, value)
        };
        records.into_iter().enumerate().map(shift).collect()
    })
}

/// What is committed stays, whenever that is.
fn commit(store: &mut Store) {
    store.apply(None, &mut None);
}

proptest! {
    #[test]
    fn expiring_store_is_a_map_of_what_is_young_enough(records in records()) {
        let (mut store, mut model, mut now) = (Store::default(), BTreeMap::new(), i64::MIN);
        for (key, time, _, value) in records {
            now = now.max(time);
            let mut view = ExpiringStore::<String, Option<i64>>::over(&mut store, KEPT);
            let is_kept = view.put(&key, &value, ms(time)).unwrap();
            prop_assert_eq!(is_kept, time > now - KEPT_MS);
            if is_kept {
                model.insert(key, (time, value));
            }
            for key in ["", "a", "a\0", "a\0b", "b"] {
                let expected = model.get(key).filter(|(time, _)| *time > now - KEPT_MS);
                let expected = expected.and_then(|(_, value)| value.map(Some));
                prop_assert_eq!(view.get(&key.to_owned()).unwrap(), expected);
            }
        }
        ExpiringStore::<String, Option<i64>>::over(&mut store, KEPT).observe(ms(now.saturating_add(KEPT_MS)));
        prop_assert_eq!(store.range_from(b""), []);
    }

    #[test]
    fn window_store_is_a_map_of_keys_and_times_that_are_young_enough(records in records()) {
        let (mut store, mut model, mut now) = (Store::default(), BTreeMap::new(), i64::MIN);
        for (key, time, length, value) in records {
            now = now.max(time);
            let mut view = WindowStore::<String, Option<i64>>::over(&mut store, KEPT);
            let is_kept = view.put(&key, ms(time), &value).unwrap();
            prop_assert_eq!(is_kept, time > now - KEPT_MS);
            if is_kept {
                model.insert((time, key.clone()), value);
            }
            let young = model.iter().filter_map(|((time, key), value)| Some((*time, key, (*value)?)));
            let young: Vec<_> = young.filter(|(time, ..)| *time > now - KEPT_MS).collect();
            let (from, to) = (time - length * 3, time + length);
            let within = |time: &i64| (from..=to).contains(time);
            let of_key: Vec<_> = young.iter().filter(|(time, other, _)| **other == key && within(time))
                .map(|(time, _, value)| (ms(*time), Some(*value))).collect();
            prop_assert_eq!(view.fetch(&key, ms(from), ms(to)).unwrap(), of_key);
            let of_all: Vec<_> = young.iter().filter(|(time, ..)| within(time))
                .map(|(time, key, value)| ((*key).clone(), ms(*time), Some(*value))).collect();
            prop_assert_eq!(view.fetch_all(ms(from), ms(to)).unwrap(), of_all);
            let got = young.iter().find(|(at, other, _)| *at == time && **other == key);
            prop_assert_eq!(view.get(&key, ms(time)).unwrap(), got.map(|(.., value)| Some(*value)));
        }
        WindowStore::<String, i64>::over(&mut store, KEPT).observe(ms(now.saturating_add(2 * KEPT_MS)));
        prop_assert_eq!(store.range_from(b""), []);
    }

    #[test]
    fn session_store_finds_what_lies_near_and_is_young_enough(records in records()) {
        let (mut store, mut model, mut now) = (Store::default(), BTreeMap::new(), i64::MIN);
        for (key, start, length, value) in records {
            let end = start + length;
            now = now.max(end);
            let mut view = SessionStore::<String, Option<i64>>::over(&mut store, KEPT);
            let session = Session { end: ms(end), start: ms(start), key: key.clone(), value };
            let is_kept = view.put(&session).unwrap();
            prop_assert_eq!(is_kept, end > now - KEPT_MS);
            if is_kept {
                model.insert((end, start, key.clone()), value);
            }
            let young = model.iter().filter_map(|((end, start, key), value)| Some((*end, *start, key, (*value)?)));
            let young: Vec<_> = young.filter(|(end, ..)| *end > now - KEPT_MS).collect();
            let (earliest_end, latest_start) = (start - 5, end + 5);
            let near = |of: &dyn Fn(&str) -> bool| -> Vec<Session<String, Option<i64>>> {
                young.iter().filter(|(end, start, key, _)| *end >= earliest_end && *start <= latest_start && of(key))
                    .map(|(end, start, key, value)| {
                        let (end, start, key) = (ms(*end), ms(*start), (*key).clone());
                        Session { end, start, key, value: Some(*value) }
                    }).collect()
            };
            prop_assert_eq!(view.find(&key, ms(earliest_end), ms(latest_start)).unwrap(), near(&|other| other == key));
            let keys = ("a".to_owned(), "b".to_owned());
            let in_range = view.find_in(&keys.0..&keys.1, ms(earliest_end), ms(latest_start)).unwrap();
            prop_assert_eq!(in_range, near(&|other| ("a".."b").contains(&other)));
            if length == 0 {
                view.remove(&key, ms(start), ms(end)).unwrap();
                model.remove(&(end, start, key.clone()));
                prop_assert_eq!(view.get(&key, ms(start), ms(end)).unwrap(), None);
            }
        }
        SessionStore::<String, i64>::over(&mut store, KEPT).observe(ms(now.saturating_add(2 * KEPT_MS)));
        prop_assert_eq!(store.range_from(b""), []);
    }

    #[test]
    fn versioned_store_is_a_map_of_histories(records in records()) {
        let (mut store, mut model, mut now) = (Store::default(), BTreeMap::<String, BTreeMap<i64, Option<i64>>>::new(), i64::MIN);
        for (key, from, length, value) in records {
            now = now.max(from);
            let mut view = VersionedStore::<String, i64>::over(&mut store, KEPT);
            let put = view.put(&key, value.as_ref(), ms(from)).unwrap();
            let history = model.entry(key.clone()).or_default();
            let next = history.range(from + 1..).next().map(|(next, _)| *next);
            let is_kept = from >= now - KEPT_MS;
            let expected = match (is_kept, next) {
                (false, _) => Put::TooOld,
                (true, Some(next)) => Put::Until(ms(next)),
                (true, None) => Put::Latest,
            };
            prop_assert_eq!(put, expected);
            if is_kept {
                history.insert(from, value);
            }
            let latest = history.last_key_value().and_then(|(from, value)| Some((ms(*from), (*value)?)));
            let got = view.get(&key).unwrap();
            prop_assert!(got.as_ref().is_none_or(|version| version.until.is_none()));
            prop_assert_eq!(got.map(|version| (version.from, version.value)), latest);
            for time in [from, from - length, from + length, now, now - KEPT_MS, now - KEPT_MS - 1] {
                let found = history.range(..=time).next_back();
                let until = history.range(time + 1..).next().map(|(until, _)| ms(*until));
                let is_known = time >= now - KEPT_MS || until.is_none();
                let expected = found.filter(|_| is_known).and_then(|(from, value)| {
                    Some(Version { value: (*value)?, from: ms(*from), until })
                });
                prop_assert_eq!(view.get_as_of(&key, ms(time)).unwrap(), expected);
            }
        }
        VersionedStore::<String, i64>::over(&mut store, KEPT).observe(ms(now.saturating_add(2 * KEPT_MS)));
        let alive = model.values().filter(|history| history.last_key_value().is_some_and(|(_, value)| value.is_some()));
        prop_assert_eq!(store.range_from(b"").len(), alive.count());
    }

    /// Trap 36: what is forgotten depends on the records alone, not on when they are worked through or how they are cut.
    #[test]
    fn the_same_records_leave_the_same_store_however_they_are_cut(
        records in records(),
        cuts in prop::collection::vec(any::<bool>(), 40),
    ) {
        let fill = |cuts: &[bool]| -> Vec<(Bytes, Bytes)> {
            let mut store = Store::default();
            for ((key, time, _, value), is_cut) in records.iter().zip(cuts) {
                ExpiringStore::<String, Option<i64>>::over(&mut store, KEPT).put(key, value, ms(*time)).unwrap();
                if *is_cut {
                    commit(&mut store);
                }
            }
            store.range_from(b"")
        };
        prop_assert_eq!(fill(&cuts), fill(&[false; 40]));
    }

    #[test]
    fn key_value_store_is_a_map(records in records()) {
        let (mut store, mut model) = (Store::default(), BTreeMap::new());
        for (key, number, _, value) in records {
            let mut view = KeyValueStore::<String, i64>::over(&mut store);
            match value {
                Some(value) if number % 3 == 0 => {
                    let before = view.put_if_absent(&key, &value).unwrap();
                    prop_assert_eq!(before, model.get(&key).copied());
                    model.entry(key).or_insert(value);
                }
                Some(value) => {
                    view.put(&key, &value).unwrap();
                    model.insert(key, value);
                }
                None => prop_assert_eq!(view.delete(&key).unwrap(), model.remove(&key)),
            }
            let all: Result<Vec<_>, _> = view.all().collect();
            prop_assert_eq!(all.unwrap(), model.clone().into_iter().collect::<Vec<_>>());
            let keys = ("a".to_owned(), "b".to_owned());
            let range: Result<Vec<_>, _> = view.range(&keys.0..&keys.1).unwrap().collect();
            let expected: Vec<_> = model.range("a".to_owned().."b".to_owned())
                .map(|(key, value)| (key.clone(), *value)).collect();
            prop_assert_eq!(range.unwrap(), expected);
        }
    }
}

/// Trap 33: null removes; JSON's null is a value.
#[test]
fn null_is_gone_and_the_word_null_is_not() {
    type Json = crate::Json<Option<i64>>;
    let mut store = Store::default();
    let mut view = KeyValueStore::<String, Json>::over(&mut store);
    view.put(&"k".to_owned(), &crate::Json(None)).unwrap();
    assert_eq!(view.get(&"k".to_owned()).unwrap().map(|json| json.0), Some(None));
    let mut view = KeyValueStore::<String, Option<i64>>::over(&mut store);
    view.put(&"k".to_owned(), &None).unwrap();
    assert_eq!(view.get(&"k".to_owned()).unwrap(), None);
}

/// Trap 4: the ends of time are times like others.
#[test]
fn times_at_the_ends_of_time_neither_overflow_nor_come_back() {
    let (mut windows, mut versions, mut expiring) = (Store::default(), Store::default(), Store::default());
    let key = "k".to_owned();
    for time in [i64::MIN, 0, i64::MAX] {
        WindowStore::<String, i64>::over(&mut windows, KEPT).put(&key, ms(time), &time).unwrap();
        VersionedStore::<String, i64>::over(&mut versions, KEPT).put(&key, Some(&time), ms(time)).unwrap();
        ExpiringStore::<String, i64>::over(&mut expiring, KEPT).put(&key, &time, ms(time)).unwrap();
    }
    let view = WindowStore::<String, i64>::over(&mut windows, KEPT);
    assert_eq!(view.fetch(&key, ms(i64::MIN), ms(i64::MAX)).unwrap(), [(ms(i64::MAX), i64::MAX)]);
    let view = VersionedStore::<String, i64>::over(&mut versions, KEPT);
    assert_eq!(view.get(&key).unwrap().map(|version| version.value), Some(i64::MAX));
    assert_eq!(ExpiringStore::<String, i64>::over(&mut expiring, KEPT).get(&key).unwrap(), Some(i64::MAX));
}

#[test]
fn declarations_say_what_the_stores_hold() {
    let spec = WindowStore::<Windowed<String>, i64>::spec("visits", Duration::from_secs(80));
    assert_eq!((&*spec.form.keys, &*spec.form.values), ("windowed text", "i64"));
    assert_eq!((&*spec.form.kind, &*spec.form.windows), ("window-plain", "parts of 10000 ms"));
    let other = SessionStore::<String, i64>::spec("visits", Duration::from_secs(80));
    assert_eq!(other.form.kind, "session-plain");
    assert_ne!(VersionedStore::<String, i64>::spec("v").form, KeyValueStore::<String, i64>::spec("v").form);
    assert_ne!(VersionedStore::<String, i64>::spec("v").form, ExpiringStore::<String, i64>::spec("v").form);
}
