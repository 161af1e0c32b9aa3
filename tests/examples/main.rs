//! The examples do what they say.

#![allow(clippy::unwrap_used, reason = "these are tests, and a panic is their report")]

#[path = "../../processor/examples/both_clocks.rs"]
mod both_clocks;
#[path = "../../processor/examples/foreign_key_join.rs"]
mod foreign_key_join;
#[path = "../../processor/examples/low_level.rs"]
mod low_level;
#[path = "../../processor/examples/sessions.rs"]
mod sessions;
#[path = "../../processor/examples/stream_table_join.rs"]
mod stream_table_join;
#[path = "../../processor/examples/table_aggregation.rs"]
mod table_aggregation;
#[path = "../../processor/examples/windowed_counts.rs"]
mod windowed_counts;

#[test]
fn windowed_counts_are_given_once_and_late_clicks_apart() {
    let expected = "anna had 2 clicks from second 0\n\
                    ben had 1 clicks from second 0\n\
                    anna had 1 clicks from second 60\n\
                    ben had 1 clicks from second 60\n\
                    too late: ben at second 58\n";
    assert_eq!(windowed_counts::run().unwrap(), expected);
}

#[test]
fn late_click_joins_two_visits() {
    let expected = "anna, minutes 0 to 60: / /tea /jam /bread\nanna, minutes 100 to 100: /\n";
    assert_eq!(sessions::run().unwrap(), expected);
}

#[test]
fn orders_are_joined_with_what_the_table_says_when_they_come() {
    let expected = "anna: tea to Graz\nben: jam to an unknown place\nanna: bread to Wien\n";
    assert_eq!(stream_table_join::run().unwrap(), expected);
}

#[test]
fn stock_follows_the_articles() {
    assert_eq!(table_aggregation::run().unwrap(), "north: 20\nsouth: 90\n");
}

#[test]
fn silent_machine_is_told_once_and_that_it_is_back() {
    let expected = "second 70: oven is silent\nsecond 90: oven is back\n";
    assert_eq!(low_level::run().unwrap(), expected);
}

#[test]
fn flights_follow_their_aircraft_and_find_their_airports() {
    let expected = "OS 201: 200 seats to Wien\nOS 977: 76 seats to Graz\n";
    assert_eq!(foreign_key_join::run().unwrap(), expected);
}

/// South's reading of nine o'clock ends the hour before, and is first in the next.
#[test]
fn sums_go_by_the_time_of_readings_and_reports_by_the_clock() {
    let expected = "2 meters in this hour\n\
                    north has counted 6 in the hour up to 9:00\n\
                    south has counted 8 in the hour up to 9:00\n\
                    0 meters in this hour\n";
    assert_eq!(both_clocks::run().unwrap(), expected);
}
