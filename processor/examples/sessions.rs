//! Visits of a shop: the clicks of a user that are at most half an hour apart, and what was looked at in each visit.
//!
//! ```sh
//! cargo run -p mainstem-processor --example sessions
//! ```
//!
//! It runs within the test driver, which needs no broker. Against a cluster, the topology goes to `runtime::run`, as in
//! `word_count.rs`.

use std::{error::Error, fmt::Write as _, time::Duration};

use mainstem_client::Text;
use mainstem_processor::{
    Json, SessionWindows, StreamBuilder, TestDriver, Topology, TopologyError, Windowed,
};

type Pages = Json<Vec<String>>;

/// The program. Each record that comes may join two visits into one: `merge` says how their pages go together.
fn visits() -> Result<Topology, TopologyError> {
    let builder = StreamBuilder::new("visits");
    let add = |_: &Text, page: Text, mut pages: Pages| {
        pages.push(page.to_string());
        pages
    };
    let merge = |_: &Text, Json(mut earlier): Pages, Json(later): Pages| {
        earlier.extend(later);
        Json(earlier)
    };
    builder
        .stream::<Text, Text>("clicks")
        .group_by_key()
        .windowed_by(SessionWindows::gap(Duration::from_secs(30 * 60)).grace(Duration::from_secs(15 * 60)))
        .on_close()
        .aggregate("pages", Pages::default, add, merge)
        .to("visits");
    builder.build()
}

/// Minute, user and page. The click of minute 40 comes late and joins what were two visits, so that
/// its page stands behind theirs.
const CLICKS: [(i64, &str, &str); 5] = [
    (0, "anna", "/"),
    (20, "anna", "/tea"),
    (60, "anna", "/jam"),
    (40, "anna", "/bread"),
    (100, "anna", "/"),
];

/// What becomes of them, a line for each visit.
pub(crate) fn run() -> Result<String, Box<dyn Error>> {
    let mut driver = TestDriver::new(&visits()?)?;
    for (minute, user, page) in CLICKS {
        driver.pipe("clicks", user, page, minute * 60_000)?;
    }
    driver.finish()?;
    let mut lines = String::new();
    for visit in driver.read::<Windowed<String>, Pages>("visits")? {
        let Windowed { key: user, window } = visit.key;
        let (first, last) = (window.start.0 / 60_000, window.end.0 / 60_000);
        writeln!(lines, "{user}, minutes {first} to {last}: {}", visit.value.join(" "))?;
    }
    Ok(lines)
}

#[allow(dead_code, reason = "a test calls what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}
