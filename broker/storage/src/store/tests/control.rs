use std::collections::HashSet;

use mainstem_protocol::records::{BatchBuilder, Compression, NewRecord, ProducerStamp};

use super::*;
use crate::{
    ConfigError, TopicConfig,
    store::{Alteration, NextProducerId, TopicError},
};

#[test]
fn a_topic_exists_once_until_it_is_deleted() {
    let bench = Bench::new();
    let new =
        || NewTopic { name: "orders".to_owned(), partitions: 2, overrides: Overrides::new(), keyed: false };
    let first = bench.topic("orders", 2, &[]);
    assert!(matches!(bench.store.create_topic(new()), Err(TopicError::Exists(name)) if name == "orders"));
    assert_eq!(bench.store.topics().named("orders").unwrap().id, first);
    bench.fill(first, 0, 1);
    let deleted = bench.store.delete_topic(first).unwrap();
    assert!(matches!(bench.place_batch(first, 0, batch(1, None)), Err(AppendError::UnknownPartition { .. })));
    bench.store.round().unwrap();
    deleted.wait().unwrap();
    assert!(bench.store.topics().named("orders").is_none());
    assert!(matches!(bench.store.delete_topic(first), Err(TopicError::Unknown(_))));
    let second = bench.topic("orders", 2, &[]);
    assert_ne!(first, second);
    assert!(bench.read(second, 0).is_empty());
    bench.store.cleanup_step();
    let bench = bench.restart();
    assert!(bench.store.topics().get(first).is_none());
    assert_eq!(bench.store.topics().named("orders").unwrap().id, second);
}

#[test]
fn settings_change_for_what_comes_later_and_survive() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("retention.ms", "5")]);
    let overrides = Overrides::from([("flush.messages", "100")].map(owned));
    bench.store.alter_topic(topic, &Alteration::Replace(overrides)).unwrap();
    bench.store.round().unwrap();
    let bench = bench.restart();
    let found = bench.store.topics().get(topic).unwrap().clone();
    // What is not named follows the broker's default; durability does so from this moment on, not whatever it becomes.
    let expected = Overrides::from([("flush.messages", "100"), ("flush.ms", "1000")].map(owned));
    assert_eq!((found.config.flush_messages, &found.overrides), (100, &expected));
    let wrong = Alteration::Replace([("flush.messages", "many")].map(owned).into());
    assert!(matches!(bench.store.alter_topic(topic, &wrong), Err(TopicError::Config(_))));
}

#[test]
fn durability_11_a_batch_size_above_what_the_journal_allows_is_refused_with_both_figures() {
    let bench = Bench::new();
    let overrides = Overrides::from([("max.message.bytes".to_owned(), "500000".to_owned())]);
    let new = NewTopic { name: "big".to_owned(), partitions: 1, overrides, keyed: false };
    let Err(TopicError::Config(error)) = bench.store.create_topic(new) else { panic!("it was accepted") };
    assert!(matches!(error, ConfigError::Invalid { .. }));
    let text = error.to_string();
    assert!(text.contains("500000") && text.contains("258048"), "{text}");
}

#[test]
fn partitions_are_added_and_never_taken_away() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.fill(topic, 0, 1);
    bench.store.add_partitions(topic, 3).unwrap();
    bench.store.round().unwrap();
    bench.fill(topic, 2, 1);
    for few in [2, 3] {
        let refused = bench.store.add_partitions(topic, few).unwrap_err();
        assert_eq!(refused, TopicError::Partitions { asked: few, present: 3 });
    }
    let bench = bench.restart();
    assert_eq!(bench.read(topic, 0).len(), 1);
    assert_eq!(bench.read(topic, 2).len(), 1);
}

#[test]
fn partitions_of_all_topics_have_a_limit_that_the_brokers_own_are_not_held_to() {
    let bench = Bench::with(Options { partitions_max: 5, ..options() });
    let new = |name: &str, partitions, keyed| NewTopic {
        name: name.to_owned(),
        partitions,
        overrides: Overrides::new(),
        keyed,
    };
    let orders = bench.topic("orders", 2, &[]);
    bench.store.create_topic(new("on its way", 2, false)).unwrap();
    let refused = bench.store.create_topic(new("more", 2, false)).unwrap_err();
    assert_eq!(refused, TopicError::TooManyPartitions { asked: 2, present: 4, most: 5 });
    assert!(refused.to_string().contains("max.broker.partitions"), "{refused}");
    assert_eq!(bench.store.check_room_for(1), Ok(()));
    bench.store.add_partitions(orders, 3).unwrap();
    assert!(matches!(bench.store.add_partitions(orders, 4), Err(TopicError::TooManyPartitions { .. })));
    bench.store.create_topic(new("own", 3, true)).unwrap();
    bench.store.round().unwrap();
    assert!(matches!(bench.store.check_room_for(1), Err(TopicError::TooManyPartitions { present: 8, .. })));
    bench.store.delete_topic(orders).unwrap();
    bench.store.round().unwrap();
    let again = bench.store.create_topic(new("again", 1, false));
    assert_eq!(again.unwrap_err(), TopicError::TooManyPartitions { asked: 1, present: 5, most: 5 });
    // A lower limit takes nothing away.
    let disk = Arc::clone(&bench.disk);
    drop(bench.store);
    let lower = Bench::open(Options { partitions_max: 1, ..options() }, disk).unwrap();
    assert_eq!(lower.store.topics().len(), 2);
}

