//! Topics that become others: nothing of it is lost, nothing of it comes back, and no two changes forget each other.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    ConfigChange, ConfigOperation, Lsn, NotCommitted, TopicConfig,
    disk::FaultyDisk,
    store::{Alteration, TopicError},
};

fn set(name: &str, value: &str) -> Alteration {
    change(name, ConfigOperation::Set(value.to_owned()))
}

fn change(name: &str, operation: ConfigOperation) -> Alteration {
    Alteration::Changes(vec![ConfigChange { name: name.to_owned(), operation }])
}

fn config(bench: &Bench, topic: TopicId) -> TopicConfig {
    TopicConfig::clone(&bench.store.topics().get(topic).unwrap().config)
}

#[test]
fn changes_on_their_way_do_not_forget_each_other() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.store.alter_topic(topic, &set("retention.ms", "5")).unwrap();
    bench.store.alter_topic(topic, &set("segment.bytes", "1000")).unwrap();
    bench.store.alter_topic(topic, &change("retention.ms", ConfigOperation::Delete)).unwrap();
    bench.store.add_partitions(topic, 3).unwrap();
    let refused = bench.store.add_partitions(topic, 3).unwrap_err();
    assert_eq!(refused, TopicError::Partitions { asked: 3, present: 3 });
    bench.store.add_partitions(topic, 4).unwrap();
    bench.store.round().unwrap();
    for _ in 0..2 {
        assert_eq!(config(&bench, topic).segment_bytes, 1000);
        assert_eq!(config(&bench, topic).retention_ms, TopicConfig::default().retention_ms);
        assert_eq!(bench.store.topics().get(topic).unwrap().partitions.len(), 4);
        bench.store.write_checkpoint(false).unwrap();
    }
}

#[test]
fn changes_that_were_taken_back_never_were() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    let kept = bench.store.add_partitions(topic, 3).unwrap();
    let dropped = bench.store.add_partitions(topic, 5).unwrap();
    bench.store.alter_topic(topic, &set("retention.ms", "5")).unwrap();
    bench.store.truncate_to(kept.lsn());
    assert_eq!(dropped.wait(), Err(NotCommitted::Superseded));
    // Those that stay still count.
    assert!(matches!(bench.store.add_partitions(topic, 2), Err(TopicError::Partitions { present: 3, .. })));
    bench.store.alter_topic(topic, &set("segment.bytes", "1000")).unwrap();
    bench.store.add_partitions(topic, 4).unwrap();
    bench.store.round().unwrap();
    let bench = bench.restart();
    assert_eq!(bench.store.topics().get(topic).unwrap().partitions.len(), 4);
    assert_eq!(config(&bench, topic).retention_ms, TopicConfig::default().retention_ms);
}

#[test]
fn nothing_names_a_topic_behind_its_deletion() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[]);
    bench.fill(topic, 0, 1);
    bench.store.delete_topic(topic).unwrap();
    let unknown = Err(TopicError::Unknown(topic));
    assert_eq!(bench.store.alter_topic(topic, &set("retention.ms", "5")).map(drop), unknown);
    assert_eq!(bench.store.add_partitions(topic, 2).map(drop), unknown);
    let moved = bench.store.move_log_start(topic, PartitionId(0), Offset(3));
    assert!(matches!(moved, Err(AppendError::UnknownPartition { .. })));
    // Partitions that were on their way before the deletion, and come behind its place.
    bench.store.fold_partitions_added(topic, 2);
    let appended = bench.place_batch(topic, 1, batch(1, None));
    assert!(matches!(appended, Err(AppendError::UnknownPartition { .. })));
    bench.store.round().unwrap();
    assert!(bench.restart().store.topics().is_empty());
}

