//! Joins by a key that values name, by what Kafka Streams is tested with (`KTableKTableForeignKeyJoinIntegrationTest`).
//!
//! | number | what must not happen |
//! |---|---|
//! | 22 | that a value which names no key has a result of an inner join, or none of a left one |
//! | 25 | that a removal goes on where there was no result |
//! | 26 | that an answer to an earlier value overtakes that to the present one, or what a value named before leaves a trace |
//! | 58 | that time stands still where tasks wait for one another |

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// What a left value names stands behind a bar; `none` is no key.
fn named(_: &Text, value: &Text) -> Option<Text> {
    let (_, name) = value.split_once('|')?;
    (name != "none").then(|| Text::from(name))
}

fn pair(left: &Text, right: Option<&Text>) -> Text {
    Text::from(format!("({left},{})", right.map_or("null", |right| right)))
}

fn joined(left: &Table<Text, Text>, right: &Table<Text, Text>, is_left: bool) -> Table<Text, Text> {
    if is_left {
        left.left_join_foreign(right, "joined", named, |_, left, right| pair(left, right))
    } else {
        left.join_foreign(right, "joined", named, |_, left, right| pair(left, Some(right)))
    }
}

fn topology(is_left: bool) -> Topology {
    let builder = StreamBuilder::new("t");
    joined(&builder.table(LEFT), &builder.table(RIGHT), is_left).to("out");
    builder.build().unwrap()
}

/// Key and value of a record of either table, and what it leads to.
type Step<'a> = (&'a str, &'a str, Option<&'a str>, &'a [(&'a str, Option<&'a str>)]);

