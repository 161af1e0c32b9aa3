//! How much stock each warehouse has, from a table of articles that says where each of them lies: when an article moves, it
//! is taken away from where it was and added where it is.
//!
//! ```sh
//! cargo run -p mainstem-processor --example table_aggregation
//! ```
//!
//! It runs within the test driver, which needs no broker. Against a cluster, the topology goes to `runtime::run`, as in
//! `word_count.rs`.

use std::{error::Error, fmt::Write as _};

use mainstem_client::Text;
use mainstem_processor::{Json, StreamBuilder, TestDriver, Topology, TopologyError};
use serde::{Deserialize, Serialize};

#[derive(Clone, Deserialize, Serialize)]
struct Stock {
    warehouse: String,
    pieces: i64,
}

/// The program.
fn stock_per_warehouse() -> Result<Topology, TopologyError> {
    let builder = StreamBuilder::new("stock-per-warehouse");
    builder
        .table::<Text, Json<Stock>>("articles")
        .group_by(|_, Json(stock)| (stock.warehouse, stock.pieces))
        .aggregate("stock", || 0, |_, pieces, sum| sum + pieces, |_, pieces, sum| Some(sum - pieces))
        .to("stock-per-warehouse");
    builder.build()
}

fn stock(warehouse: &str, pieces: i64) -> Json<Stock> {
    Json(Stock { warehouse: warehouse.to_owned(), pieces })
}

/// The stock of each warehouse after some changes, a line for each.
pub(crate) fn run() -> Result<String, Box<dyn Error>> {
    let mut driver = TestDriver::new(&stock_per_warehouse()?)?;
    driver.pipe("articles", "tea", stock("north", 100), 0)?;
    driver.pipe("articles", "jam", stock("north", 20), 1)?;
    driver.pipe("articles", "bread", stock("south", 5), 2)?;
    driver.pipe("articles", "tea", stock("south", 90), 3)?; // moved, and ten sold
    driver.pipe("articles", "bread", (), 4)?; // no longer there
    let mut lines = String::new();
    for (warehouse, pieces) in driver.read_table::<String, i64>("stock-per-warehouse")? {
        writeln!(lines, "{warehouse}: {pieces}")?;
    }
    Ok(lines)
}

#[allow(dead_code, reason = "a test calls what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}
