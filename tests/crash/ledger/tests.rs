use super::*;

const TOPIC: TopicId = TopicId([7; 16]);
const OTHER: TopicId = TopicId([8; 16]);

fn batch(topic: TopicId, partition: i32, base_offset: i64, values: &[u64]) -> Placed {
    let values = values.iter().copied().map(Value).collect();
    let producer = Some((1, base_offset as i32));
    Placed { topic, partition, base_offset, values, producer, transaction: None }
}

/// Two topics; a synced group, then an `os` group over two partitions, then one more.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    for (lsn, topic) in [(1, TOPIC), (2, OTHER)] {
        let name = format!("t{lsn}");
        let (overrides, keyed) = (Overrides::new(), topic == OTHER);
        ledger.add(lsn, Promise::Synced, What::Created { topic, name, partitions: 2, overrides, keyed });
    }
    ledger.add(3, Promise::None, What::Appended(vec![batch(TOPIC, 0, 0, &[10, 11])]));
    ledger.promise(3, Promise::Synced);
    ledger.add(4, Promise::None, What::Appended(vec![batch(TOPIC, 0, 2, &[12]), batch(OTHER, 1, 0, &[13])]));
    ledger.promise(4, Promise::Written);
    ledger.add(5, Promise::None, What::Appended(vec![batch(TOPIC, 0, 3, &[14, 15])]));
    ledger
}

/// A transaction over two partitions that is taken back, and one that is open.
fn with_transactions() -> Ledger {
    let mut ledger = ledger();
    let within =
        |batch: Placed, producer| Placed { transaction: Some(Transaction::Within { producer }), ..batch };
    let end = |topic, partition, at| Placed {
        values: vec![Value::marker(3, false)],
        producer: None,
        transaction: Some(Transaction::End { producer: 3, committed: false }),
        ..batch(topic, partition, at, &[])
    };
    let both = vec![within(batch(TOPIC, 0, 5, &[20, 21]), 3), within(batch(OTHER, 1, 1, &[22]), 3)];
    ledger.add(6, Promise::None, What::Appended(both));
    ledger.add(7, Promise::None, What::Appended(vec![within(batch(TOPIC, 0, 7, &[23]), 5)]));
    ledger.add(8, Promise::None, What::Appended(vec![end(TOPIC, 0, 8), end(OTHER, 1, 2)]));
    ledger.promise(8, Promise::Synced);
    ledger
}

#[test]
fn every_planted_fault_of_transactions_is_found() {
    let ledger = with_transactions();
    let transactions = &ledger.all().topics[&TOPIC].partitions[0].transactions.clone();
    assert_eq!((transactions.last_stable, &transactions.aborted[..]), (7, &[(3, 5, 8)][..]));
    type Fault = fn(&mut Image);
    let faults: &[(&str, Fault)] = &[
        ("an aborted transaction counts as committed", |image| {
            partition(image).transactions.aborted.clear();
        }),
        ("an aborted transaction begins elsewhere", |image| {
            partition(image).transactions.aborted[0].1 = 6;
        }),
        ("an open transaction is forgotten", |image| partition(image).transactions.open.clear()),
        ("records of an open transaction are stable", |image| {
            partition(image).transactions.last_stable = 9;
        }),
        ("a transaction is ended in one of its partitions alone", |image| {
            let other = partition_mut(image, OTHER, 1).unwrap();
            other.records.pop_back();
            other.end -= 1;
            other.transactions = super::super::image::Transactions {
                open: [(3, 1)].into(),
                aborted: Vec::new(),
                last_stable: 1,
            };
        }),
    ];
    assert_eq!(ledger.check(&ledger.all(), Accident::PowerCut), Ok(0));
    for (name, fault) in faults {
        let mut image = ledger.all();
        fault(&mut image);
        assert!(ledger.check(&image, Accident::PowerCut).is_err(), "{name} was not found");
    }
}

fn partition(image: &mut Image) -> &mut Partition {
    partition_mut(image, TOPIC, 0).unwrap()
}

#[test]
fn every_prefix_behind_what_was_promised_is_accepted() {
    let ledger = ledger();
    for survived in 0..=2 {
        assert_eq!(ledger.check(&ledger.after(survived), Accident::PowerCut), Ok(survived));
    }
    assert!(ledger.check(&ledger.after(0), Accident::Kill).is_err());
    assert_eq!(ledger.check(&ledger.after(1), Accident::Kill), Ok(1));
}