/// Has each record lead to what is expected of it, in any order of keys, whatever the partitions are.
fn leads_to(is_left: bool, steps: &[Step<'_>]) {
    for (left, right) in [(1, 1), (3, 2)] {
        let partitions = [(LEFT, left), (RIGHT, right)];
        let mut driver = TestDriver::with_partitions(&topology(is_left), &partitions).unwrap();
        for (time, (topic, key, value, expected)) in (0..).zip(steps) {
            driver.pipe_record(topic, &TestRecord::new(*key, value.map(str::to_owned), time)).unwrap();
            let mut results = read::<String, Option<String>>(&mut driver, "out");
            results.sort();
            let expected: Vec<_> =
                expected.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect();
            assert_eq!(results, expected, "{time}: {topic} {key} {value:?}");
        }
    }
}

#[test]
fn left_values_come_and_go() {
    for is_left in [false, true] {
        leads_to(
            is_left,
            &[
                (RIGHT, "r1", Some("x"), &[]),
                (RIGHT, "r2", Some("y"), &[]),
                (RIGHT, "r3", Some("z"), &[]),
                (LEFT, "l1", Some("a|r1"), &[("l1", Some("(a|r1,x)"))]),
                (LEFT, "l2", Some("b|r2"), &[("l2", Some("(b|r2,y)"))]),
                (LEFT, "l3", Some("c|r1"), &[("l3", Some("(c|r1,x)"))]),
                (LEFT, "l1", None, &[("l1", None)]),
            ],
        );
    }
}

#[test]
fn right_value_goes_to_all_that_name_it_and_its_end_too() {
    leads_to(
        false,
        &[
            (LEFT, "l1", Some("a|r1"), &[]),
            (LEFT, "l2", Some("b|r2"), &[]),
            (LEFT, "l3", Some("c|r1"), &[]),
            (RIGHT, "r1", Some("x"), &[("l1", Some("(a|r1,x)")), ("l3", Some("(c|r1,x)"))]),
            (RIGHT, "r2", Some("y"), &[("l2", Some("(b|r2,y)"))]),
            (RIGHT, "r3", Some("z"), &[]),
            (RIGHT, "r1", None, &[("l1", None), ("l3", None)]),
        ],
    );
    leads_to(
        true,
        &[
            (LEFT, "l1", Some("a|r1"), &[("l1", Some("(a|r1,null)"))]),
            (LEFT, "l2", Some("b|r2"), &[("l2", Some("(b|r2,null)"))]),
            (LEFT, "l3", Some("c|r1"), &[("l3", Some("(c|r1,null)"))]),
            (RIGHT, "r1", Some("x"), &[("l1", Some("(a|r1,x)")), ("l3", Some("(c|r1,x)"))]),
            (RIGHT, "r2", Some("y"), &[("l2", Some("(b|r2,y)"))]),
            (RIGHT, "r3", Some("z"), &[]),
            (RIGHT, "r1", None, &[("l1", Some("(a|r1,null)")), ("l3", Some("(c|r1,null)"))]),
        ],
    );
}

/// Trap 25. As in Kafka Streams there is a removal also where there was no result: none is known of, and a run that died
/// may have given one.
#[test]
fn value_that_goes_is_told_once_whether_or_not_it_had_a_result() {
    let gone: &[(&str, Option<&str>)] = &[("l1", None)];
    for (is_left, result) in [(false, &[][..]), (true, &[("l1", Some("(a|r1,null)"))][..])] {
        leads_to(
            is_left,
            &[(LEFT, "l1", Some("a|r1"), result), (LEFT, "l1", None, gone), (LEFT, "l1", None, &[])],
        );
    }
}

/// Trap 26.
#[test]
fn value_that_names_another_key_has_no_more_of_the_first() {
    for is_left in [false, true] {
        let alone = is_left.then_some("(a|r3,null)");
        leads_to(
            is_left,
            &[
                (RIGHT, "r1", Some("x"), &[]),
                (RIGHT, "r2", Some("y"), &[]),
                (LEFT, "l1", Some("a|r1"), &[("l1", Some("(a|r1,x)"))]),
                (LEFT, "l1", Some("a|r2"), &[("l1", Some("(a|r2,y)"))]),
                (RIGHT, "r1", Some("x2"), &[]),
                (LEFT, "l1", Some("a|r3"), &[("l1", alone)]),
                (RIGHT, "r2", None, &[]),
                (LEFT, "l1", Some("a|r1"), &[("l1", Some("(a|r1,x2)"))]),
            ],
        );
    }
}

/// Trap 22. Kafka Streams leaves the result of an inner join as it was when a value names nothing any more.
#[test]
fn value_that_names_nothing_has_a_result_of_a_left_join_alone() {
    for is_left in [false, true] {
        let alone = is_left.then_some("(b|none,null)");
        leads_to(
            is_left,
            &[
                (RIGHT, "r1", Some("x"), &[]),
                (LEFT, "l1", Some("a|r1"), &[("l1", Some("(a|r1,x)"))]),
                (LEFT, "l1", Some("b|none"), &[("l1", alone)]),
                (RIGHT, "r1", Some("y"), &[]),
                (LEFT, "l1", Some("a|r1"), &[("l1", Some("(a|r1,y)"))]),
            ],
        );
    }
}

#[test]
fn subscriptions_are_there_for_the_keys_that_values_name_and_no_others() {
    let mut driver = TestDriver::new(&topology(true)).unwrap();
    let subscriptions = |driver: &TestDriver| {
        let entries = driver.raw_store("joined-subscriptions").unwrap();
        entries.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    driver.pipe(LEFT, "l1", "a|r1", 0).unwrap();
    assert_eq!(subscriptions(&driver), [&b"\0\0\0\x02r1l1"[..]]);
    driver.pipe(LEFT, "l1", "a|r22", 0).unwrap();
    assert_eq!(subscriptions(&driver), [&b"\0\0\0\x03r22l1"[..]]);
    driver.pipe(LEFT, "l1", "a|none", 0).unwrap();
    assert!(subscriptions(&driver).is_empty());
}

#[test]
fn results_bear_the_later_of_the_two_times() {
    let mut driver = TestDriver::new(&topology(false)).unwrap();
    for (topic, key, value, time) in
        [(RIGHT, "r", "x", 7), (LEFT, "l", "a|r", 3), (LEFT, "l", "b|r", 9), (RIGHT, "r", "y", 8)]
    {
        driver.pipe(topic, key, value, time).unwrap();
    }
    let results = driver.read::<String, String>("out").unwrap();
    assert_eq!(results.iter().map(|result| result.timestamp.0).collect::<Vec<_>>(), [7, 9, 9]);
}

/// Byte for byte what Kafka Streams keeps (`KTableKTableForeignKeyJoinMaterializationIntegrationTest`, and the store of a
/// materialised join): time, as eight bytes, and value of what has a result, and nothing of what has none.
#[test]
fn store_holds_the_results_with_their_times_and_nothing_else() {
    let entry = |key: &'static str, time: u8, value: &str| {
        (Bytes::from(key), Bytes::from([&[0, 0, 0, 0, 0, 0, 0, time], value.as_bytes()].concat()))
    };
    let mut driver = TestDriver::new(&topology(false)).unwrap();
    let mut pipe = |topic: &str, key: &str, value: Option<&str>, time: i64| {
        driver.pipe_record(topic, &TestRecord::new(key, value.map(str::to_owned), time)).unwrap();
        driver.raw_store("joined").unwrap()
    };
    assert_eq!(pipe(LEFT, "lhs1", Some("lhsValue1|rhs1"), 1), []);
    assert_eq!(pipe(LEFT, "lhs1", None, 2), []);
    assert_eq!(pipe(LEFT, "lhs1", None, 3), []);
    assert_eq!(pipe(LEFT, "lhs1", Some("lhsValue1|rhs1"), 4), []);
    let first = entry("lhs1", 5, "(lhsValue1|rhs1,rhsValue1)");
    assert_eq!(pipe(RIGHT, "rhs1", Some("rhsValue1"), 5), std::slice::from_ref(&first));
    let second = entry("lhs2", 6, "(lhsValue2|rhs1,rhsValue1)");
    assert_eq!(pipe(LEFT, "lhs2", Some("lhsValue2|rhs1"), 6), [first, second]);
    let both =
        [entry("lhs1", 7, "(lhsValue1|rhs1,rhsValue2)"), entry("lhs2", 7, "(lhsValue2|rhs1,rhsValue2)")];
    assert_eq!(pipe(RIGHT, "rhs1", Some("rhsValue2"), 7), both);
    assert_eq!(pipe(LEFT, "lhs1", None, 8), both[1..]);
    assert_eq!(pipe(RIGHT, "rhs1", None, 9), []);
}

/// Kafka Streams: `rejoin`.
#[test]
fn result_is_a_table_that_is_joined_again_and_added_up() {
    let builder = StreamBuilder::new("t");
    let (left, right) = (builder.table::<Text, Text>(LEFT), builder.table::<Text, Text>(RIGHT));
    let joined = joined(&left, &right, false);
    joined.join(&left, |_, joined, left| Text::from(format!("{joined}+{left}"))).to("out");
    joined.group_by(|_, joined| (Text::from(&joined[joined.len() - 2..]), ())).count("counts").to("counts");
    let partitions = [(LEFT, 3), (RIGHT, 2)];
    let mut driver = TestDriver::with_partitions(&builder.build().unwrap(), &partitions).unwrap();
    for (topic, key, value) in [
        (RIGHT, "r1", "x"),
        (LEFT, "l1", "a|r1"),
        (LEFT, "l2", "b|r1"),
        (LEFT, "l3", "c|r2"),
        (RIGHT, "r2", "y"),
        (RIGHT, "r1", "y"),
        (LEFT, "l2", "d|r2"),
    ] {
        driver.pipe(topic, key, value, 0).unwrap();
    }
    driver.pipe(LEFT, "l1", (), 1).unwrap();
    let results = driver.read_table::<String, Option<String>>("out").unwrap();
    let expected = [("l1", None), ("l2", Some("(d|r2,y)+d|r2")), ("l3", Some("(c|r2,y)+c|r2"))];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
    assert_eq!(results.into_iter().collect::<Vec<_>>(), expected);
    let counts = driver.store::<String, i64>("counts").unwrap();
    assert_eq!(counts, [("x)".to_owned(), 0), ("y)".to_owned(), 2)]);
}

#[test]
fn table_is_joined_with_itself() {
    let builder = StreamBuilder::new("t");
    let people = builder.table::<Text, Text>("people");
    people.left_join_foreign(&people, "boss", named, |_, who, boss| pair(who, boss)).to("out");
    let mut driver = TestDriver::with_partitions(&builder.build().unwrap(), &[("people", 3)]).unwrap();
    for (who, value) in [("anna", "A|ben"), ("ben", "B|none"), ("carl", "C|ben"), ("ben", "D|carl")] {
        driver.pipe("people", who, value, 0).unwrap();
    }
    let bosses = driver.store::<String, String>("boss").unwrap();
    assert_eq!(
        bosses,
        owned(&[("anna", "(A|ben,D|carl)"), ("ben", "(D|carl,C|ben)"), ("carl", "(C|ben,D|carl)")])
    );
}

/// Trap 58: what goes to the other side and comes back does not hold up the time of those who wait for it.
#[test]
fn windows_behind_a_join_close_as_time_goes_on_and_with_the_input() {
    let builder = StreamBuilder::new("t");
    let (left, right) = (builder.table::<Text, Text>(LEFT), builder.table::<Text, Text>(RIGHT));
    let windows = TimeWindows::tumbling(Duration::from_millis(10));
    let stream = joined(&left, &right, true).updates();
    stream.group_by_key().windowed_by(windows).on_close().count("counts").to("out");
    let mut driver = TestDriver::with_partitions(&builder.build().unwrap(), &[(RIGHT, 2)]).unwrap();
    for partition in [0, 1] {
        driver.pipe_record(RIGHT, &TestRecord::new("r", "x", 1).partition(partition)).unwrap();
    }
    driver.pipe(LEFT, "l", "a|r", 2).unwrap();
    for partition in [0, 1] {
        driver.pipe_record(RIGHT, &TestRecord::new("q", "x", 30).partition(partition)).unwrap();
    }
    driver.pipe(LEFT, "l", "a|r", 25).unwrap();
    let closed = |driver: &mut TestDriver| {
        let results = driver.read::<Windowed<String>, i64>("out").unwrap().into_iter();
        results.map(|result| (result.key.window.start.0, result.value)).collect::<Vec<_>>()
    };
    assert_eq!(closed(&mut driver), [(0, 1)]);
    driver.finish().unwrap();
    assert_eq!(closed(&mut driver), [(20, 1)]);
    assert_eq!(driver.counts("counts").late, 0);
}

/// Both sides behind repartition topics of their own: partitions follow from these, and not from what comes back.
#[test]
fn tables_behind_repartition_topics_are_joined() {
    let builder = StreamBuilder::new("t");
    let moved = |topic: &'static str| {
        let stream = builder.stream::<Text, Text>(topic).select_key(|key, _| key.clone());
        stream.to_table(format!("{topic}-kept"))
    };
    joined(&moved(LEFT), &moved(RIGHT), false).to("out");
    let partitions = [(LEFT, 3), (RIGHT, 2)];
    let mut driver = TestDriver::with_partitions(&builder.build().unwrap(), &partitions).unwrap();
    for (topic, key, value) in [(LEFT, "l", "a|r"), (RIGHT, "r", "x")] {
        driver.pipe(topic, key, value, 0).unwrap();
    }
    assert_eq!(texts(&mut driver, "out"), owned(&[("l", "(a|r,x)")]));
}

