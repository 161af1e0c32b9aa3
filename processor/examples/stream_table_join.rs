//! Orders with the cities of those who order: each order is joined with what the table of customers says when it comes.
//!
//! ```sh
//! cargo run -p mainstem-processor --example stream_table_join
//! ```
//!
//! Both topics are keyed by customer, and have as many partitions as each other: a start refuses them otherwise. It runs
//! within the test driver, which needs no broker; against a cluster, the topology goes to `runtime::run`, as in
//! `word_count.rs`.

use std::{error::Error, fmt::Write as _};

use mainstem_client::Text;
use mainstem_processor::{StreamBuilder, TestDriver, Topology, TopologyError};

/// The program. `left_join_table` keeps orders of customers that nobody knows.
fn orders_with_cities() -> Result<Topology, TopologyError> {
    let builder = StreamBuilder::new("orders-with-cities");
    let cities = builder.table::<Text, Text>("customers");
    builder
        .stream::<Text, Text>("orders")
        .left_join_table(&cities, |_, article, city| match city {
            Some(city) => format!("{article} to {city}"),
            None => format!("{article} to an unknown place"),
        })
        .to("deliveries");
    builder.build()
}

/// What becomes of three orders, a line for each.
pub(crate) fn run() -> Result<String, Box<dyn Error>> {
    let mut driver = TestDriver::new(&orders_with_cities()?)?;
    driver.pipe("customers", "anna", "Graz", 0)?;
    driver.pipe("orders", "anna", "tea", 1)?;
    driver.pipe("orders", "ben", "jam", 2)?;
    // She moves: what she orders from now on goes there, and what she has ordered stays as it was.
    driver.pipe("customers", "anna", "Wien", 3)?;
    driver.pipe("orders", "anna", "bread", 4)?;
    let mut lines = String::new();
    for delivery in driver.read::<String, String>("deliveries")? {
        writeln!(lines, "{}: {}", delivery.key, delivery.value)?;
    }
    Ok(lines)
}

#[allow(dead_code, reason = "a test calls what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}
