//! Programs made at random: streams that only grow, and what may stand at their end.

use proptest::prelude::*;

use super::*;
use crate::{CountWindows, JoinWindows, SessionWindows, SlidingWindows, SuppressBuffer, Suppressed};

/// Keys and values are numbers, so that every step fits behind every other.
type Numbers = Stream<i64, i64>;

/// A program.
#[derive(Clone, Debug)]
pub(super) struct Program {
    source: Growing,
    end: End,
}

/// A stream to which nothing but records are added.
#[derive(Clone, Debug)]
enum Growing {
    Source,
    Filtered(Box<Self>, i64),
    Mapped(Box<Self>, i64),
    Repeated(Box<Self>, i64),
    Merged(Box<Self>, Box<Self>),
    Joined(Box<Self>, Box<Self>, How),
    LookedUp(Box<Self>, Box<Self>),
    ByCount(Box<Self>, u32),
    /// Windows that have closed, each as a record of its key.
    Closed(Box<Self>, Shape, Closing),
    /// By other keys: so many of them. What comes behind it runs in tasks of its own.
    Rekeyed(Box<Self>, i64),
}

/// What is wanted of two streams.
#[derive(Clone, Copy, Debug)]
enum How {
    Inner,
    Left,
    Outer,
}

/// Windows in milliseconds.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Tumbling(u64),
    Hopping(u64, u64),
    Cumulating(u64, u64),
    Sliding(u64),
    Session(u64),
}

/// How a window's result waits for its end.
#[derive(Clone, Copy, Debug)]
enum Closing {
    OnClose,
    Suppressed,
}

/// What stands at the end of a program.
#[derive(Clone, Debug)]
enum End {
    /// The stream as it is.
    Records,
    /// A sum of each key.
    Sums(Vec<TableStep>),
    /// A sum of each key and window, with each change.
    WindowedSums(Shape),
    /// The last values of two streams, put together.
    Tables(Growing),
}

/// A step from table to table.
#[derive(Clone, Copy, Debug)]
enum TableStep {
    Filtered(i64),
    Mapped(i64),
    Regrouped(i64),
}

const GRACE_MS: u64 = 5;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn shape() -> impl Strategy<Value = Shape> + Clone {
    prop_oneof![
        (1..20_u64).prop_map(Shape::Tumbling),
        (1..4_u64, 2..6_u64).prop_map(|(times, advance)| Shape::Hopping(times * advance, advance)),
        (1..4_u64, 2..6_u64).prop_map(|(times, step)| Shape::Cumulating(times * step, step)),
        (1..12_u64).prop_map(Shape::Sliding),
        (1..12_u64).prop_map(Shape::Session),
    ]
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![Just(How::Inner), Just(How::Left), Just(How::Outer)]
}

fn closing() -> impl Strategy<Value = Closing> + Clone {
    prop_oneof![Just(Closing::OnClose), Just(Closing::Suppressed)]
}

/// Streams whose keys are those of the input: two of them meet in one task, in the order of the input.
fn of_one_task() -> impl Strategy<Value = Growing> + Clone {
    Just(Growing::Source).prop_recursive(4, 8, 2, |inner| {
        let (one, other) = (inner.clone().prop_map(Box::new), inner.prop_map(Box::new));
        prop_oneof![
            (one.clone(), 2..5_i64).prop_map(|(one, of)| Growing::Filtered(one, of)),
            (one.clone(), -3..4_i64).prop_map(|(one, by)| Growing::Mapped(one, by)),
            (one.clone(), 0..3_i64).prop_map(|(one, times)| Growing::Repeated(one, times)),
            (one.clone(), other.clone()).prop_map(|(one, other)| Growing::Merged(one, other)),
            (one.clone(), other.clone(), how())
                .prop_map(|(one, other, how)| Growing::Joined(one, other, how)),
            (one.clone(), other).prop_map(|(one, other)| Growing::LookedUp(one, other)),
            (one, 1..5_u32).prop_map(|(one, size)| Growing::ByCount(one, size)),
        ]
    })
}

