//! Joins of two streams.
//!
//! | number | what must not happen |
//! |---|---|
//! | 21 | other results than those of Kafka Streams |
//! | 22 | that a record without a key or value leads to a result that it cannot have |
//! | 23 | a result without a partner and then one with it |
//! | 27 | that a record is put together with itself twice |
//! | 28 | that before and after are taken for each other, or a bound is left out |

use proptest::prelude::*;

use super::*;
use crate::JoinWindows;

type Maybe = Option<Text>;

/// What joins of streams are tested with; two records without a key follow.
const INPUTS: [Input; 15] = [
    (LEFT, None, 1),
    (RIGHT, None, 2),
    (LEFT, Some("A"), 3),
    (RIGHT, Some("a"), 4),
    (LEFT, Some("B"), 5),
    (RIGHT, Some("b"), 6),
    (LEFT, None, 7),
    (RIGHT, None, 8),
    (LEFT, Some("C"), 9),
    (RIGHT, Some("c"), 10),
    (RIGHT, None, 11),
    (LEFT, None, 12),
    (RIGHT, None, 13),
    (RIGHT, Some("d"), 14),
    (LEFT, Some("D"), 15),
];

const INNER: [&str; 15] = [
    "",
    "",
    "",
    "A-a@4",
    "B-a@5",
    "A-b@6 B-b@6",
    "",
    "",
    "C-a@9 C-b@9",
    "A-c@10 B-c@10 C-c@10",
    "",
    "",
    "",
    "A-d@14 B-d@14 C-d@14",
    "D-a@15 D-b@15 D-c@15 D-d@15",
];

fn ten_seconds() -> JoinWindows {
    JoinWindows::within(Duration::from_secs(10)).grace(Duration::from_secs(86_400))
}

#[derive(Clone, Copy, Debug)]
enum How {
    Inner,
    Left,
    Outer,
}

fn joined(
    left: &Stream<Maybe, Maybe>,
    right: &Stream<Maybe, Maybe>,
    windows: JoinWindows,
    how: How,
) -> Stream<Maybe, Text> {
    let shown = |left: Option<&Maybe>, right: Option<&Maybe>| {
        dashed(left.and_then(Option::as_ref), right.and_then(Option::as_ref))
    };
    match how {
        How::Inner => left.join(right, windows, "j", move |_, left, right| shown(Some(left), Some(right))),
        How::Left => left.left_join(right, windows, "j", move |_, left, right| shown(Some(left), right)),
        How::Outer => left.outer_join(right, windows, "j", move |_, left, right| shown(left, right)),
    }
}

fn over_topics(windows: JoinWindows, how: How) -> TestDriver {
    let builder = StreamBuilder::new("t");
    joined(&builder.stream(LEFT), &builder.stream(RIGHT), windows, how).to("out");
    driver(&builder)
}

/// Both streams from one topic, whose time is that of all records: upper-case texts are the left ones.
fn over_one_topic(windows: JoinWindows, how: How) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let split = builder.stream::<Maybe, Maybe>("in").split("side");
    let is_left = |value: &Maybe| value.as_ref().is_some_and(|value| value.starts_with(char::is_uppercase));
    let left = split.branch("left", move |_, value| is_left(value));
    joined(&left, &split.rest("right"), windows, how).to("out");
    driver(&builder)
}

fn results(driver: &mut TestDriver) -> Vec<String> {
    let results = driver.read::<Option<String>, String>("out").unwrap().into_iter();
    results.map(|result| format!("{}@{}", result.value, result.timestamp.0)).collect()
}

/// What a left and a right record without a key lead to behind all others.
const KEYLESS: [(How, Option<&str>, Option<&str>); 3] = [
    (How::Inner, None, None),
    (How::Left, Some("E-null@16"), None),
    (How::Outer, Some("E-null@16"), Some("null-e@17")),
];

