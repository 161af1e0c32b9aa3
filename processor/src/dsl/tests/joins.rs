//! Joins, by the tables that Kafka Streams is tested with.
//!
//! | number | what must not happen |
//! |---|---|
//! | 22 | that a record without a key or value leads to a result that it cannot have |
//! | 24 | that a table's update leads to a result, or a removed value to a match |
//! | 25 | that a removal goes on where there was no result |
//! | 26 | that answers which come in any order leave the result of an earlier value |
//! | 30 | that numbers of different widths are one key |
//! | 31 | that topics meet whose numbers of partitions differ |
//! | 32 | that records are moved whose key has not changed, or others are not |

mod as_of;
mod foreign;
mod global;
mod streams;
mod tables_and_streams;

use super::*;

const LEFT: &str = "left";
const RIGHT: &str = "right";

/// Records of one key: the topic, the value, the time.
type Input = (&'static str, Option<&'static str>, i64);

fn dashed(left: Option<&Text>, right: Option<&Text>) -> Text {
    let shown = |value: Option<&Text>| value.map_or("null", |value| &**value).to_owned();
    Text::from(format!("{}-{}", shown(left), shown(right)))
}

/// What each input leads to: results and their times, as `A-a@4`.
fn led_to(driver: &mut TestDriver, inputs: &[Input]) -> Vec<String> {
    let shown = |result: TestRecord<String, Option<String>>| {
        format!("{}@{}", result.value.as_deref().unwrap_or("null"), result.timestamp.0)
    };
    let mut of = |(topic, value, time): &Input| {
        driver.pipe_record(topic, &TestRecord::new("k", value.map(str::to_owned), *time)).unwrap();
        let results = driver.read::<String, Option<String>>("out").unwrap();
        results.into_iter().map(shown).collect::<Vec<_>>().join(" ")
    };
    inputs.iter().map(&mut of).collect()
}
