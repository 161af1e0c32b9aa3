//! How time goes on where inputs rest, come back, or are out of order.

use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Counts by key and ten milliseconds over two topics, as they close.
fn over_two_topics(left: Input<Text, Text>) -> TestDriver {
    let builder = StreamBuilder::new("t");
    let (left, right) = (builder.stream_with("left", left), builder.stream::<Text, Text>("right"));
    let windowed = left.merge(&right).group_by_key().windowed_by(TimeWindows::tumbling(ms(10)));
    windowed.on_close().count("counts").to("out");
    driver(&builder)
}

fn put(driver: &mut TestDriver, topic: &str, times: &[i64]) {
    times.iter().for_each(|time| driver.pipe(topic, "k", "v", *time).unwrap());
}

/// Starts and counts of the windows that have closed.
fn closed(driver: &mut TestDriver) -> Vec<(i64, i64)> {
    let results = driver.read::<Windowed<String>, i64>("out").unwrap().into_iter();
    results.map(|result| (result.key.window.start.0, result.value)).collect()
}

/// Trap 2, where somebody wants what Kafka Streams does.
#[test]
fn times_before_a_limit_go_where_bad_records_go_and_do_not_move_time() {
    let dead = BadRecords::DeadLetter("early".into());
    let mut driver =
        over_two_topics(Input::new().not_before(mainstem_client::Timestamp(0)).on_bad_record(dead));
    put(&mut driver, "left", &[-1, 0, -20]);
    put(&mut driver, "right", &[-5, 10]);
    driver.finish().unwrap();
    assert_eq!(closed(&mut driver), [(-10, 1), (0, 1), (10, 1)]);
    let early = driver.read::<Text, Text>("early").unwrap();
    assert_eq!(early.iter().map(|record| record.timestamp.0).collect::<Vec<_>>(), [-1, -20]);
    let why = "event time does not parse: it is -1, and nothing before 0 is taken";
    assert_eq!(early[0].header("__streams.errors.message").as_deref(), Some(why));
}

/// Trap 51.
#[test]
fn input_that_comes_back_with_old_records_is_late_and_then_waited_for_again() {
    let mut driver = over_two_topics(Input::new());
    put(&mut driver, "left", &[1, 50]);
    assert_eq!(closed(&mut driver), []);
    driver.advance(Duration::from_secs(10)).unwrap();
    assert_eq!(closed(&mut driver), [(0, 1)]);
    put(&mut driver, "right", &[2, 3, 51]);
    assert_eq!((closed(&mut driver), driver.counts("counts").late), (vec![], 2));
    // Left is ahead now, and right is waited for.
    put(&mut driver, "left", &[90]);
    assert_eq!(closed(&mut driver), []);
    put(&mut driver, "right", &[60]);
    assert_eq!((closed(&mut driver), driver.counts("counts").late), (vec![(50, 2)], 2));
}

/// Trap 52: time is that of the foremost, and no clock moves it on from there.
#[test]
fn windows_stay_open_where_all_inputs_rest() {
    let mut driver = over_two_topics(Input::new());
    put(&mut driver, "left", &[1, 50]);
    put(&mut driver, "right", &[20]);
    assert_eq!(closed(&mut driver), [(0, 1)]);
    for _ in 0..3 {
        driver.advance(Duration::from_secs(3600)).unwrap();
    }
    assert_eq!(closed(&mut driver), [(20, 1)]);
    put(&mut driver, "left", &[59]);
    assert_eq!((closed(&mut driver), driver.counts("counts").late), (vec![], 0));
    put(&mut driver, "left", &[60]);
    assert_eq!(closed(&mut driver), [(50, 2)]);
}

#[test]
fn disorder_of_one_input_holds_up_time_and_that_of_the_other_is_late() {
    let mut driver = over_two_topics(Input::new().disorder_max(ms(5)));
    put(&mut driver, "right", &[30]);
    put(&mut driver, "left", &[9, 14, 9]);
    assert_eq!(closed(&mut driver), []);
    put(&mut driver, "left", &[15, 9, 11, 35]);
    put(&mut driver, "right", &[29, 41]);
    let results = closed(&mut driver);
    assert_eq!((results, driver.counts("counts").late), (vec![(0, 2), (10, 3)], 2));
}
