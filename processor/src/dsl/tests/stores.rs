//! Where the stores of typed nodes are kept.

use super::*;
use crate::{
    CountWindows, JoinWindows, Kept, SessionWindows, SlidingWindows, StoreSpec, SuppressBuffer, Suppressed,
};

const SECOND: Duration = Duration::from_secs(1);

/// Where a topology keeps a store, if that store says so.
fn kept(topology: &Topology, store: &str) -> Option<Kept> {
    topology.store(store).unwrap_or_else(|| panic!("{store} is not there")).kept
}

fn on_disk(name: &str) -> StoreSpec {
    StoreSpec::new(name).on_disk()
}

#[test]
fn every_node_with_a_store_keeps_it_where_it_is_told() {
    let builder = StreamBuilder::new("t");
    let numbers = builder.stream::<i64, i64>("in");
    let grouped = || numbers.group_by_key();
    let _ = grouped().count(on_disk("count"));
    let _ = grouped().reduce(on_disk("reduce"), i64::max);
    let _ = grouped().aggregate(on_disk("aggregate"), || 0_i64, |_, value, sum| sum + value);
    let _ = grouped().windowed_by(TimeWindows::tumbling(SECOND)).every(SECOND).count(on_disk("window"));
    let _ = grouped().windowed_by(SlidingWindows::difference(SECOND)).count(on_disk("sliding"));
    let _ = grouped().windowed_by(SessionWindows::gap(SECOND)).count(on_disk("session"));
    let _ = grouped().windowed_by(CountWindows::tumbling(3)).reduce(on_disk("counted"), i64::max);
    let _ = grouped().cogroup(|_, value, sum: i64| sum + value).aggregate(on_disk("cogroup"), || 0);
    let _ = numbers.join(&numbers, JoinWindows::within(SECOND), on_disk("join"), |_, one, two| one + two);
    let table = numbers.to_table(on_disk("to-table"));
    let _ = table.group_by(|key, value| (value, *key)).count(on_disk("regrouped"));
    let _ = table
        .suppress(on_disk("suppress"), Suppressed::until_time_limit(SECOND, SuppressBuffer::unbounded()));
    let _ = table.join_foreign(&table, on_disk("foreign"), |_, value| Some(*value), |_, one, two| one + two);
    let _ = builder.table_in::<i64, i64>("in2", Input::new(), on_disk("table"));
    let versions = builder.versioned_table_in::<i64, i64>("in3", SECOND, Input::new(), on_disk("versions"));
    let _ = numbers.join_as_of_with_grace(&versions, SECOND, on_disk("grace"), |_, one, two| one + two);
    let topology = builder.build().unwrap();
    let stores = topology.parts().iter().flat_map(|part| &part.stores);
    let elsewhere: Vec<_> = stores.filter(|store| kept(&topology, store) != Some(Kept::OnDisk)).collect();
    assert_eq!(elsewhere, Vec::<&Text>::new());
    // Stores that come with others are kept beside them.
    assert_eq!(kept(&topology, "window-every"), Some(Kept::OnDisk));
    assert_eq!(kept(&topology, "foreign-subscriptions"), Some(Kept::OnDisk));
}

#[test]
fn name_alone_leaves_the_place_to_the_settings() {
    let builder = StreamBuilder::new("t");
    let _ = builder.stream::<i64, i64>("in").group_by_key().count("count");
    let _ = builder.stream::<i64, i64>("in2").group_by_key().count(StoreSpec::new("other").in_memory());
    let topology = builder.build().unwrap();
    assert_eq!((kept(&topology, "count"), kept(&topology, "other")), (None, Some(Kept::InMemory)));
}

#[test]
fn node_knows_itself_what_its_store_holds() {
    let builder = StreamBuilder::new("t");
    let _ = builder.stream::<i64, i64>("in").group_by_key().count(StoreSpec::new("count").values("text"));
    let form = builder.build().unwrap().store("count").map(|store| store.form.clone()).unwrap();
    assert_eq!((&*form.kind, &*form.keys, &*form.values), ("key-value", "i64", "i64"));
}