/// Each planted fault, and the word by which the checker names it.
#[test]
fn every_planted_fault_is_found() {
    type Fault = fn(&mut Image);
    let faults: &[(&str, Fault)] = &[
        ("a promised record is lost", |image| {
            partition(image).records.pop_front();
        }),
        ("a promised topic is lost", |image| drop(image.topics.remove(&OTHER))),
        ("a topic that nobody created", |image| {
            let topic = image.topics[&TOPIC].clone();
            image.topics.insert(TopicId([9; 16]), topic);
        }),
        ("a record is there twice", |image| partition(image).append(6, &[Value(15)])),
        ("a record that was never sent", |image| partition(image).append(6, &[Value(99)])),
        ("two records changed places", |image| partition(image).records.swap(0, 1)),
        ("a value changed", |image| partition(image).records[1].1 = Value(77)),
        ("half of a group", |image| {
            partition_mut(image, OTHER, 1).unwrap().records.clear();
            partition_mut(image, OTHER, 1).unwrap().end = 0;
        }),
        ("a group in the middle is missing", |image| {
            *image = ledger().after(0);
            apply(image, &What::Appended(vec![batch(TOPIC, 0, 3, &[14, 15])]));
        }),
        ("the end is too high", |image| partition(image).end += 1),
        ("a key keeps another value", |image| {
            partition_mut(image, OTHER, 1).unwrap().keyed.insert(3, Value(14));
        }),
        ("a setting that nobody changed", |image| {
            let topic = image.topics.get_mut(&TOPIC).unwrap();
            topic.overrides.insert("retention.ms".into(), "5".into());
        }),
        ("a partition that nobody added", |image| {
            image.topics.get_mut(&TOPIC).unwrap().partitions.push(Partition::default());
        }),
        ("a key is lost", |image| partition_mut(image, OTHER, 1).unwrap().keyed.clear()),
        ("the log begins too late", |image| partition(image).start_at(1)),
    ];
    for (name, fault) in faults {
        let mut image = ledger().all();
        fault(&mut image);
        assert!(ledger().check(&image, Accident::PowerCut).is_err(), "{name} was not found");
    }
}

#[test]
fn what_was_taken_back_may_be_placed_again_and_what_is_synced_must_stay() {
    let mut ledger = ledger();
    ledger.retract(5);
    ledger.add(5, Promise::None, What::Appended(vec![batch(TOPIC, 0, 3, &[16])]));
    ledger.synced(4);
    assert!(ledger.check(&self::ledger().after(0), Accident::PowerCut).is_err());
    assert_eq!(ledger.check(&self::ledger().after(1), Accident::PowerCut), Ok(0));
    assert!(ledger.check(&self::ledger().after(2), Accident::PowerCut).is_err());
}

#[test]
fn promised_changes_of_a_topic_must_stay_and_all_before_them() {
    let mut ledger = ledger();
    ledger.add(6, Promise::None, What::Altered { topic: TOPIC, overrides: settings() });
    ledger.add(7, Promise::None, What::Grown { topic: TOPIC, partitions: 3 });
    assert_eq!(ledger.check(&ledger.after(2), Accident::PowerCut), Ok(2));
    ledger.promise(6, Promise::Synced);
    assert!(ledger.check(&self::ledger().after(2), Accident::PowerCut).is_err());
    assert_eq!(ledger.check(&ledger.after(0), Accident::PowerCut), Ok(0));
    let all = ledger.all();
    let topic = &all.topics[&TOPIC];
    assert_eq!((&topic.overrides, topic.partitions.len(), topic.has_retention), (&settings(), 3, true));
    ledger.promise(7, Promise::Written);
    assert!(ledger.check(&ledger.after(0), Accident::Kill).is_err());
}

fn settings() -> Overrides {
    [("retention.bytes".to_owned(), "5".to_owned())].into()
}

#[test]
fn visible_records_of_synced_topics_may_not_go() {
    let mut ledger = ledger();
    let shown = Shown { high_watermark: 3, is_synced: true, ..Shown::default() };
    ledger.show(TOPIC, 0, shown);
    assert!(ledger.check(&ledger.after(0), Accident::PowerCut).is_err());
    assert_eq!(ledger.check(&ledger.after(1), Accident::PowerCut), Ok(1));
    ledger.show(TOPIC, 0, Shown { is_synced: false, ..shown });
    assert_eq!(ledger.check(&ledger.after(0), Accident::PowerCut), Ok(0));
    assert_eq!(ledger.truncated(&ledger.after(0)).len(), 1);
    assert_eq!(ledger.truncated(&ledger.after(1)).len(), 0);
}

#[test]
fn half_of_a_group_is_noticed_while_it_is_shown() {
    let ledger = ledger();
    let shown =
        |high: i64, other: i64| ledger.half_shown(|topic, _| Some(if topic == TOPIC { high } else { other }));
    assert_eq!(shown(2, 0), None);
    assert_eq!(shown(3, 1), None);
    assert_eq!(shown(3, 0), Some(4));
    assert_eq!(shown(2, 1), Some(4));
}

#[test]
fn log_may_begin_later_only_where_retention_may_move_it() {
    let mut ledger = ledger();
    let mut image = ledger.all();
    partition(&mut image).start_at(2);
    assert!(ledger.check(&image, Accident::PowerCut).is_err());
    ledger.settled.topics.get_mut(&TOPIC).unwrap().has_retention = true;
    assert_eq!(ledger.check(&image, Accident::PowerCut), Ok(2));
    ledger.show(TOPIC, 0, Shown { log_start: 3, ..Shown::default() });
    assert!(ledger.check(&image, Accident::PowerCut).is_err());
}

#[test]
fn what_did_not_survive_never_was() {
    let mut ledger = ledger();
    let found = ledger.after(1);
    ledger.survive(1, &found);
    ledger.forget_lsn();
    ledger.add(2, Promise::None, What::Appended(vec![batch(TOPIC, 0, 3, &[20])]));
    assert_eq!(ledger.check(&found, Accident::PowerCut), Ok(0));
    assert_eq!(partition(&mut ledger.all()).records.back(), Some(&(3, Value(20))));
}

#[test]
fn value_is_known_by_every_byte() {
    let bytes = Value(4711).bytes(100);
    assert_eq!(Value::parse(&bytes), Some(Value(4711)));
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        assert_ne!(Value::parse(&wrong), Some(Value(4711)), "byte {at}");
    }
}