/// Trap 21, and trap 22 for the records without a key (KIP-962).
fn leads_to_golden_results(mut driver: TestDriver, (how, left, right): (How, Option<&str>, Option<&str>)) {
    assert_eq!(led_to(&mut driver, &INPUTS), INNER, "{how:?}");
    let before = driver.counts("j").errors;
    driver.pipe(LEFT, (), "E", 16).unwrap();
    assert_eq!(results(&mut driver), left.into_iter().collect::<Vec<_>>(), "{how:?}");
    driver.pipe(RIGHT, (), "e", 17).unwrap();
    assert_eq!(results(&mut driver), right.into_iter().collect::<Vec<_>>(), "{how:?}");
    let dropped = u64::from(left.is_none()) + u64::from(right.is_none());
    assert_eq!(driver.counts("j").errors - before, dropped, "{how:?}");
}

#[test]
fn each_two_records_within_the_window_are_put_together_and_those_without_a_key_at_once_with_nothing() {
    for golden in KEYLESS {
        leads_to_golden_results(over_topics(ten_seconds(), golden.0), golden);
    }
}

/// Kafka Streams: `testInnerRepartitioned`, `testLeftRepartitioned`, `testOuterRepartitioned`.
#[test]
fn they_are_also_behind_repartition_topics() {
    for golden in KEYLESS {
        let builder = StreamBuilder::new("t");
        let left = builder.stream::<Maybe, Maybe>(LEFT).map(|key, value| (key, value));
        let right = builder.stream::<Maybe, Maybe>(RIGHT).flat_map(|key, value| [(key, value)]);
        let right = right.select_key(|key, _| key.clone());
        joined(&left, &right, ten_seconds(), golden.0).to("out");
        leads_to_golden_results(driver(&builder), golden);
    }
}

/// Kafka Streams: `testMultiInner`. Each left record with each two right ones, when the last of the three comes.
#[test]
fn stream_is_joined_with_another_one_twice() {
    let builder = StreamBuilder::new("t");
    let (left, right) = (builder.stream::<Maybe, Maybe>(LEFT), builder.stream::<Maybe, Maybe>(RIGHT));
    let first =
        left.join(&right, ten_seconds(), "first", |_, left, right| dashed(left.as_ref(), right.as_ref()));
    let both = |_: &Maybe, both: &Text, right: &Maybe| dashed(Some(both), right.as_ref());
    first.join(&right, ten_seconds(), "second", both).to("out");
    let led = led_to(&mut driver(&builder), &INPUTS);
    let counts = led.iter().map(|results| results.split_whitespace().count());
    assert_eq!(counts.collect::<Vec<_>>(), [0, 0, 0, 1, 1, 6, 0, 0, 4, 15, 0, 0, 0, 21, 16]);
    let (mut lefts, mut rights) = (Vec::new(), Vec::new());
    for ((topic, value, time), results) in INPUTS.iter().zip(led) {
        let Some(value) = value else { continue };
        if *topic == LEFT {
            lefts.push(*value)
        } else {
            rights.push(*value)
        }
        let pairs = rights.iter().flat_map(|one| rights.iter().map(move |other| (*one, *other)));
        let all = lefts.iter().flat_map(|left| pairs.clone().map(move |(one, other)| (*left, one, other)));
        let new = all.filter(|(left, one, other)| [left, one, other].contains(&value));
        let mut expected: Vec<_> =
            new.map(|(left, one, other)| format!("{left}-{one}-{other}@{time}")).collect();
        let mut found: Vec<_> = results.split_whitespace().map(str::to_owned).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{topic} {value}");
    }
}

