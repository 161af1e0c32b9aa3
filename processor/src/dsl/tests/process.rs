//! Processors of the low-level interface within typed streams.

use mainstem_client::Timestamp;

use super::*;
use crate::{Context, InputBatch, OutputRecord, ProcessResult, Processor, StoreSpec, state::TableStore};

/// Passes records on to `odd` and `even`, by the number of their keys so far.
struct Alternate;

impl Processor for Alternate {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            let key = input.record.key.clone().unwrap_or_default();
            let store = ctx.store("turns")?;
            let turn = store.get(&key).map_or(0, |turn| turn[0]) + 1;
            store.put(&key, vec![turn]);
            let (value, timestamp) = (input.record.value.clone(), input.event_time);
            let record = OutputRecord { key: Some(key), value, timestamp, ..OutputRecord::default() };
            ctx.forward(if turn % 2 == 1 { "odd" } else { "even" }, record)?;
        }
        Ok(())
    }

    fn on_timer(&mut self, at: Timestamp, key: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        let key = Some(Bytes::copy_from_slice(key));
        Ok(ctx.forward("odd", OutputRecord { key, timestamp: at, ..OutputRecord::default() })?)
    }
}

#[test]
fn outputs_of_a_processor_are_streams_by_its_own_names() {
    let builder = StreamBuilder::new("t");
    builder.store(StoreSpec::new("turns").in_memory());
    let turns = builder.stream::<Text, Text>("in").process("turn", ["turns"], || Alternate);
    // A node may bear another name: what the processor calls its output stays.
    turns.output::<Text, Text>("odd").named("first").to("odd");
    turns.values::<Text>("even").to("even");
    let mut driver = driver(&builder);
    pipe(&mut driver, &[("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")]);
    assert_eq!(texts(&mut driver, "odd"), owned(&[("a", "1"), ("b", "3"), ("a", "4")]));
    assert_eq!(texts(&mut driver, "even"), owned(&[("a", "2")]));
    let text = builder.build().unwrap().to_string();
    assert!(text.contains("Processor: turn (stores: [turns])\n      --> first, turn-even\n"), "{text}");
}

#[test]
fn store_that_is_not_there_is_refused_with_the_name_of_the_processor() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("in").process("turn", ["turns"], || Alternate);
    let error = builder.build().unwrap_err().to_string();
    assert_eq!(error, "node turn uses the store turns, which is not there; the stores are none");
}

#[test]
fn output_that_nobody_asked_for_ends_the_task_with_those_that_there_are() {
    let builder = StreamBuilder::new("t");
    builder.store("turns");
    let turns = builder.stream::<Text, Text>("in").process("turn", ["turns"], || Alternate);
    turns.output::<Text, Text>("even").to("even");
    let error = driver(&builder).pipe("in", "k", "v", 0).unwrap_err().to_string();
    assert_eq!(error, "node turn: processor failed: the processor has no output odd; it has even");
}

/// Trap 32.
#[test]
fn records_of_another_key_are_moved_to_where_its_state_is() {
    let builder = StreamBuilder::new("t");
    builder.store("turns");
    let rekeyed = builder.stream::<Text, Text>("in").select_key(|_, value| value.clone());
    let turns = rekeyed.process("turn", ["turns"], || Alternate);
    turns.values::<Text>("odd").to("odd");
    turns.values::<Text>("even").group_by_key().count("even").to("even");
    let topology = builder.build().unwrap();
    // Behind the processor nothing is moved again.
    assert_eq!(topology.parts().len(), 2);
    let mut driver = TestDriver::with_partitions(&topology, &[("in", 4)]).unwrap();
    for partition in 0..4 {
        driver.pipe_record("in", &TestRecord::new("k", "v", 0).partition(partition)).unwrap();
    }
    assert_eq!(texts(&mut driver, "odd").len(), 2);
    assert_eq!(driver.store::<String, i64>("even").unwrap(), [("v".to_owned(), 2)]);
}

/// Trap 8: what is forwarded is seen when the record was that led to it.
#[test]
fn windows_behind_a_processor_do_not_hang_on_how_input_is_cut() {
    let run = |cut: usize| {
        let builder = StreamBuilder::new("t");
        builder.store("turns");
        let turns = builder.stream::<Text, Text>("in").process("turn", ["turns"], || Alternate);
        let all = turns.values::<Text>("odd").merge(&turns.values::<Text>("even"));
        let windows = TimeWindows::tumbling(Duration::from_millis(10));
        all.group_by_key().windowed_by(windows).on_close().count("counts").to("out");
        let mut driver = driver(&builder);
        let times = [1, 5, 12, 9, 3, 31, 14, 33, 47];
        let records: Vec<_> = times.map(|time| TestRecord::new("k", "v", time)).into();
        records.chunks(cut).for_each(|records| driver.pipe_batch("in", records).unwrap());
        driver.finish().unwrap();
        (driver.read::<Windowed<String>, i64>("out").unwrap(), driver.counts("counts").late)
    };
    assert_eq!(run(1).1, 3);
    assert_eq!(run(9), run(1));
    assert_eq!(run(4), run(1));
}

/// Looks into the store of a table.
struct LooksUp;

impl Processor for LooksUp {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            let counts = TableStore::<Bytes, i64>::over(ctx.store("counts")?);
            let key = input.record.key.clone().unwrap_or_default();
            let found =
                counts.get(&key)?.map_or_else(|| "none".to_owned(), |(count, at)| format!("{count}@{at}"));
            let record =
                OutputRecord { key: Some(key), value: Some(found.into()), ..OutputRecord::default() };
            ctx.forward("found", record)?;
        }
        Ok(())
    }
}

#[test]
fn processor_looks_into_the_store_of_a_table() {
    let builder = StreamBuilder::new("t");
    builder.stream::<Text, Text>("words").group_by_key().count("counts").to("counts");
    let asked = builder.stream::<Text, Text>("in").process("looks-up", ["counts"], || LooksUp);
    asked.values::<Text>("found").to("out");
    let mut driver = driver(&builder);
    for (time, word) in [(3, "a"), (7, "a"), (5, "b")] {
        driver.pipe("words", word, "", time).unwrap();
    }
    pipe(&mut driver, &[("a", ""), ("c", "")]);
    assert_eq!(texts(&mut driver, "out"), owned(&[("a", "2@7"), ("c", "none")]));
}
