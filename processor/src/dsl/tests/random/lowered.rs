//! What programs made at random are in the words of typed streams.

use std::rc::Rc;

use super::{
    program::{Closing, End, Growing, How, Program, Shape, TableStep, Topic},
    *,
};
use crate::{
    Context, CountWindows, InputBatch, JoinWindows, OutputRecord, ProcessResult, Processor, SerdeError,
    SessionWindows, SlidingWindows, SuppressBuffer, Suppressed,
    dsl::join::{GlobalTable, VersionedTable},
    state::{KeyValueStore, Store},
};

/// Keys and values are numbers, so that every step fits behind every other.
type Numbers = Stream<i64, i64>;

const GRACE_MS: u64 = 5;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A topology in the making: what of it may stand there once alone, and the names of stores.
struct Draft {
    builder: StreamBuilder,
    streams: BTreeMap<&'static str, Numbers>,
    versions: Option<Rc<VersionedTable<i64, i64>>>,
    global: Option<GlobalTable<i64, i64>>,
    stores: usize,
}

impl Draft {
    fn new() -> Self {
        let (builder, streams) = (StreamBuilder::new("t"), BTreeMap::new());
        Self { builder, streams, versions: None, global: None, stores: 0 }
    }

    fn store(&mut self) -> Text {
        self.stores += 1;
        Text::from(format!("s{}", self.stores))
    }

    fn stream(&mut self, topic: Topic) -> Numbers {
        let stream = || self.builder.stream(topic.name());
        self.streams.entry(topic.name()).or_insert_with(stream).clone()
    }

    fn versions(&mut self) -> Rc<VersionedTable<i64, i64>> {
        let table = || Rc::new(self.builder.versioned_table(Topic::Versions.name(), ms(30)));
        Rc::clone(self.versions.get_or_insert_with(table))
    }

    fn global(&mut self) -> GlobalTable<i64, i64> {
        self.global.get_or_insert_with(|| self.builder.global_table(GLOBAL)).clone()
    }
}

impl Program {
    pub(super) fn topology(&self) -> Topology {
        let mut draft = Draft::new();
        let stream = self.source.over(&mut draft);
        match &self.end {
            End::Records => stream.to("out"),
            End::Sums(steps) => {
                let sums = stream.group_by_key().reduce(draft.store(), sum);
                steps.iter().fold(sums, |table, step| step.of(&table, &mut draft)).to("out");
            }
            End::WindowedSums(shape) => shape.sums(&stream, false, draft.store()).to("out"),
            End::Tables(other) => {
                let other = other.over(&mut draft).to_table(draft.store());
                let one = stream.to_table(draft.store());
                one.outer_join(&other, |_, one, other| put_together(one, other)).to("out");
            }
            End::Foreign(other, keys) => {
                let (other, keys) = (other.over(&mut draft).to_table(draft.store()), *keys);
                let one = stream.to_table(draft.store());
                let names = move |_: &i64, value: &i64| (value % 5 != 0).then(|| value.rem_euclid(keys));
                let join = |_: &i64, one: &i64, other: Option<&i64>| put_together(Some(one), other);
                one.left_join_foreign(&other, draft.store(), names, join).to("out");
            }
            End::CoGrouped(other) => {
                let other = other.over(&mut draft).group_by_key();
                let both = stream.group_by_key().cogroup(|_, value, all| sum(all, value));
                let both = both.cogroup(other, |_, value, all| sum(all, -value));
                both.aggregate(draft.store(), || 0).to("out");
            }
        }
        draft.builder.build().unwrap()
    }
}

fn sum(sum: i64, value: i64) -> i64 {
    sum.wrapping_mul(3).wrapping_add(value)
}

fn put_together(one: Option<&i64>, other: Option<&i64>) -> i64 {
    one.copied().unwrap_or(-1).wrapping_mul(1000).wrapping_add(other.copied().unwrap_or(-1))
}

