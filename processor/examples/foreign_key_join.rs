//! Flights with their aircraft and their airports: the value of a flight names the aircraft that flies it, which is another
//! table's key, and the airport that it goes to, of which every task has the whole table.
//!
//! ```sh
//! cargo run -p mainstem-processor --example foreign_key_join
//! ```
//!
//! The three topics need not have as many partitions as each other. It runs within the test driver, which needs no broker;
//! against a cluster, the topology goes to `runtime::run`, as in `word_count.rs`.

use std::error::Error;

use mainstem_client::Text;
use mainstem_processor::{Json, StreamBuilder, TestDriver, Topology, TopologyError};
use serde::{Deserialize, Serialize};

/// What is planned for a flight.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Flight {
    aircraft: String,
    to: String,
}

/// The program. A flight follows its aircraft: when that is replaced by a larger one, so are the seats of all its flights.
fn flights_with_seats() -> Result<Topology, TopologyError> {
    let builder = StreamBuilder::new("flights-with-seats");
    let flights = builder.table::<Text, Json<Flight>>("flights");
    let seats = builder.table::<Text, i64>("seats");
    let airports = builder.global_table::<Text, Text>("airports");
    flights
        .join_foreign(
            &seats,
            "planned",
            |_, flight| Some(Text::from(&*flight.aircraft)),
            |_, flight, seats| Json((flight.to.clone(), *seats)),
        )
        .updates()
        .join_global(
            &airports,
            |_, Json((to, _))| Some(Text::from(&**to)),
            |_, Json((_, seats)), airport| format!("{seats} seats to {airport}"),
        )
        .to("planned");
    builder.build()
}

/// What becomes of two flights, a line for each.
pub(crate) fn run() -> Result<String, Box<dyn Error>> {
    let topology = flights_with_seats()?;
    let partitions = [("flights", 3), ("seats", 2), ("airports", 1)];
    let mut driver = TestDriver::with_partitions(&topology, &partitions)?;
    driver.pipe("airports", "VIE", "Wien", 0)?;
    driver.pipe("airports", "GRZ", "Graz", 0)?;
    driver.pipe("seats", "OE-LBO", 180_i64, 1)?;
    driver.pipe("flights", "OS 201", r#"{"aircraft":"OE-LBO","to":"VIE"}"#, 2)?;
    driver.pipe("flights", "OS 977", r#"{"aircraft":"OE-LBO","to":"GRZ"}"#, 3)?;
    driver.pipe("seats", "OE-LBO", 200_i64, 4)?;
    driver.pipe("seats", "OE-LGO", 76_i64, 5)?;
    driver.pipe("flights", "OS 977", r#"{"aircraft":"OE-LGO","to":"GRZ"}"#, 6)?;
    let planned = driver.read_table::<String, String>("planned")?;
    Ok(planned.iter().map(|(flight, plan)| format!("{flight}: {plan}\n")).collect())
}

#[allow(dead_code, reason = "a test calls what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}
