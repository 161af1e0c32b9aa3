//! The programs that are measured beside Kafka Streams; `Programs.java` has the same ones, by the same names.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use mainstem_client::Text;
use mainstem_processor::{SessionWindows, StreamBuilder, TimeWindows, Topology};

const INPUT: &str = "in";
const TABLE: &str = "table";
const OUTPUT: &str = "out";
const WINDOW: Duration = Duration::from_secs(1);
const GAP: Duration = Duration::from_millis(500);

/// The program of that name, which is also the name of its group.
pub(crate) fn topology(name: &str) -> Result<Topology, Box<dyn Error>> {
    let builder = StreamBuilder::new(name);
    match name {
        "word-count" => count_words(&builder),
        "map" => keyed(&builder).map_values(without_first).to(OUTPUT),
        "windows" => {
            let windows = keyed(&builder).group_by_key().windowed_by(TimeWindows::tumbling(WINDOW));
            windows.count("counts").to(OUTPUT);
        }
        "sessions" => {
            let sessions = keyed(&builder).group_by_key().windowed_by(SessionWindows::gap(GAP));
            sessions.count("counts").to(OUTPUT);
        }
        "lookup" => {
            let table = builder.table::<Bytes, Bytes>(TABLE);
            keyed(&builder).join_table(&table, |_, value, found| joined(found, value)).to(OUTPUT);
        }
        _ => {
            return Err(
                format!("no program {name}; there are word-count, map, windows, sessions, lookup").into()
            );
        }
    }
    Ok(builder.build()?)
}

fn keyed(builder: &StreamBuilder) -> mainstem_processor::Stream<Bytes, Bytes> {
    builder.stream(INPUT)
}

fn count_words(builder: &StreamBuilder) {
    let words = builder.stream::<(), Text>(INPUT).flat_map_values(|line| words(&line));
    words.group_by(|_, word| word.clone()).count("counts").to(OUTPUT);
}

/// The words of a line; they share its memory.
fn words(line: &Text) -> Vec<Text> {
    line.split_whitespace().map(|word| line.slice_ref(word)).collect()
}

fn without_first(value: Bytes) -> Bytes {
    value.slice(1..)
}

fn joined(found: &[u8], value: &[u8]) -> Bytes {
    [found, value].concat().into()
}
