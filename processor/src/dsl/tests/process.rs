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
            let counts = TableStore::<Bytes, i64>::over(ctx.table("counts")?);
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

/// Writes which records came and which timers went off, at which watermark; each record sets one, so much later.
struct Follows {
    after_ms: i64,
}

impl Follows {
    fn says(ctx: &mut Context<'_>, what: &str, at: Timestamp) -> ProcessResult {
        let said = format!("{what} {at}").into();
        let (key, value) = (Some(Bytes::from_static(b"k")), Some(said));
        Ok(ctx.forward("out", OutputRecord { key, value, timestamp: at, ..OutputRecord::default() })?)
    }
}

impl Processor for Follows {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            Self::says(ctx, "record", input.event_time)?;
            ctx.schedule(Timestamp(input.event_time.0 + self.after_ms), b"k");
        }
        Ok(())
    }

    fn on_timer(&mut self, at: Timestamp, _: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        assert_eq!(ctx.watermark(), at);
        Self::says(ctx, "timer", at)
    }
}

/// What a program has written to `out` when its input has ended, cut into batches of one, of two, of seven, and not at all.
fn however_it_is_cut(builder: &StreamBuilder, times: &[i64]) -> Vec<(String, String)> {
    let topology = builder.build().unwrap();
    let run = |cut: usize| {
        let mut driver = TestDriver::new(&topology).unwrap();
        let records: Vec<_> = times.iter().map(|time| TestRecord::new("k", "v", *time)).collect();
        records.chunks(cut).for_each(|records| driver.pipe_batch("in", records).unwrap());
        driver.finish().unwrap();
        texts(&mut driver, "out")
    };
    let one_by_one = run(1);
    for cut in [2, 7, times.len()] {
        assert_eq!(run(cut), one_by_one, "in batches of {cut}");
    }
    one_by_one
}

#[test]
fn timers_behind_windows_that_wait_go_off_among_their_results() {
    let builder = StreamBuilder::new("t");
    let windows = TimeWindows::tumbling(Duration::from_secs(10)).grace(Duration::from_mins(1));
    let counts =
        builder.stream::<Text, Text>("in").group_by_key().windowed_by(windows).on_close().count("counts");
    let follows = counts.updates().process("follows", [], || Follows { after_ms: 20_002 });
    follows.output::<Text, Text>("out").to("out");
    // The window up to 10 s closes at 70 s; its timer is set for 30.001 s, when windows up to 30 s have closed.
    let times = [1, 12, 23, 34, 75, 76, 91, 95].map(|second| second * 1000);
    let written = however_it_is_cut(&builder, &times);
    let written: Vec<_> = written.iter().map(|(_, value)| &**value).collect();
    let expected = [
        "record 9999",
        "record 19999",
        "record 29999",
        "timer 30001",
        "record 39999",
        "timer 40001",
        "timer 50001",
        "timer 60001",
        "record 79999",
        "record 99999",
        "timer 100001",
        "timer 120001",
    ];
    assert_eq!(written, expected);
}

/// Trap 8.
#[test]
fn timers_of_a_stream_go_off_between_its_records_and_are_seen_at_their_times() {
    let builder = StreamBuilder::new("t");
    let follows = builder.stream::<Text, Text>("in").process("follows", [], || Follows { after_ms: 10 });
    let out = follows.values::<Text>("out");
    let windows = TimeWindows::tumbling(Duration::from_millis(10));
    out.group_by_key().windowed_by(windows).on_close().count("counts").to("counts");
    out.to("out");
    let written = however_it_is_cut(&builder, &[0, 3, 25, 26, 61]);
    let written: Vec<_> = written.iter().map(|(_, value)| &**value).collect();
    let expected = [
        "record 0",
        "record 3",
        "record 25",
        "timer 10",
        "timer 13",
        "record 26",
        "record 61",
        "timer 35",
        "timer 36",
        "timer 71",
    ];
    assert_eq!(written, expected);
    let mut driver = driver(&builder);
    for time in [0, 3, 25, 26, 61] {
        driver.pipe("in", "k", "v", time).unwrap();
    }
    driver.finish().unwrap();
    assert_eq!(driver.counts("counts").late, 0);
}