impl Growing {
    fn over(&self, draft: &mut Draft) -> Numbers {
        match self {
            Self::Source(topic) => draft.stream(*topic),
            Self::Filtered(one, of) => {
                let of = *of;
                one.over(draft).filter(move |_, value| value.rem_euclid(of) != 0)
            }
            Self::Mapped(one, by) => {
                let by = *by;
                one.over(draft).map_values(move |value| value.wrapping_add(by))
            }
            Self::Repeated(one, times) => {
                let times = *times;
                one.over(draft)
                    .flat_map_values(move |value| (0..times).map(move |add| value.wrapping_add(add)))
            }
            Self::Merged(one, other) => one.over(draft).merge(&other.over(draft)),
            Self::Joined(one, other, how) => {
                let (one, other) = (one.over(draft), other.over(draft));
                how.joined(&one, &other, draft.store())
            }
            Self::LookedUp(one, other) => {
                let table = other.over(draft).to_table(draft.store());
                one.over(draft).left_join_table(&table, |_, value, found| put_together(Some(value), found))
            }
            Self::AsOf(one) => {
                let (stream, table) = (one.over(draft), draft.versions());
                stream.left_join_as_of(&table, |_, value, found| put_together(Some(value), found))
            }
            Self::AsOfSettled(one) => {
                let (stream, table, store) = (one.over(draft), draft.versions(), draft.store());
                let join = |_: &i64, value: &i64, found: Option<&i64>| put_together(Some(value), found);
                stream.left_join_as_of_with_grace(&table, ms(GRACE_MS), store, join)
            }
            Self::Global(one) => {
                let (stream, table) = (one.over(draft), draft.global());
                let asks_for = |_: &i64, value: &i64| Some(value.rem_euclid(4));
                stream.left_join_global(&table, asks_for, |_, value, found| put_together(Some(value), found))
            }
            Self::Processed(one) => {
                let (stream, store) = (one.over(draft), draft.store());
                draft.builder.store(KeyValueStore::<i64, i64>::spec(store.clone()));
                processed(&stream, "one", &store, |store| Summing { store })
            }
            Self::CoGrouped(one, other, size) => {
                let (one, other) = (one.over(draft).group_by_key(), other.over(draft).group_by_key());
                let both = one.cogroup(|_, value, all| sum(all, value));
                let both = both.cogroup(other, |_, value, all| sum(all, -value));
                let windows = TimeWindows::tumbling(ms(*size)).grace(ms(GRACE_MS));
                let sums = both.windowed_by(windows).on_close().aggregate(draft.store(), || 0);
                sums.updates().map(|windowed, sum| (windowed.key, sum))
            }
            Self::ByCount(one, size) => {
                let counted = one.over(draft).group_by_key().windowed_by(CountWindows::tumbling(*size));
                counted.reduce(draft.store(), sum)
            }
            Self::Closed(one, shape, closing) => {
                let stream = one.over(draft);
                let sums = shape.sums(&stream, matches!(closing, Closing::OnClose), draft.store());
                let held = Suppressed::until_window_closes(SuppressBuffer::unbounded());
                let sums = match closing {
                    Closing::OnClose => sums,
                    Closing::Suppressed => sums.suppress(draft.store(), held),
                };
                sums.updates().map(|windowed, sum| (windowed.key, sum))
            }
            Self::Rekeyed(one, keys, into) => {
                let keys = *keys;
                let stream = one.over(draft).select_key(move |_, value| value.rem_euclid(keys));
                match into {
                    Some(into) => stream.repartition_into(draft.store(), *into),
                    None => stream.repartition(draft.store()),
                }
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
    fn of(self, table: &Table<i64, i64>, draft: &mut Draft) -> Table<i64, i64> {
        match self {
            Self::Filtered(of) => table.filter(move |_, value| value.rem_euclid(of) != 0),
            Self::Mapped(by) => table.map_values(move |value| value.wrapping_add(by)),
            // Sums that do not hang on the order: in which the keys change is up to the commits.
            Self::Regrouped(keys) => table.group_by(move |key, value| (key.rem_euclid(keys), value)).reduce(
                draft.store(),
                i64::wrapping_add,
                |sum, value| Some(sum.wrapping_sub(value)),
            ),
        }
    }
}

/// A stream through a processor with a store.
fn processed<P: Processor + 'static>(
    stream: &Numbers,
    which: &str,
    store: &Text,
    processor: impl Fn(Text) -> P + Send + Sync + 'static,
) -> Numbers {
    let (name, known) = (format!("{store}-{which}"), store.clone());
    stream.process(name, [&**store], move || processor(known.clone())).values("out")
}

/// Passes on what becomes of each value.
fn pass_on(
    batch: &InputBatch,
    ctx: &mut Context<'_>,
    with: impl Fn(&mut Store, i64, i64) -> Result<i64, SerdeError>,
    store: &str,
) -> ProcessResult {
    for input in &batch.records {
        let (key, value) = (&input.record.key, &input.record.value);
        let (number, value) = (i64::decode(key.as_ref())?, i64::decode(value.as_ref())?);
        let result = with(ctx.store(store)?, number, value)?;
        let value = Some(Bytes::copy_from_slice(&result.to_be_bytes()));
        let (key, timestamp) = (key.clone(), input.event_time);
        ctx.forward("out", OutputRecord { key, value, timestamp, ..OutputRecord::default() })?;
    }
    Ok(())
}

/// Passes on the sum of the values of each key so far.
struct Summing {
    store: Text,
}

impl Processor for Summing {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        let add = |store: &mut Store, key, value| {
            let mut sums = KeyValueStore::<i64, i64>::over(store);
            let sum = sum(sums.get(&key)?.unwrap_or(0), value);
            sums.put(&key, &sum)?;
            Ok(sum)
        };
        pass_on(batch, ctx, add, &self.store)
    }
}