/// The same, where what comes as time goes on may be among them.
fn of_one_task_and_time() -> impl Strategy<Value = Growing> {
    let closed = (of_one_task(), shape(), closing())
        .prop_map(|(stream, shape, closing)| Growing::Closed(Box::new(stream), shape, closing));
    let merged = |one, other| Growing::Merged(Box::new(one), Box::new(other));
    prop_oneof![
        of_one_task(),
        (closed.clone(), of_one_task()).prop_map(move |(closed, other)| merged(closed, other)),
        (of_one_task(), closed).prop_map(move |(one, closed)| merged(one, closed)),
    ]
}

/// What follows, each in tasks of its own.
#[derive(Clone, Debug)]
enum Then {
    Closed(Shape, Closing),
    Rekeyed(i64),
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![
        (shape(), closing()).prop_map(|(shape, closing)| Then::Closed(shape, closing)),
        (1..4_i64).prop_map(Then::Rekeyed),
    ]
}

/// Streams through any number of tasks.
fn growing() -> impl Strategy<Value = Growing> {
    (of_one_task_and_time(), prop::collection::vec(then(), 0..4)).prop_map(|(source, behind)| {
        behind.into_iter().fold(source, |stream, then| match then {
            Then::Closed(shape, closing) => Growing::Closed(Box::new(stream), shape, closing),
            Then::Rekeyed(keys) => Growing::Rekeyed(Box::new(stream), keys),
        })
    })
}

fn table_step() -> impl Strategy<Value = TableStep> {
    prop_oneof![
        (2..5_i64).prop_map(TableStep::Filtered),
        (-3..4_i64).prop_map(TableStep::Mapped),
        (1..4_i64).prop_map(TableStep::Regrouped),
    ]
}

/// Programs whose output only grows.
pub(super) fn growing_programs() -> impl Strategy<Value = Program> {
    growing().prop_map(|source| Program { source, end: End::Records })
}

/// Programs whose output is a table that changes.
pub(super) fn changing_programs() -> impl Strategy<Value = Program> {
    let end = prop_oneof![
        prop::collection::vec(table_step(), 0..4).prop_map(End::Sums),
        shape().prop_map(End::WindowedSums),
    ];
    let tables = (of_one_task(), of_one_task())
        .prop_map(|(source, other)| Program { source, end: End::Tables(other) });
    prop_oneof![
        3 => (growing(), end).prop_map(|(source, end)| Program { source, end }),
        1 => tables,
    ]
}

/// Gives names to stores.
#[derive(Default)]
struct Names(usize);

impl Names {
    fn next(&mut self) -> Text {
        self.0 += 1;
        Text::from(format!("s{}", self.0))
    }
}

impl Program {
    pub(super) fn topology(&self) -> Topology {
        let builder = StreamBuilder::new("t");
        let (input, mut names) = (builder.stream::<i64, i64>("in"), Names::default());
        let stream = self.source.over(&input, &mut names);
        match &self.end {
            End::Records => stream.to("out"),
            End::Sums(steps) => {
                let sums = stream.group_by_key().reduce(names.next(), sum);
                steps.iter().fold(sums, |table, step| step.of(&table, &mut names)).to("out");
            }
            End::WindowedSums(shape) => shape.sums(&stream, false, names.next()).to("out"),
            End::Tables(other) => {
                let other = other.over(&input, &mut names).to_table(names.next());
                let one = stream.to_table(names.next());
                one.outer_join(&other, |_, one, other| put_together(one, other)).to("out");
            }
        }
        builder.build().unwrap()
    }
}

fn sum(sum: i64, value: i64) -> i64 {
    sum.wrapping_mul(3).wrapping_add(value)
}

fn put_together(one: Option<&i64>, other: Option<&i64>) -> i64 {
    one.copied().unwrap_or(-1).wrapping_mul(1000).wrapping_add(other.copied().unwrap_or(-1))
}