#[test]
fn durability_03_group_behind_a_change_is_as_durable_as_the_change_says() {
    let disk = Arc::new(FaultyDisk::new(1));
    let bench = Bench::on(disk.clone());
    let topic = bench.topic("orders", 1, &[("flush.messages", "1000")]);
    let before = bench.place_batch(topic, 0, batch(1, None)).unwrap();
    let changed = bench.store.alter_topic(topic, &set("flush.messages", "1")).unwrap();
    let behind = bench.place_batch(topic, 0, batch(1, None)).unwrap();
    disk.fail_sync(disk.syncs());
    bench.store.round().unwrap_err();
    assert!(before.wait().is_ok(), "it has its place before the change");
    assert_eq!(changed.wait(), Err(NotCommitted::Failed));
    assert_eq!(behind.wait(), Err(NotCommitted::Failed), "it was acknowledged before the sync");
}

#[test]
fn durability_03_answered_change_and_all_before_it_survive_a_power_cut() {
    let disk = Arc::new(FaultyDisk::new(1));
    let bench = Bench::on(disk.clone());
    let topic = bench.topic("orders", 1, &[("flush.messages", "1000")]);
    bench.fill(topic, 0, 3);
    let changed = bench.store.alter_topic(topic, &set("flush.messages", "1")).unwrap();
    bench.store.round().unwrap();
    changed.wait().unwrap();
    for seed in 0..5 {
        let bench = Bench::on(Arc::new(disk.cut(seed)));
        assert!(config(&bench, topic).is_synced());
        assert_eq!(bench.read(topic, 0).len(), 3);
        assert_eq!(bench.partition(topic, 0).leader_epoch().0, 0, "nothing can have been lost");
    }
}

#[test]
fn a_setting_that_goes_leaves_the_durability_of_this_moment() {
    let bench = Bench::new();
    let topic = bench.topic("orders", 1, &[("flush.messages", "1000")]);
    bench.store.alter_topic(topic, &change("flush.messages", ConfigOperation::Delete)).unwrap();
    bench.store.round().unwrap();
    let overrides = bench.store.topics().get(topic).unwrap().overrides.clone();
    assert_eq!(overrides["flush.messages"], "1");
}

#[test]
fn what_is_only_checked_changes_nothing() {
    let bench = Bench::with(Options { partitions_max: 5, ..options() });
    let topic = bench.topic("orders", 2, &[]);
    let placed = bench.store.stats().placed;
    assert_eq!(bench.store.check_alteration(topic, &set("retention.ms", "5")), Ok(()));
    assert!(bench.store.check_alteration(topic, &set("retention.ms", "soon")).is_err());
    assert_eq!(bench.store.check_added_partitions(topic, 4, 1), Ok(()));
    assert!(bench.store.check_added_partitions(topic, 4, 2).is_err());
    assert!(bench.store.check_added_partitions(topic, 2, 0).is_err());
    assert_eq!(bench.store.stats().placed, placed);
}

/// What may happen to topics; `usize` chooses among those that there are.
#[derive(Clone, Debug)]
enum Move {
    Create {
        name: u8,
        partitions: u32,
        keyed: bool,
    },
    Add {
        topic: usize,
        more: u32,
    },
    Alter {
        topic: usize,
        changes: Vec<ConfigChange>,
    },
    Replace {
        topic: usize,
        overrides: Overrides,
    },
    Delete {
        topic: usize,
    },
    Append {
        topic: usize,
    },
    Round,
    Checkpoint,
    /// All but so many of the changes on their way are taken back.
    TakeBack {
        kept: usize,
    },
    Restart,
}

/// A topic as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expected {
    partitions: usize,
    overrides: Overrides,
}

type Topics = BTreeMap<String, Expected>;

/// What is committed, and behind it what each change on its way makes of it.
struct Model {
    committed: Topics,
    placed: Vec<(Lsn, Topics)>,
}

impl Model {
    fn last(&self) -> Topics {
        self.placed.last().map_or(&self.committed, |(_, topics)| topics).clone()
    }
}

/// Of a value for each setting, some that cannot be.
fn value() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        (0_u32..4).prop_map(|number| ("flush.messages", number.to_string())),
        (0_u32..9).prop_map(|number| ("retention.ms", number.to_string())),
        (0_u32..2000).prop_map(|number| ("segment.bytes", number.to_string())),
        prop_oneof![Just("delete"), Just("compact"), Just("shred")]
            .prop_map(|word| ("cleanup.policy", word.into())),
        Just(("no.such", "1".to_owned())),
    ]
    .prop_map(|(name, value)| (name.to_owned(), value))
}