#[test]
fn nodes_and_topics_are_named_after_the_store() {
    let text = topology(false).to_string();
    let names = [
        "Processor: joined-foreign-key (stores: [])",
        "Sink: joined-subscription-repartition-sink (topic: t-joined-subscription-repartition)",
        "Processor: joined-subscriptions (stores: [joined-subscriptions, right-table])",
        "Sink: joined-response-repartition-sink (topic: t-joined-response-repartition)",
        "Processor: joined (stores: [joined, left-table])",
    ];
    names.iter().for_each(|name| assert!(text.contains(name), "{name} is not in {text}"));
}

#[test]
fn table_of_open_windows_cannot_be_asked() {
    let builder = StreamBuilder::new("t");
    let windows = TimeWindows::tumbling(Duration::from_secs(1));
    let counts = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows).count("counts");
    let table = builder.table::<Text, Windowed<Text>>("table");
    let named = |_: &Text, value: &Windowed<Text>| Some(value.clone());
    table.join_foreign(&counts, "joined", named, |_, _, count| *count).to("out");
    let error = builder.build().unwrap_err().to_string();
    assert!(
        error.starts_with("node joined-subscriptions looks into the table counts, of which only"),
        "{error}"
    );
}

/// A record of either table, or a task that works.
#[derive(Clone, Debug)]
enum Turn {
    Left(u8, Option<(u8, Option<u8>)>),
    Right(u8, Option<u8>),
    Task(usize),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let value = prop::option::of((0..3_u8, prop::option::of(0..3_u8)));
    let turn = prop_oneof![
        (0..3_u8, value).prop_map(|(key, value)| Turn::Left(key, value)),
        (0..3_u8, prop::option::of(0..3_u8)).prop_map(|(key, value)| Turn::Right(key, value)),
        (0..20_usize).prop_map(Turn::Task),
    ];
    prop::collection::vec(turn, 1..120)
}