impl Growing {
    fn over(&self, input: &Numbers, names: &mut Names) -> Numbers {
        match self {
            Self::Source => input.clone(),
            Self::Filtered(one, of) => {
                let of = *of;
                one.over(input, names).filter(move |_, value| value.rem_euclid(of) != 0)
            }
            Self::Mapped(one, by) => {
                let by = *by;
                one.over(input, names).map_values(move |value| value.wrapping_add(by))
            }
            Self::Repeated(one, times) => {
                let times = *times;
                one.over(input, names)
                    .flat_map_values(move |value| (0..times).map(move |add| value.wrapping_add(add)))
            }
            Self::Merged(one, other) => one.over(input, names).merge(&other.over(input, names)),
            Self::Joined(one, other, how) => {
                let (one, other) = (one.over(input, names), other.over(input, names));
                how.joined(&one, &other, names.next())
            }
            Self::LookedUp(one, other) => {
                let table = other.over(input, names).to_table(names.next());
                one.over(input, names)
                    .left_join_table(&table, |_, value, found| put_together(Some(value), found))
            }
            Self::ByCount(one, size) => {
                let counted =
                    one.over(input, names).group_by_key().windowed_by(CountWindows::tumbling(*size));
                counted.reduce(names.next(), sum)
            }
            Self::Closed(one, shape, closing) => {
                let stream = one.over(input, names);
                let sums = shape.sums(&stream, matches!(closing, Closing::OnClose), names.next());
                let held = Suppressed::until_window_closes(SuppressBuffer::unbounded());
                let sums = match closing {
                    Closing::OnClose => sums,
                    Closing::Suppressed => sums.suppress(names.next(), held),
                };
                sums.updates().map(|windowed, sum| (windowed.key, sum))
            }
            Self::Rekeyed(one, keys) => {
                let keys = *keys;
                let stream = one.over(input, names);
                stream.select_key(move |_, value| value.rem_euclid(keys)).repartition(names.next())
            }
        }
    }
}

impl How {
    fn joined(self, one: &Numbers, other: &Numbers, store: Text) -> Numbers {
        let windows = JoinWindows::within(ms(4)).grace(ms(GRACE_MS));
        match self {
            Self::Inner => {
                one.join(other, windows, store, |_, one, other| put_together(Some(one), Some(other)))
            }
            Self::Left => {
                one.left_join(other, windows, store, |_, one, other| put_together(Some(one), other))
            }
            Self::Outer => one.outer_join(other, windows, store, |_, one, other| put_together(one, other)),
        }
    }
}

impl Shape {
    fn sums(self, stream: &Numbers, on_close: bool, store: Text) -> Table<Windowed<i64>, i64> {
        let grouped = stream.group_by_key();
        let grace = ms(GRACE_MS);
        let fixed = |windows: WindowedStream<i64, i64>| {
            let windows = if on_close { windows.on_close() } else { windows };
            windows.reduce(store.clone(), sum)
        };
        match self {
            Self::Tumbling(size) => fixed(grouped.windowed_by(TimeWindows::tumbling(ms(size)).grace(grace))),
            Self::Hopping(size, advance) => {
                fixed(grouped.windowed_by(TimeWindows::hopping(ms(size), ms(advance)).grace(grace)))
            }
            Self::Cumulating(size, step) => {
                fixed(grouped.windowed_by(CumulatingWindows::new(ms(size), ms(step)).grace(grace)))
            }
            Self::Sliding(difference) => {
                fixed(grouped.windowed_by(SlidingWindows::difference(ms(difference)).grace(grace)))
            }
            Self::Session(gap) => {
                let sessions = grouped.windowed_by(SessionWindows::gap(ms(gap)).grace(grace));
                let sessions = if on_close { sessions.on_close() } else { sessions };
                sessions.reduce(store.clone(), sum)
            }
        }
    }
}

impl TableStep {
    fn of(self, table: &Table<i64, i64>, names: &mut Names) -> Table<i64, i64> {
        match self {
            Self::Filtered(of) => table.filter(move |_, value| value.rem_euclid(of) != 0),
            Self::Mapped(by) => table.map_values(move |value| value.wrapping_add(by)),
            // Sums that do not hang on the order: in which the keys change is up to the commits.
            Self::Regrouped(keys) => table.group_by(move |key, value| (key.rem_euclid(keys), value)).reduce(
                names.next(),
                i64::wrapping_add,
                |sum, value| Some(sum.wrapping_sub(value)),
            ),
        }
    }
}