fn config_change() -> impl Strategy<Value = ConfigChange> {
    (value(), 0..5).prop_map(|((name, value), kind)| {
        let operation = match kind {
            0 => ConfigOperation::Delete,
            1 => ConfigOperation::Append(value),
            2 => ConfigOperation::Subtract(value),
            _ => ConfigOperation::Set(value),
        };
        ConfigChange { name, operation }
    })
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let topic = 0..8_usize;
    let one = prop_oneof![
        2 => (0_u8..4, 1_u32..4, any::<bool>())
            .prop_map(|(name, partitions, keyed)| Move::Create { name, partitions, keyed }),
        3 => (topic.clone(), 0_u32..3).prop_map(|(topic, more)| Move::Add { topic, more }),
        4 => (topic.clone(), prop::collection::vec(config_change(), 1..3))
            .prop_map(|(topic, changes)| Move::Alter { topic, changes }),
        1 => (topic.clone(), prop::collection::btree_map("flush\\.ms|retention\\.ms", "[0-9]", 0..3))
            .prop_map(|(topic, overrides)| Move::Replace { topic, overrides }),
        1 => topic.clone().prop_map(|topic| Move::Delete { topic }),
        2 => topic.prop_map(|topic| Move::Append { topic }),
        4 => Just(Move::Round),
        1 => Just(Move::Checkpoint),
        1 => (0_usize..4).prop_map(|kept| Move::TakeBack { kept }),
        1 => Just(Move::Restart),
    ];
    prop::collection::vec(one, 1..40)
}

/// What a topic becomes, by the rules and not by the store's code.
fn altered(present: &Overrides, changes: &[ConfigChange]) -> Option<Overrides> {
    let mut overrides = present.clone();
    for ConfigChange { name, operation } in changes {
        let list = || -> Option<Vec<String>> {
            let value = overrides.get(name).map_or("delete", String::as_str);
            (name == "cleanup.policy")
                .then(|| value.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect())
        };
        let value = match operation {
            ConfigOperation::Delete => None,
            ConfigOperation::Set(value) => Some(value.clone()),
            ConfigOperation::Append(word) => {
                let mut list = list()?;
                if !list.contains(word) {
                    list.push(word.clone());
                }
                Some(list.join(","))
            }
            ConfigOperation::Subtract(word) => {
                let list: Vec<_> = list()?.into_iter().filter(|present| present != word).collect();
                Some(list.join(","))
            }
        };
        overrides.remove(name);
        overrides.extend(value.map(|value| (name.clone(), value)));
    }
    let is_possible = |(name, value): (&String, &String)| match name.as_str() {
        "flush.messages" => value != "0",
        "segment.bytes" => value.parse::<u32>().unwrap() >= 14,
        "cleanup.policy" => !value.contains("shred"),
        other => other != "no.such",
    };
    overrides.iter().all(is_possible).then_some(overrides)
}

