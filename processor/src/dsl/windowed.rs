//! Records by window and key.

use std::{fmt, sync::Arc, time::Duration};

use mainstem_client::Text;

use super::{
    Data, Stream, Table,
    grouped::{add_keeper, aggregated, count, reduced},
    windows::{Results, Shape},
};
use crate::{
    StoreSpec, TopologyError, Windowed,
    graph::{
        aggregate::Change,
        cells::Cells,
        operator::{Operator, node},
        sliding::SlidingAggregate,
        spans::Spans,
        windowed::WindowedAggregate,
    },
    serdes::Serde,
    topology::{Make, Node, Setting},
};

/// Records that are brought together by their windows and keys.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::Text;
/// use mainstem_processor::{StreamBuilder, TestDriver, TimeWindows, Windowed};
///
/// let builder = StreamBuilder::new("clicks-per-minute");
/// let minute = Duration::from_secs(60);
/// builder
///     .stream::<Text, Text>("clicks")
///     .group_by_key()
///     .windowed_by(TimeWindows::tumbling(minute).grace(Duration::from_secs(10)))
///     .on_close()
///     .count("clicks-per-minute")
///     .to("results");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// for (second, user) in [(1, "anna"), (59, "anna"), (69, "ben"), (70, "ben")] {
///     driver.pipe("clicks", user, "/", second * 1000)?;
/// }
/// // The first minute and its grace are over at second 70, and not before.
/// let results = driver.read::<Windowed<String>, i64>("results")?;
/// assert_eq!(results.len(), 1);
/// assert_eq!((&*results[0].key.key, results[0].key.window.end.0, results[0].value), ("anna", 60_000, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WindowedStream<K, V> {
    stream: Stream<K, V>,
    windows: Shape,
    /// What is wrong with them.
    fault: Option<String>,
    results: Results,
}

impl<K, V> fmt::Debug for WindowedStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, windows, fault: _, results } = self;
        f.debug_struct("WindowedStream")
            .field("stream", stream)
            .field("windows", windows)
            .field("results", results)
            .finish()
    }
}

impl<K: Data, V: Data> WindowedStream<K, V> {
    pub(super) fn new(stream: Stream<K, V>, windows: Shape, fault: Option<String>) -> Self {
        Self { stream, windows, fault, results: Results::default() }
    }
}

impl<K: Serde, V: Serde> WindowedStream<K, V> {
    /// Passes on one result for each window and key, when the window is closed and nothing will change any more.
    /// Otherwise each change is passed on, those of one commit as one.
    #[must_use]
    pub fn on_close(self) -> Self {
        Self { results: self.results.on_close(), ..self }
    }

    /// Passes on early results, of open windows too, whenever the watermark comes to a multiple of a period, counted
    /// from 1970: those that have changed since the last time. At which times there are results depends on the records
    /// alone. They are held back in a store of their own, `STORE-every`, which is kept where the other one is.
    #[must_use]
    pub fn every(self, period: Duration) -> Self {
        Self { results: self.results.every(period), ..self }
    }

    /// Writes a record to this topic, as it came, where all windows that it lies in are closed; it is counted all the
    /// same ([`crate::NodeCounts::late`]). Otherwise it is dropped.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver, TimeWindows};
    ///
    /// let builder = StreamBuilder::new("per-second");
    /// let windows = TimeWindows::tumbling(Duration::from_secs(1));
    /// let clicks = builder.stream::<Text, Text>("clicks").group_by_key().windowed_by(windows);
    /// clicks.late_to("late-clicks").count("counts").to("counts");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for time in [500, 1000, 999] {
    ///     driver.pipe("clicks", "anna", "/", time)?;
    /// }
    /// let late = driver.read::<String, String>("late-clicks")?;
    /// assert_eq!((late.len(), late[0].timestamp.0), (1, 999));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn late_to(self, topic: impl Into<Text>) -> Self {
        Self { results: self.results.late_to(topic.into()), ..self }
    }

    /// Counts the records of each window and key.
    pub fn count(&self, store: impl Into<StoreSpec>) -> Table<Windowed<K>, i64> {
        self.change(store.into(), count())
    }

    /// As [`super::Grouped::reduce`], for each window.
    pub fn reduce(
        &self,
        store: impl Into<StoreSpec>,
        reduce: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> Table<Windowed<K>, V> {
        self.change(store.into(), reduced(reduce))
    }

    /// As [`super::Grouped::aggregate`], for each window.
    pub fn aggregate<A: Serde>(
        &self,
        store: impl Into<StoreSpec>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, V, A) -> A + Send + Sync + 'static,
    ) -> Table<Windowed<K>, A> {
        self.change(store.into(), aggregated(init, add))
    }

    fn change<A: Serde>(&self, store: StoreSpec, change: Change<K, V, A>) -> Table<Windowed<K>, A> {
        let Self { stream, windows, fault, results } = self;
        if let Some(fault) = fault.clone() {
            stream.draft().lock().refuse(TopologyError::BadWindows { node: store.name.clone(), fault });
        }
        let kept = windows.kept();
        let delay_ms = if results.is_on_close() { windows.grace_ms() } else { 0 };
        let (windows, goes_by, name) = (*windows, results.clone(), store.name.clone());
        let make: Make =
            Arc::new(move |setting| operator(windows, &goes_by, name.clone(), Arc::clone(&change), setting));
        let with = |node| Node { delay_ms, is_timed: true, windows: Some(kept), ..node };
        results.passed_on(add_keeper(stream, store.clone(), make, with), &store)
    }
}

fn operator<K: Serde, V: Serde, A: Serde>(
    windows: Shape,
    results: &Results,
    store: Text,
    change: Change<K, V, A>,
    setting: &Setting,
) -> Box<dyn Operator> {
    let (showing, late) = (results.showing(setting), results.late.clone());
    match windows {
        Shape::Fixed(windows) => {
            node(WindowedAggregate::new(windows, showing, late, change, Cells::new(store)))
        }
        Shape::Sliding(windows) => {
            let keep_ms = SlidingAggregate::<K, V, A>::keep_ms(windows);
            let spans = Spans::new(store, keep_ms, results.reads_old(setting));
            node(SlidingAggregate::new(windows, showing, late, change, spans))
        }
    }
}