/// Trap 22 (KIP-962).
#[test]
fn record_without_a_key_has_a_result_of_its_own_at_once_or_none() {
    for (how, left, right) in [
        (How::Inner, None, None),
        (How::Left, Some("E-null@16"), None),
        (How::Outer, Some("E-null@16"), Some("null-e@17")),
    ] {
        let mut driver = over_topics(ten_seconds(), how);
        driver.pipe(LEFT, (), "E", 16).unwrap();
        assert_eq!(results(&mut driver), left.into_iter().collect::<Vec<_>>(), "{how:?}");
        driver.pipe(RIGHT, (), "e", 17).unwrap();
        assert_eq!(results(&mut driver), right.into_iter().collect::<Vec<_>>(), "{how:?}");
        let dropped = u64::from(left.is_none()) + u64::from(right.is_none());
        assert_eq!(driver.counts("j").errors, dropped, "{how:?}");
        driver.pipe(LEFT, "k", (), 18).unwrap();
        let counts = driver.counts("j");
        assert_eq!((counts.errors, counts.keyless(), counts.valueless), (dropped + 1, dropped, 1), "{how:?}");
    }
}

/// Within 15, and 5 of grace. A result without a partner comes with the first record behind window and grace: that at
/// the very end of them does not bring it, since others of its time may come (Kafka Streams: `isOuterJoinWindowOpen`).
const LONG: [Input; 18] = [
    ("in", None, 1),
    ("in", None, 2),
    ("in", Some("A"), 3),
    ("in", Some("a"), 4),
    ("in", Some("B"), 5),
    ("in", Some("b"), 6),
    ("in", None, 7),
    ("in", Some("C"), 9),
    ("in", Some("c"), 10),
    ("in", None, 11),
    ("in", Some("d"), 14),
    ("in", Some("D"), 15),
    ("in", Some("E"), 40),
    ("in", Some("F"), 60),
    ("in", None, 61),
    ("in", Some("f"), 80),
    ("in", Some("G"), 100),
    ("in", None, 101),
];

/// Trap 21.
#[test]
fn results_without_a_partner_come_behind_window_and_grace() {
    let windows = JoinWindows::within(Duration::from_millis(15)).grace(Duration::from_millis(5));
    let both = [
        "",
        "",
        "",
        "A-a@4",
        "B-a@5",
        "A-b@6 B-b@6",
        "",
        "C-a@9 C-b@9",
        "A-c@10 B-c@10 C-c@10",
        "",
        "A-d@14 B-d@14 C-d@14",
        "D-a@15 D-b@15 D-c@15 D-d@15",
    ];
    let ends = [
        (How::Inner, ["", "", "", "", "", ""], ""),
        (How::Left, ["", "", "E-null@40", "", "F-null@60", ""], "G-null@100"),
        (How::Outer, ["", "", "E-null@40", "", "F-null@60", "null-f@80"], "G-null@100"),
    ];
    for (how, end, last) in ends {
        let mut driver = over_one_topic(windows, how);
        assert_eq!(led_to(&mut driver, &LONG), [&both[..], &end[..]].concat(), "{how:?}");
        driver.finish().unwrap();
        assert_eq!(results(&mut driver).join(" "), last, "{how:?}");
    }
}

#[test]
fn result_without_a_partner_waits_for_the_stream_that_is_behind() {
    let windows = JoinWindows::within(Duration::from_millis(10));
    let mut driver = over_topics(windows, How::Left);
    let inputs =
        [(LEFT, Some("A"), 0), (LEFT, Some("B"), 100), (RIGHT, Some("a"), 5), (RIGHT, Some("b"), 50)];
    assert_eq!(led_to(&mut driver, &inputs), ["", "", "A-a@5", ""]);
    driver.finish().unwrap();
    assert_eq!(results(&mut driver), ["B-null@100"]);
}

/// Trap 23: what comes too late for a result that was given without it is late itself.
#[test]
fn record_later_than_the_grace_is_dropped_and_changes_no_result_that_was_given() {
    let windows = JoinWindows::within(Duration::from_millis(10)).grace(Duration::from_millis(3));
    let mut driver = over_one_topic(windows, How::Outer);
    let inputs = [
        ("in", Some("A"), 0),
        ("in", Some("X"), 13),
        ("in", Some("a"), 10),
        ("in", Some("Y"), 14),
        ("in", Some("b"), 10),
    ];
    assert_eq!(led_to(&mut driver, &inputs), ["", "", "A-a@10 X-a@13", "Y-a@14", ""]);
    assert_eq!(driver.counts("j").late, 1);
}

