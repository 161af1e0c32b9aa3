//! Runs the scenes of a file with this processor, and prints what comes out. The format is told in ../scenes.py.
//!
//! `cargo run -p mainstem-processor --example oracle -- FILE`

mod cases;

use std::{error::Error, fmt::Write as _};

use cases::{Cases, Field};
use mainstem_processor::{TestDriver, TestRecord};

/// A record, with its topic.
type Piped<'a> = (&'a str, TestRecord<Field, Field>);

const NULL: &str = "\\N";

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("which file?")?;
    let scenes = std::fs::read_to_string(&file)?;
    for scene in scenes.split("scene ").skip(1) {
        print!("{}", play(scene)?);
    }
    Ok(())
}

/// Plays a scene: its head, and a record in each line.
fn play(scene: &str) -> Result<String, Box<dyn Error>> {
    let mut lines = scene.lines();
    let mut head = lines.next().unwrap_or_default().split(' ');
    let (name, case) = (head.next().unwrap_or_default(), head.next().unwrap_or_default());
    let parameters = head.filter_map(|parameter| parameter.split_once('='));
    let parameters = parameters.map(|(name, value)| Ok((name.to_owned(), value.parse()?)));
    let parameters = parameters.collect::<Result<std::collections::HashMap<_, u64>, Box<dyn Error>>>()?;
    let batch_records = parameters["batch"] as usize;
    let mut driver = TestDriver::new(&Cases::topology(case, parameters)?)?;
    let records = lines.map(record).collect::<Result<Vec<_>, _>>()?;
    for same in records.chunk_by(|(one, _), (other, _)| one == other) {
        for batch in same.chunks(batch_records) {
            let records: Vec<_> = batch.iter().map(|(_, record)| record.clone()).collect();
            driver.pipe_batch(batch[0].0, &records)?;
        }
    }
    results(name, &mut driver)
}

fn record(line: &str) -> Result<Piped<'_>, Box<dyn Error>> {
    let fields: Vec<_> = line.split('\t').collect();
    let [topic, time, key, value] = fields[..] else { return Err(format!("no record: {line}").into()) };
    let field = |field: &str| (field != NULL).then(|| field.to_owned());
    Ok((topic, TestRecord::new(field(key), field(value), time.parse()?)))
}

fn results(name: &str, driver: &mut TestDriver) -> Result<String, Box<dyn Error>> {
    let mut text = format!("scene {name}\n");
    for TestRecord { key, value, timestamp, .. } in driver.read::<Field, Field>("out")? {
        let shown = |field: Field| field.unwrap_or_else(|| NULL.to_owned());
        writeln!(text, "{}\t{}\t{}", shown(key), shown(value), timestamp.0)?;
    }
    Ok(text)
}
