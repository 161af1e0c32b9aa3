//! Clicks per user and minute: one result when a minute is over, some seconds of grace for what comes late, and a topic for
//! what comes later than that.
//!
//! ```sh
//! cargo run -p mainstem-processor --example windowed_counts
//! ```
//!
//! It runs within the test driver, which needs no broker. Against a cluster, the topology goes to `runtime::run`, as in
//! `word_count.rs`.

use std::{error::Error, fmt::Write as _, time::Duration};

use mainstem_client::Text;
use mainstem_processor::{StreamBuilder, TestDriver, TimeWindows, Topology, TopologyError, Windowed};

/// The program.
fn clicks_per_minute() -> Result<Topology, TopologyError> {
    let builder = StreamBuilder::new("clicks-per-minute");
    let minutes = TimeWindows::tumbling(Duration::from_secs(60)).grace(Duration::from_secs(10));
    builder
        .stream::<Text, Text>("clicks")
        .group_by_key()
        .windowed_by(minutes)
        .on_close()
        .late_to("late-clicks")
        .count("counts")
        .to("clicks-per-minute");
    builder.build()
}

/// Second, user and page of some clicks. The one of second 55 comes within the grace of the first minute, and the one of
/// second 58 behind it.
const CLICKS: [(i64, &str, &str); 6] = [
    (1, "anna", "/"),
    (30, "ben", "/"),
    (62, "anna", "/tea"),
    (55, "anna", "/jam"),
    (71, "ben", "/"),
    (58, "ben", "/jam"),
];

/// What becomes of them, a line for each result and each late click.
pub(crate) fn run() -> Result<String, Box<dyn Error>> {
    let mut driver = TestDriver::new(&clicks_per_minute()?)?;
    for (second, user, page) in CLICKS {
        driver.pipe("clicks", user, page, second * 1000)?;
    }
    // There are no more: the minute that is still open closes too.
    driver.finish()?;
    let mut lines = String::new();
    for result in driver.read::<Windowed<String>, i64>("clicks-per-minute")? {
        let Windowed { key: user, window } = result.key;
        writeln!(lines, "{user} had {} clicks from second {}", result.value, window.start.0 / 1000)?;
    }
    for click in driver.read::<String, String>("late-clicks")? {
        writeln!(lines, "too late: {} at second {}", click.key, click.timestamp.0 / 1000)?;
    }
    Ok(lines)
}

#[allow(dead_code, reason = "a test calls what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}