proptest! {
    /// Traps 8 and 26: tasks work in any order, on as much as there is when their turn comes.
    #[test]
    fn results_are_those_of_the_last_values_whatever_the_order_of_work(turns in turns(), is_left: bool) {
        let partitions = [(LEFT, 2), (RIGHT, 3)];
        let mut driver = TestDriver::with_partitions(&topology(is_left), &partitions).unwrap();
        let (mut left, mut right) = (HashMap::new(), HashMap::new());
        for turn in turns {
            match turn {
                Turn::Left(key, value) => {
                    let value = value.map(|(text, name)| {
                        let name = name.map_or_else(|| "none".to_owned(), |name| name.to_string());
                        format!("{text}|{name}")
                    });
                    driver.put_only(LEFT, &TestRecord::new(key.to_string(), value.clone(), 0)).unwrap();
                    left.insert(key.to_string(), value);
                }
                Turn::Right(key, value) => {
                    let value = value.map(|value| value.to_string());
                    driver.put_only(RIGHT, &TestRecord::new(key.to_string(), value.clone(), 0)).unwrap();
                    right.insert(key.to_string(), value);
                }
                Turn::Task(task) => driver.run_task(task).unwrap(),
            }
        }
        driver.run().unwrap();
        let of = |value: &String| {
            let (_, name) = value.split_once('|').unwrap();
            let found = right.get(name).cloned().flatten();
            let is_result = is_left || found.is_some();
            is_result.then(|| format!("({value},{})", found.unwrap_or_else(|| "null".to_owned())))
        };
        let results = left.into_iter().filter_map(|(key, value)| Some((key, of(&value?)?)));
        let mut expected: Vec<_> = results.collect();
        expected.sort();
        prop_assert_eq!(driver.store::<String, String>("joined").unwrap(), expected.clone());
        let table = driver.read_table::<String, Option<String>>("out").unwrap().into_iter();
        prop_assert_eq!(table.filter_map(|(key, value)| Some((key, value?))).collect::<Vec<_>>(), expected);
    }
}