/// Trap 8.
#[test]
fn processor_finds_in_a_table_what_the_records_up_to_its_own_have_made_of_it() {
    for is_counted_first in [true, false] {
        let builder = StreamBuilder::new("t");
        let words = builder.stream::<Text, Text>("in");
        let count = || words.group_by_key().count("counts").to("counts");
        if is_counted_first {
            count();
        }
        words.process("looks-up", ["counts"], || LooksUp).values::<Text>("found").to("out");
        if !is_counted_first {
            count();
        }
        let found = however_it_is_cut(&builder, &[5, 7, 6]);
        let expected = if is_counted_first { ["1@5", "2@7", "3@7"] } else { ["none", "1@5", "2@7"] };
        assert_eq!(found, owned(&expected.map(|found| ("k", found))));
    }
}

/// Trap 8.
#[test]
fn processors_that_share_a_store_take_turns_record_by_record() {
    let builder = StreamBuilder::new("t");
    builder.store("turns");
    let records = builder.stream::<Text, Text>("in");
    let first = records.process("first", ["turns"], || Alternate);
    let second = records.process("second", ["turns"], || Alternate);
    first.values::<Text>("odd").to("out");
    first.values::<Text>("even").to("first-even");
    second.values::<Text>("odd").to("second-odd");
    second.values::<Text>("even").to("second-even");
    assert_eq!(however_it_is_cut(&builder, &[1, 2, 3]), owned(&[("k", "v"); 3]));
}

#[test]
fn processor_with_a_store_of_its_own_takes_batches_as_they_come() {
    let builder = StreamBuilder::new("t");
    builder.store("turns");
    let turns = builder.stream::<Text, Text>("in").process("turn", ["turns"], || Alternate);
    turns.values::<Text>("odd").to("out");
    turns.values::<Text>("even").to("even");
    let topology = builder.build().unwrap();
    assert!(!topology.is_stepwise(&topology.parts()[0]));
}

#[test]
fn store_that_is_kept_by_windows_cannot_be_looked_into_and_a_table_of_its_results_can() {
    let builder = StreamBuilder::new("t");
    let words = builder.stream::<Text, Text>("in");
    let windows = TimeWindows::tumbling(Duration::from_millis(10));
    let counts = words.group_by_key().windowed_by(windows).count("windows");
    counts.to_stream().to_table_with_removals("counts");
    words.process("looks-up", ["counts"], || LooksUp);
    assert!(builder.build().is_ok());
    words.process("looks-too", ["windows"], || LooksUp);
    let error = builder.build().unwrap_err().to_string();
    let expected = "node looks-too uses the store windows, which holds something else than a table (window); look into the \
                    store of a table of its results: to_stream().to_table_with_removals(store)";
    assert_eq!(error, expected);
}

#[test]
fn store_of_sessions_and_of_sliding_windows_cannot_be_looked_into() {
    let gap = Duration::from_millis(10);
    for kind in ["session", "sliding window"] {
        let builder = StreamBuilder::new("t");
        let words = builder.stream::<Text, Text>("in");
        match kind {
            "session" => {
                drop(words.group_by_key().windowed_by(crate::SessionWindows::gap(gap)).count("kept"))
            }
            _ => drop(words.group_by_key().windowed_by(crate::SlidingWindows::difference(gap)).count("kept")),
        }
        words.process("looks-up", ["kept"], || LooksUp);
        let error = builder.build().unwrap_err();
        assert!(matches!(&error, TopologyError::NotATable { kind: found, .. } if found == kind), "{error}");
    }
}

/// Would write into the store of a table.
struct Meddles;

impl Processor for Meddles {
    fn process(&mut self, _: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        ctx.store("own")?.put(b"k", "v");
        ctx.store("counts")?.put(b"k", "7");
        Ok(())
    }
}

#[test]
fn processor_cannot_write_into_the_store_of_a_table() {
    let builder = StreamBuilder::new("t");
    builder.store("own");
    builder.stream::<Text, Text>("words").group_by_key().count("counts");
    builder.stream::<Text, Text>("in").process("meddles", ["own", "counts"], || Meddles);
    let mut driver = driver(&builder);
    driver.pipe("words", "k", "v", 0).unwrap();
    let error = driver.pipe("in", "k", "v", 0).unwrap_err().to_string();
    let expected = "node meddles: processor failed: the store counts is that of a table, which alone writes it; look into it \
                    by Context::table";
    assert_eq!(error, expected);
    assert_eq!(driver.raw_store("counts").unwrap().len(), 1);
}