/// Trap 23: a run ends, and the next one goes on.
#[test]
fn record_given_up_at_the_end_of_the_input_gets_no_partner_later() {
    let windows = JoinWindows::within(Duration::from_millis(10));
    let mut driver = over_one_topic(windows, How::Left);
    driver.pipe("in", "k", "A", 0).unwrap();
    driver.finish().unwrap();
    assert_eq!(results(&mut driver), ["A-null@0"]);
    driver.pipe("in", "k", "a", 5).unwrap();
    assert_eq!(results(&mut driver), [""; 0]);
    assert_eq!(driver.counts("j").late, 1);
}

/// Trap 27.
#[test]
fn stream_joined_with_itself_puts_a_record_together_with_itself_once() {
    let builder = StreamBuilder::new("t");
    let stream = builder.stream::<Text, Maybe>("in");
    let joined =
        stream.join(&stream, ten_seconds(), "j", |_, left, right| dashed(left.as_ref(), right.as_ref()));
    joined.to("out");
    let values = [None, Some("A"), Some("B"), None, Some("C"), None, Some("D")];
    let inputs: Vec<Input> = values.into_iter().zip(1..).map(|(value, time)| ("in", value, time)).collect();
    let mut led = led_to(&mut driver(&builder), &inputs);
    led.iter_mut().for_each(|results| {
        let mut sorted: Vec<_> = results.split(' ').collect();
        sorted.sort_unstable();
        *results = sorted.join(" ");
    });
    let with_c = "A-C@5 B-C@5 C-A@5 C-B@5 C-C@5";
    let with_d = "A-D@7 B-D@7 C-D@7 D-A@7 D-B@7 D-C@7 D-D@7";
    assert_eq!(led, ["", "A-A@2", "A-B@3 B-A@3 B-B@3", "", with_c, "", with_d]);
}

/// Trap 28.
#[test]
fn window_goes_so_far_before_and_so_far_after_the_left_record() {
    let ms = Duration::from_millis;
    let windows = JoinWindows::within(ms(0)).before(ms(1)).after(ms(3)).grace(ms(100));
    let rights = ["in", "in", "in", "in", "in", "in", "in"].into_iter().zip(7..14);
    let rights = rights.map(|(topic, time)| (topic, Some("r"), time));
    let expected = ["", "", "L-r@10", "L-r@10", "L-r@11", "L-r@12", "L-r@13"];
    let first: Vec<Input> = std::iter::once(("in", Some("L"), 10)).chain(rights.clone()).collect();
    assert_eq!(led_to(&mut over_one_topic(windows, How::Inner), &first)[1..], expected);
    let last: Vec<Input> = rights.chain([("in", Some("L"), 10)]).collect();
    let led = led_to(&mut over_one_topic(windows, How::Inner), &last);
    assert_eq!(led[7], "L-r@10 L-r@10 L-r@11 L-r@12 L-r@13");
}

/// Trap 28.
#[test]
fn window_of_no_width_is_of_records_at_one_time() {
    let mut driver = over_one_topic(JoinWindows::within(Duration::ZERO), How::Inner);
    let inputs = [("in", Some("A"), -1), ("in", Some("a"), -1), ("in", Some("b"), 0)];
    assert_eq!(led_to(&mut driver, &inputs), ["", "A-a@-1", ""]);
}

#[test]
fn records_are_kept_no_longer_than_they_are_needed() {
    let windows = JoinWindows::within(Duration::from_millis(20)).grace(Duration::from_millis(20));
    let mut driver = over_one_topic(windows, How::Outer);
    for time in 0..2000 {
        driver.pipe("in", "k", if time % 2 == 0 { "L" } else { "r" }, time).unwrap();
        assert!(driver.raw_store("j").unwrap().len() <= 64);
    }
}

