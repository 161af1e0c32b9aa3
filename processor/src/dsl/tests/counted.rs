//! Results of so many records of a key.

use super::*;
use crate::CountWindows;

/// Puts the texts of each window together.
fn joined(windows: CountWindows) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let windowed = builder.stream::<Option<Text>, Text>("in").group_by_key().windowed_by(windows);
    windowed.aggregate("texts", String::new, |_, text, all| all + &text).to("out");
    driver(&builder)
}

fn results(driver: &mut TestDriver) -> Vec<(String, String)> {
    read(driver, "out")
}

#[test]
fn windows_that_follow_one_another_give_a_result_when_they_are_full() {
    let mut driver = joined(CountWindows::tumbling(3));
    pipe(&mut driver, &[("a", "1"), ("b", "x"), ("a", "2"), ("a", "3"), ("b", "y"), ("a", "4")]);
    assert_eq!(results(&mut driver), owned(&[("a", "123")]));
    pipe(&mut driver, &[("b", "z"), ("a", "5"), ("a", "6")]);
    assert_eq!(results(&mut driver), owned(&[("b", "xyz"), ("a", "456")]));
    driver.pipe("in", "a", "7", 0).unwrap();
    driver.finish().unwrap();
    assert_eq!(results(&mut driver), []);
}

/// As Flink's `countWindow(4, 2)`: with every second record, of the last four, or of as many as there are.
#[test]
fn windows_that_slide_give_a_result_with_every_so_many_records() {
    let mut driver = joined(CountWindows::sliding(4, 2));
    let records: Vec<_> = ["1", "2", "3", "4", "5", "6", "7"].map(|text| ("a", text)).into();
    pipe(&mut driver, &records);
    assert_eq!(results(&mut driver), owned(&[("a", "12"), ("a", "1234"), ("a", "3456")]));
}

#[test]
fn times_do_not_matter_and_results_bear_the_largest() {
    for windows in [CountWindows::tumbling(2), CountWindows::sliding(2, 1)] {
        let mut driver = joined(windows);
        for (text, time) in [("1", 500), ("2", -3), ("3", i64::MIN), ("4", 7)] {
            driver.pipe("in", "a", text, time).unwrap();
        }
        let results = driver.read::<String, String>("out").unwrap();
        let last = results.last().unwrap();
        assert_eq!((&*last.value, last.timestamp.0), ("34", 7));
        assert!(results.iter().any(|result| result.value == "12" && result.timestamp.0 == 500));
        assert_eq!(driver.counts("texts").late, 0);
    }
}

#[test]
fn records_without_a_key_are_counted_and_left_out() {
    let mut driver = joined(CountWindows::tumbling(1));
    driver.pipe("in", (), "1", 0).unwrap();
    assert_eq!((results(&mut driver), driver.counts("texts").errors), (vec![], 1));
}

#[test]
fn count_windows_that_cannot_be_are_refused_with_their_node() {
    let refusal = |windows: CountWindows| {
        let builder = StreamBuilder::new("t");
        let windowed = builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows);
        windowed.reduce("texts", |_, text| text).to("out");
        builder.build().unwrap_err()
    };
    let of = |fault: &str| TopologyError::BadWindows { node: "texts".into(), fault: fault.to_owned() };
    assert_eq!(refusal(CountWindows::tumbling(0)), of("count windows of no record; at least one is needed"));
    for slide in [0, 3] {
        let fault = format!("count windows with a slide of {slide}; it must be from 1 to 2, the size");
        assert_eq!(refusal(CountWindows::sliding(2, slide)), of(&fault));
    }
    let many = "count windows that keep 10001 records; 10000 is the limit where they slide";
    assert_eq!(refusal(CountWindows::sliding(10_001, 1)), of(many));
}
