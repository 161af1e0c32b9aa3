//! Programs made at random: streams that only grow, and what may stand at their end.

use proptest::prelude::*;

/// A program.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) source: Growing,
    pub(super) end: End,
    /// How many partitions the topics have that it reads.
    pub(super) partitions: i32,
}

/// Where streams come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    In,
    Other,
    /// Of a table that knows what it was.
    Versions,
}

impl Topic {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Other => "other",
            Self::Versions => "versions",
        }
    }
}

/// A stream to which nothing but records are added.
#[derive(Clone, Debug)]
pub(super) enum Growing {
    Source(Topic),
    Filtered(Box<Self>, i64),
    Mapped(Box<Self>, i64),
    Repeated(Box<Self>, i64),
    Merged(Box<Self>, Box<Self>),
    Joined(Box<Self>, Box<Self>, How),
    LookedUp(Box<Self>, Box<Self>),
    /// With what a versioned table held at the time of each record.
    AsOf(Box<Self>),
    /// The same, once that is settled.
    AsOfSettled(Box<Self>),
    /// With what a global table holds.
    Global(Box<Self>),
    /// Through a processor with a store of its own.
    Processed(Box<Self>),
    ByCount(Box<Self>, u32),
    /// Windows that have closed, each as a record of its key.
    Closed(Box<Self>, Shape, Closing),
    /// Two streams, put together by window.
    CoGrouped(Box<Self>, Box<Self>, u64),
    /// By other keys: so many of them, into so many partitions if that is said. What comes behind it runs in tasks of its
    /// own.
    Rekeyed(Box<Self>, i64, Option<i32>),
}

/// What is wanted of two streams.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    Inner,
    Left,
    Outer,
}

/// Windows in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Tumbling(u64),
    Hopping(u64, u64),
    Cumulating(u64, u64),
    Sliding(u64),
    Session(u64),
}

/// How a window's result waits for its end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Closing {
    OnClose,
    Suppressed,
}

/// What stands at the end of a program.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// The stream as it is.
    Records,
    /// A sum of each key.
    Sums(Vec<TableStep>),
    /// A sum of each key and window, with each change.
    WindowedSums(Shape),
    /// The last values of two streams, put together.
    Tables(Growing),
    /// The last values of two streams, put together by a key that those of the first one name: so many of them.
    Foreign(Growing, i64),
    /// One sum of the records of two streams.
    CoGrouped(Growing),
}

/// A step from table to table.
#[derive(Clone, Copy, Debug)]
pub(super) enum TableStep {
    Filtered(i64),
    Mapped(i64),
    Regrouped(i64),
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
    let source = prop_oneof![2 => Just(Topic::In), 1 => Just(Topic::Other)].prop_map(Growing::Source);
    source.prop_recursive(4, 8, 2, |inner| {
        let (one, other) = (inner.clone().prop_map(Box::new), inner.prop_map(Box::new));
        prop_oneof![
            (one.clone(), 2..5_i64).prop_map(|(one, of)| Growing::Filtered(one, of)),
            (one.clone(), -3..4_i64).prop_map(|(one, by)| Growing::Mapped(one, by)),
            (one.clone(), 0..3_i64).prop_map(|(one, times)| Growing::Repeated(one, times)),
            (one.clone(), other.clone()).prop_map(|(one, other)| Growing::Merged(one, other)),
            (one.clone(), other.clone(), how())
                .prop_map(|(one, other, how)| Growing::Joined(one, other, how)),
            (one.clone(), other).prop_map(|(one, other)| Growing::LookedUp(one, other)),
            one.clone().prop_map(Growing::AsOf),
            one.clone().prop_map(Growing::Global),
            one.clone().prop_map(Growing::Processed),
            (one, 1..5_u32).prop_map(|(one, size)| Growing::ByCount(one, size)),
        ]
    })
}