fn pinned(mut overrides: Overrides, keyed: bool) -> Overrides {
    for (name, value) in [("flush.messages", "1"), ("flush.ms", "1000")] {
        if !keyed {
            overrides.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    overrides
}

fn found(bench: &Bench) -> Topics {
    let expected = |topic: &Arc<super::super::Topic>| {
        let expected = Expected { partitions: topic.partitions.len(), overrides: topic.overrides.clone() };
        (topic.name.clone(), expected)
    };
    bench.store.topics().iter().map(expected).collect()
}

fn is_keyed(name: &str) -> bool {
    name.starts_with("keyed")
}

/// The topic that a number chooses among those that can be seen, and what is expected of it; none where it is on its way
/// to its end.
fn choose(bench: &Bench, model: &Model, number: usize) -> Option<(TopicId, String, Option<Expected>)> {
    let topics = bench.store.topics();
    let names: std::collections::BTreeSet<_> = topics.iter().map(|topic| topic.name.clone()).collect();
    let name = names.iter().nth(number % names.len().max(1))?.clone();
    let id = topics.named(&name)?.id;
    // One of the same name may be on its way behind a deletion only when that one is committed.
    let expected = model.last().get(&name).cloned();
    Some((id, name, expected))
}

/// Does a move to the store and to the model; they must agree on whether it can be.
fn make(bench: Bench, model: &mut Model, step: Move) -> Bench {
    let mut next = model.last();
    let placed = match step {
        Move::Create { name, partitions, keyed } => {
            let name = format!("{}{name}", if keyed { "keyed" } else { "plain" });
            let new = NewTopic { name: name.clone(), partitions, overrides: Overrides::new(), keyed };
            // A name is free when its deletion is committed.
            let is_free = !next.contains_key(&name) && bench.store.topics().named(&name).is_none();
            let overrides = pinned(Overrides::new(), keyed);
            next.insert(name, Expected { partitions: partitions as usize, overrides });
            is_free.then_some(bench.store.create_topic(new).map(|(_, ticket)| ticket))
        }
        Move::Add { topic, more } => choose(&bench, model, topic).and_then(|(id, name, expected)| {
            let present = expected.as_ref().map_or(0, |expected| expected.partitions);
            let asked = present + more as usize;
            next.extend(expected.map(|expected| (name, Expected { partitions: asked, ..expected })));
            let added = bench.store.add_partitions(id, asked as u32);
            assert_eq!(added.is_ok(), more > 0 && present > 0, "{added:?}");
            added.is_ok().then_some(added)
        }),
        Move::Alter { topic, changes } => choose(&bench, model, topic).and_then(|(id, name, expected)| {
            let wanted = expected.as_ref().and_then(|expected| altered(&expected.overrides, &changes));
            let result = bench.store.alter_topic(id, &Alteration::Changes(changes));
            assert_eq!(result.is_ok(), wanted.is_some(), "{result:?}");
            let overrides = pinned(wanted?, is_keyed(&name));
            next.insert(name, Expected { overrides, ..expected? });
            Some(result)
        }),
        Move::Replace { topic, overrides } => {
            choose(&bench, model, topic).and_then(|(id, name, expected)| {
                let result = bench.store.alter_topic(id, &Alteration::Replace(overrides.clone()));
                assert_eq!(result.is_ok(), expected.is_some(), "{result:?}");
                let overrides = pinned(overrides, is_keyed(&name));
                next.insert(name, Expected { overrides, ..expected? });
                Some(result)
            })
        }
        Move::Delete { topic } => choose(&bench, model, topic).and_then(|(id, name, expected)| {
            let result = bench.store.delete_topic(id);
            assert_eq!(result.is_ok(), expected.is_some());
            next.remove(&name);
            expected.map(|_| result)
        }),
        Move::Append { topic } => {
            if let Some((id, ..)) = choose(&bench, model, topic) {
                let last = bench.store.topics().get(id).unwrap().partitions.len() as i32 - 1;
                drop(bench.place_batch(id, last, batch(1, None)));
            }
            None
        }
        Move::Round => {
            bench.store.round().unwrap();
            (model.committed, model.placed) = (next, Vec::new());
            return bench;
        }
        Move::Checkpoint => {
            bench.store.write_checkpoint(false).unwrap();
            None
        }
        Move::TakeBack { kept } => {
            let lsn = kept
                .checked_sub(1)
                .and_then(|last| model.placed.get(last))
                .map_or(Lsn::ZERO, |(lsn, _)| *lsn);
            if kept <= model.placed.len() {
                bench.store.truncate_to(lsn);
                model.placed.truncate(kept);
            }
            None
        }
        Move::Restart => {
            model.placed.clear();
            return bench.restart();
        }
    };
    if let Some(ticket) = placed {
        model.placed.push((ticket.unwrap().lsn(), next));
    }
    bench
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_happens_to_topics_the_store_and_a_model_agree(moves in moves()) {
        let mut bench = Bench::new();
        let mut model = Model { committed: Topics::new(), placed: Vec::new() };
        for step in moves {
            bench = make(bench, &mut model, step);
            prop_assert_eq!(found(&bench), model.committed.clone());
        }
    }
}
