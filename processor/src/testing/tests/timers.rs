//! Timers by the clock.

use super::*;
use crate::Serde;

/// What the tests' processor does with its timers.
#[derive(Clone, Copy)]
enum Does {
    /// Once, ten seconds after the task began.
    Once,
    /// Every ten seconds.
    Always,
    /// After ten seconds `first`, which takes `second` back, after eleven.
    TakesBack,
    /// Without an end, each time at once.
    AtOnce,
}

/// Writes when a timer went off, with its key, and the values of records.
struct Clocked(Does);

fn said(at: Timestamp, text: &[u8]) -> OutputRecord {
    OutputRecord { value: Some(Bytes::copy_from_slice(text)), timestamp: at, ..OutputRecord::default() }
}

impl Processor for Clocked {
    fn on_start(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
        ctx.forward("out", said(Timestamp(0), b"start"))?;
        if matches!(self.0, Does::TakesBack) {
            ctx.schedule_wall_clock(seconds(11), b"second")?;
        }
        Ok(ctx.schedule_wall_clock(seconds(10), b"first")?)
    }

    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            ctx.forward("out", said(input.event_time, b"record"))?;
        }
        Ok(())
    }

    fn on_timer(&mut self, at: Timestamp, _: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        Ok(ctx.forward("out", said(at, b"by records"))?)
    }

    fn on_wall_clock(&mut self, now: Timestamp, key: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        ctx.forward("out", said(now, key))?;
        match self.0 {
            Does::Once => {}
            Does::Always => ctx.schedule_wall_clock(seconds(10), key)?,
            Does::TakesBack => ctx.cancel_wall_clock(b"second"),
            Does::AtOnce => ctx.schedule_wall_clock(Duration::ZERO, key)?,
        }
        Ok(())
    }
}

fn clocked(does: Does) -> TestDriver {
    let topology = TopologyBuilder::new("t").source("in", "in");
    let topology = topology.processor("clocked", ["in"], [], move || Clocked(does));
    TestDriver::new(&topology.sink("out", "out", ["clocked"]).build().unwrap()).unwrap()
}

fn written(driver: &mut TestDriver) -> Vec<String> {
    let records = driver.read::<(), Text>("out").unwrap().into_iter();
    records.map(|record| format!("{} {}", record.timestamp, record.value)).collect()
}

#[test]
fn timer_by_the_clock_goes_off_once_and_needs_no_record() {
    let mut driver = clocked(Does::Once);
    assert_eq!(written(&mut driver), ["0 start"]);
    driver.advance(Duration::from_millis(9999)).unwrap();
    assert!(written(&mut driver).is_empty());
    driver.advance(Duration::from_millis(1)).unwrap();
    assert_eq!(written(&mut driver), ["10000 first"]);
    driver.advance(seconds(100)).unwrap();
    assert!(written(&mut driver).is_empty());
}

/// As `TopologyTestDriver.advanceWallClockTime`.
#[test]
fn timer_that_is_set_again_comes_back_once_for_however_long_nobody_looked() {
    let mut driver = clocked(Does::Always);
    driver.advance(seconds(10)).unwrap();
    driver.advance(seconds(35)).unwrap();
    driver.advance(seconds(9)).unwrap();
    driver.advance(seconds(1)).unwrap();
    assert_eq!(written(&mut driver), ["0 start", "10000 first", "45000 first", "55000 first"]);
}

#[test]
fn timer_that_another_one_has_taken_back_does_not_go_off() {
    let mut driver = clocked(Does::TakesBack);
    driver.advance(seconds(20)).unwrap();
    driver.advance(seconds(20)).unwrap();
    assert_eq!(written(&mut driver), ["0 start", "20000 first"]);
}