fn producer_id(bench: &Bench) -> i64 {
    loop {
        match bench.store.next_producer_id().unwrap() {
            NextProducerId::Ready(id) => return id.0,
            NextProducerId::Wait(ticket) => {
                bench.store.round().unwrap();
                ticket.wait().unwrap();
            }
        }
    }
}

#[test]
fn producer_ids_are_given_once_whatever_happens_between() {
    let mut seen = HashSet::new();
    let mut bench = Bench::new();
    for start in 0..4 {
        for _ in 0..1700 {
            assert!(seen.insert(producer_id(&bench)));
            if start % 2 == 1 {
                bench.store.round().unwrap();
            }
        }
        bench = bench.restart();
    }
    assert_eq!(seen.iter().min(), Some(&0));
}

fn keyed_batch(records: &[(&str, Option<&str>)]) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    for (key, value) in records {
        let record =
            NewRecord { key: Some(key.as_bytes()), value: value.map(str::as_bytes), ..NewRecord::default() };
        builder.append(&record).unwrap();
    }
    let mut bytes = builder.seal(&ProducerStamp::default()).unwrap();
    Batch::split_from(&mut bytes).unwrap()
}

#[test]
fn the_last_value_of_each_key_is_kept_and_tombstones_remove_it() {
    let bench = Bench::new();
    let topic = bench.create("__consumer_offsets", 2, &[("cleanup.policy", "compact")], true);
    bench.append(topic, 0, keyed_batch(&[("a", Some("1")), ("b", Some("2"))]));
    bench.append(topic, 1, keyed_batch(&[("a", Some("other"))]));
    bench.store.write_checkpoint(false).unwrap();
    bench.append(topic, 0, keyed_batch(&[("a", Some("3")), ("c", Some("4")), ("b", None)]));
    let expected = [("a", "3"), ("c", "4")].map(|(key, value)| (key.into(), value.into()));
    for _ in 0..2 {
        let values = bench.store.keyed_image(topic, PartitionId(0)).unwrap();
        assert_eq!(values, std::collections::BTreeMap::from(expected.clone()));
    }
    let bench = bench.restart();
    assert_eq!(bench.store.keyed_image(topic, PartitionId(0)).unwrap().len(), 2);
    assert_eq!(bench.store.keyed_value(topic, PartitionId(1), b"a").unwrap(), "other");
    let plain = bench.topic("plain", 1, &[]);
    assert!(bench.store.keyed_image(plain, PartitionId(0)).is_none());
}

#[test]
fn values_come_page_by_page_and_none_is_left_out() {
    let bench = Bench::new();
    let topic = bench.create("__consumer_offsets", 1, &[("cleanup.policy", "compact")], true);
    for count in [255, 256, 257, 600] {
        let keys: Vec<_> = (0..count).map(|number| format!("k{number:04}")).collect();
        let records: Vec<_> = keys.iter().map(|key| (key.as_str(), Some("1"))).collect();
        bench.append(topic, 0, keyed_batch(&records));
        let found: Vec<_> =
            bench.store.keyed_values(topic, PartitionId(0), b"k").map(|(key, _)| key).collect();
        assert_eq!(found, keys);
    }
    let mut values = bench.store.keyed_values(topic, PartitionId(0), b"");
    values.next();
    bench.append(topic, 0, keyed_batch(&[("l", Some("1")), ("k0500", None)]));
    assert_eq!(values.count(), 599, "what is not read yet is as it is by then");
    assert_eq!(bench.store.keyed_values(topic, PartitionId(0), b"k01").count(), 100);
    assert_eq!(bench.store.keyed_values(topic, PartitionId(1), b"").count(), 0);
}

#[test]
fn a_topic_keeps_the_durability_that_it_was_made_with() {
    let bench = Bench::new();
    let topic = bench.topic("kept", 1, &[]);
    bench.store.shutdown().unwrap();
    let Bench { disk, store, .. } = bench;
    drop(store);
    let topic_defaults = TopicConfig { flush_messages: 1000, ..TopicConfig::default() };
    let bench = Bench::open(Options { topic_defaults, ..options() }, disk).unwrap();
    assert!(bench.store.topics().get(topic).unwrap().config.is_synced());
    let other = bench.topic("other", 1, &[("flush.ms", "7")]);
    let config = bench.store.topics().get(other).unwrap().config.clone();
    assert_eq!((config.flush_messages, config.flush_ms), (1000, 7));
}