/// The same, where what comes as time goes on may be among them.
fn of_one_task_and_time() -> impl Strategy<Value = Growing> {
    let boxed = || of_one_task().prop_map(Box::new);
    let closed = prop_oneof![
        3 => (boxed(), shape(), closing())
            .prop_map(|(stream, shape, closing)| Growing::Closed(stream, shape, closing)),
        1 => boxed().prop_map(Growing::AsOfSettled),
        1 => (boxed(), boxed(), 1..20_u64).prop_map(|(one, other, size)| Growing::CoGrouped(one, other, size)),
    ];
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
    Rekeyed(i64, Option<i32>),
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![
        (shape(), closing()).prop_map(|(shape, closing)| Then::Closed(shape, closing)),
        (1..4_i64, prop::option::of(1..4_i32)).prop_map(|(keys, into)| Then::Rekeyed(keys, into)),
    ]
}

/// Streams through any number of tasks.
fn growing() -> impl Strategy<Value = Growing> {
    (of_one_task_and_time(), prop::collection::vec(then(), 0..4)).prop_map(|(source, behind)| {
        let mut left = behind.len();
        behind.into_iter().fold(source, |stream, then| {
            left -= 1;
            match then {
                Then::Closed(shape, closing) => Growing::Closed(Box::new(stream), shape, closing),
                // In which order records of several tasks come to others is up to the tasks.
                Then::Rekeyed(keys, into) => {
                    Growing::Rekeyed(Box::new(stream), keys, into.filter(|_| left == 0))
                }
            }
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
    let records = |(source, partitions)| Program { source, end: End::Records, partitions };
    prop_oneof![
        2 => growing().prop_map(move |source| records((source, 1))),
        1 => (of_one_task_and_time(), 2..4_i32).prop_map(records),
    ]
}

/// Programs whose output is a table that changes. Those of several tasks make no use of time where these come together:
/// what is late there hangs on who is ahead.
pub(super) fn changing_programs() -> impl Strategy<Value = Program> {
    let sums = || prop::collection::vec(table_step(), 0..4).prop_map(End::Sums);
    let windowed = || shape().prop_map(End::WindowedSums);
    let other = prop_oneof![of_one_task().prop_map(End::Tables), of_one_task().prop_map(End::CoGrouped),];
    // How far the time of tasks has come that answer one another hangs on when the answers came.
    let timeless = || of_one_task().prop_filter("goes by time", |stream| !stream.has_joins());
    let foreign = (timeless(), 1..4_i64).prop_map(|(other, keys)| End::Foreign(other, keys));
    let program = |(source, end, partitions)| Program { source, end, partitions };
    prop_oneof![
        3 => (growing(), prop_oneof![sums(), windowed()], Just(1)).prop_map(program),
        1 => (of_one_task_and_time(), sums(), 2..4_i32).prop_map(program),
        1 => (of_one_task(), windowed(), 2..4_i32).prop_map(program),
        3 => (of_one_task(), other, 1..4_i32).prop_map(program),
        1 => (timeless(), foreign, 1..4_i32).prop_map(program),
    ]
}

impl Growing {
    /// Whether streams are joined in it, which goes by the time.
    fn has_joins(&self) -> bool {
        match self {
            Self::Source(_) => false,
            Self::Joined(..) => true,
            Self::Merged(one, other) | Self::LookedUp(one, other) | Self::CoGrouped(one, other, _) => {
                one.has_joins() || other.has_joins()
            }
            Self::Filtered(one, _) | Self::Mapped(one, _) | Self::Repeated(one, _) => one.has_joins(),
            Self::AsOf(one) | Self::AsOfSettled(one) | Self::Global(one) | Self::Processed(one) => {
                one.has_joins()
            }
            Self::ByCount(one, _) | Self::Closed(one, ..) | Self::Rekeyed(one, ..) => one.has_joins(),
        }
    }
}

impl Program {
    /// Whether several tasks write: what they write is in order key by key.
    pub(super) fn is_spread(&self) -> bool {
        self.partitions > 1 || matches!(&self.source, Growing::Rekeyed(_, _, Some(2..)))
    }
}