#[test]
fn timer_that_is_due_at_once_waits_for_the_next_look_at_the_clock() {
    let mut driver = clocked(Does::AtOnce);
    driver.advance(seconds(10)).unwrap();
    driver.advance(Duration::ZERO).unwrap();
    assert_eq!(written(&mut driver), ["0 start", "10000 first"]);
    driver.advance(Duration::from_millis(1)).unwrap();
    assert_eq!(written(&mut driver), ["10001 first"]);
}

#[test]
fn times_of_records_and_the_clock_know_nothing_of_each_other() {
    let mut driver = clocked(Does::Once);
    driver.pipe("in", (), (), 1_000_000).unwrap();
    assert_eq!(written(&mut driver), ["0 start", "1000000 record"]);
    driver.advance(seconds(10)).unwrap();
    assert_eq!(written(&mut driver), ["10000 first"]);
}

#[test]
fn each_task_begins_once_and_has_timers_of_its_own() {
    let topology = TopologyBuilder::new("t").source("in", "in");
    let topology = topology.processor("clocked", ["in"], [], || Clocked(Does::Once));
    let topology = topology.sink("out", "out", ["clocked"]).build().unwrap();
    let mut driver = TestDriver::with_partitions(&topology, &[("in", 3)]).unwrap();
    driver.pipe("in", (), (), 5).unwrap();
    driver.advance(seconds(10)).unwrap();
    let expected = ["0 start", "0 start", "0 start", "5 record", "10000 first", "10000 first", "10000 first"];
    assert_eq!(written(&mut driver), expected);
}

/// Sums values up, and passes the sum on when the clock says so.
#[derive(Default)]
struct Sums {
    sum: i64,
    last: Timestamp,
}

impl Processor for Sums {
    fn on_start(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
        Ok(ctx.schedule_wall_clock(seconds(1), b"")?)
    }

    fn process(&mut self, batch: &InputBatch, _: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            self.sum += i64::decode(input.record.value.as_ref())?;
            self.last = input.event_time;
        }
        Ok(())
    }

    fn on_wall_clock(&mut self, _: Timestamp, key: &[u8], ctx: &mut Context<'_>) -> ProcessResult {
        let value = Some(Bytes::copy_from_slice(&self.sum.to_be_bytes()));
        let record =
            OutputRecord { key: Some("k".into()), value, timestamp: self.last, ..Default::default() };
        ctx.forward("sums", record)?;
        Ok(ctx.schedule_wall_clock(seconds(1), key)?)
    }
}

/// What comes out behind a repartition topic and a window, where the clock says so after as many records, and the input is
/// cut into batches of this size.
fn windows_of_sums(every: usize, batch: usize) -> Vec<(i64, i64)> {
    let builder = StreamBuilder::new("t");
    let sums = builder.stream::<Text, i64>("in").process("sums", [], Sums::default);
    let sums = sums.output::<Text, i64>("sums").select_key(|_, _| Text::from_static("all"));
    let windows = TimeWindows::tumbling(seconds(1));
    sums.group_by_key().windowed_by(windows).on_close().reduce("last", |_, sum| sum).to("out");
    let mut driver = TestDriver::new(&builder.build().unwrap()).unwrap();
    let records: Vec<_> = (0..120).map(|number| TestRecord::new("k", number, number * 70)).collect();
    for records in records.chunks(every) {
        records.chunks(batch).for_each(|batch| driver.pipe_batch("in", batch).unwrap());
        driver.advance(seconds(1)).unwrap();
    }
    driver.finish().unwrap();
    let results = driver.read::<Windowed<Text>, i64>("out").unwrap();
    results.iter().map(|result| (result.key.window.start.0, result.value)).collect()
}

#[test]
fn windows_behind_timers_by_the_clock_hang_on_when_these_go_off_and_on_nothing_else() {
    let expected = windows_of_sums(5, 1);
    assert_eq!(expected.len(), 9);
    for batch in [2, 3, 5] {
        assert_eq!(windows_of_sums(5, batch), expected);
    }
    assert_ne!(windows_of_sums(60, 1), expected);
}