/// Its records go to where it reads them itself.
#[test]
fn stream_meets_itself_by_another_key() {
    let builder = StreamBuilder::new("t");
    let stream = builder.stream::<Text, Text>("in");
    let turned = stream.map(|key, value| (value, key));
    stream
        .join(&turned, ten_seconds(), "j", |key, left, right| Text::from(format!("{key}{left}{right}")))
        .to("out");
    let mut driver = TestDriver::with_partitions(&builder.build().unwrap(), &[("in", 3)]).unwrap();
    for (key, value) in [("a", "b"), ("b", "c")] {
        driver.pipe("in", key, value, 0).unwrap();
    }
    assert_eq!(texts(&mut driver, "out"), owned(&[("b", "bca")]));
}

#[test]
fn streams_with_other_keys_meet_behind_repartition_topics() {
    let builder = StreamBuilder::new("t");
    let left = builder.stream::<Text, Text>(LEFT).map(|key, value| (value, key));
    let right = builder.stream::<Text, Text>(RIGHT).map(|key, value| (value, key));
    left.join(&right, ten_seconds(), "j", |key, left, right| Text::from(format!("{key}{left}{right}")))
        .to("out");
    let mut driver =
        TestDriver::with_partitions(&builder.build().unwrap(), &[(LEFT, 2), (RIGHT, 3)]).unwrap();
    for key in ["a", "b", "c", "d"] {
        driver.pipe(LEFT, "l", key, 0).unwrap();
        driver.pipe(RIGHT, "r", key, 1).unwrap();
    }
    let mut results: Vec<_> = texts(&mut driver, "out").into_iter().map(|(_, value)| value).collect();
    results.sort_unstable();
    assert_eq!(results, ["alr", "blr", "clr", "dlr"]);
}

proptest! {
    /// Traps 8 and 23: whatever the order of times, results do not hang on how input is cut, and are those of trying
    /// each record with each other.
    #[test]
    fn joins_of_streams_are_those_of_all_pairs_and_do_not_hang_on_cuts(
        records in prop::collection::vec((any::<bool>(), 0..2_u8, 0..60_i64), 1..60),
        cut in 2..9_usize,
    ) {
        let windows = JoinWindows::within(Duration::from_millis(7)).after(Duration::from_millis(4)).grace(Duration::from_millis(100));
        let run = |cut: usize| {
            let mut driver = over_one_topic(windows, How::Outer);
            let of = |(number, (is_left, key, time)): (usize, &(bool, u8, i64))| {
                TestRecord::new(key.to_string(), format!("{}{number}", if *is_left { "L" } else { "r" }), *time)
            };
            let records: Vec<_> = records.iter().enumerate().map(of).collect();
            records.chunks(cut).for_each(|records| driver.pipe_batch("in", records).unwrap());
            driver.finish().unwrap();
            driver.read::<String, String>("out").unwrap()
        };
        let results = run(1);
        prop_assert_eq!(&run(cut), &results);
        let meet = |left: &(bool, u8, i64), right: &(bool, u8, i64)| {
            left.0 && !right.0 && left.1 == right.1 && (left.2 - 7..=left.2 + 4).contains(&right.2)
        };
        let mut expected: Vec<String> = Vec::new();
        for (number, record) in records.iter().enumerate() {
            let rights = records.iter().enumerate().filter(|(_, right)| meet(record, right));
            let before = expected.len();
            expected.extend(rights.map(|(right, _)| format!("L{number}-r{right}")));
            let is_alone = if record.0 { expected.len() == before } else { !records.iter().any(|left| meet(left, record)) };
            if is_alone {
                expected.push(if record.0 { format!("L{number}-null") } else { format!("null-r{number}") });
            }
        }
        let mut found: Vec<_> = results.into_iter().map(|result| result.value).collect();
        found.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}
