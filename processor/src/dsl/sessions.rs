//! Records by session and key.

use std::{fmt, sync::Arc, time::Duration};

use mainstem_client::Text;

use super::{
    Data, Stream, Table,
    grouped::{add_keeper, aggregated, count, reduced},
    windows::Results,
};
use crate::{
    SessionWindows, StoreSpec, TopologyError, Windowed,
    graph::{
        aggregate::Change,
        operator::node,
        session::{Merge, SessionAggregate},
        spans::Spans,
    },
    serdes::Serde,
    topology::{KeptWindows, Layout, Make, Node},
};

/// Records that are brought together by their keys and by the sessions that they make ([`SessionWindows`]).
///
/// A session's row is known by its first and its last record. A record that makes a session longer, or one of several,
/// takes the rows that there were back, with null in topics, before it gives the new one.
///
/// ```
/// use std::time::Duration;
/// use mainstem_client::Text;
/// use mainstem_processor::{SessionWindows, StreamBuilder, TestDriver, Windowed};
///
/// let builder = StreamBuilder::new("visits");
/// let half_an_hour = Duration::from_secs(30 * 60);
/// builder
///     .stream::<Text, Text>("clicks")
///     .group_by_key()
///     .windowed_by(SessionWindows::gap(half_an_hour))
///     .on_close()
///     .count("clicks-per-visit")
///     .to("visits");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// for minute in [0, 10, 40, 90] {
///     driver.pipe("clicks", "anna", "/", minute * 60_000)?;
/// }
/// let visits = driver.read::<Windowed<String>, i64>("visits")?;
/// assert_eq!(visits.len(), 1);
/// assert_eq!((visits[0].key.window.end.0, visits[0].value), (40 * 60_000, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SessionStream<K, V> {
    stream: Stream<K, V>,
    windows: SessionWindows,
    results: Results,
}

impl<K, V> fmt::Debug for SessionStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, windows, results } = self;
        f.debug_struct("SessionStream")
            .field("stream", stream)
            .field("windows", windows)
            .field("results", results)
            .finish()
    }
}

impl<K: Data, V: Data> SessionStream<K, V> {
    pub(super) fn new(stream: Stream<K, V>, windows: SessionWindows) -> Self {
        Self { stream, windows, results: Results::default() }
    }
}

impl<K: Serde, V: Serde> SessionStream<K, V> {
    /// As [`super::WindowedStream::on_close`].
    #[must_use]
    pub fn on_close(self) -> Self {
        Self { results: self.results.on_close(), ..self }
    }

    /// As [`super::WindowedStream::every`].
    #[must_use]
    pub fn every(self, period: Duration) -> Self {
        Self { results: self.results.every(period), ..self }
    }

    /// As [`super::WindowedStream::late_to`].
    #[must_use]
    pub fn late_to(self, topic: impl Into<Text>) -> Self {
        Self { results: self.results.late_to(topic.into()), ..self }
    }

    /// Counts the records of each session.
    pub fn count(&self, store: impl Into<StoreSpec>) -> Table<Windowed<K>, i64> {
        self.change(store.into(), count(), Arc::new(|_, one, other| one + other))
    }

    /// Puts the values of each session together, two by two; also those of two sessions that become one.
    pub fn reduce(
        &self,
        store: impl Into<StoreSpec>,
        reduce: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> Table<Windowed<K>, V> {
        let reduce = Arc::new(reduce);
        let merge = Arc::clone(&reduce);
        let reduce = reduced(move |one, other| reduce(one, other));
        self.change(store.into(), reduce, Arc::new(move |_, one, other| merge(one, other)))
    }

    /// Adds the records of each session to something that begins as `init` says, and makes one of two such things with
    /// `merge` where two sessions become one. What cannot be merged cannot be kept by session.
    ///
    /// Unlike in Kafka Streams, `merge` is called for two sessions alone, and never with what `init` gives.
    pub fn aggregate<A: Serde>(
        &self,
        store: impl Into<StoreSpec>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, V, A) -> A + Send + Sync + 'static,
        merge: impl Fn(&K, A, A) -> A + Send + Sync + 'static,
    ) -> Table<Windowed<K>, A> {
        self.change(store.into(), aggregated(init, add), Arc::new(merge))
    }

    fn change<A: Serde>(
        &self,
        store: StoreSpec,
        change: Change<K, V, A>,
        merge: Merge<K, A>,
    ) -> Table<Windowed<K>, A> {
        let Self { stream, windows, results } = self;
        if let Some(fault) = windows.fault() {
            stream.draft().lock().refuse(TopologyError::BadWindows { node: store.name.clone(), fault });
        }
        let wait_ms = windows.wait_ms();
        let closes_after_ms = wait_ms.saturating_add(1);
        let kept = KeptWindows { layout: Layout::ByKey, closes_after_ms, length_ms: 0 };
        let delay_ms = if results.is_on_close() { wait_ms } else { 0 };
        let (windows, goes_by, name) = (*windows, results.clone(), store.name.clone());
        let make: Make = Arc::new(move |setting| {
            let spans = Spans::new(name.clone(), 0, goes_by.reads_old(setting));
            let steps = (Arc::clone(&change), Arc::clone(&merge));
            let (showing, late) = (goes_by.showing(setting), goes_by.late.clone());
            node(SessionAggregate::new(windows, showing, late, steps, spans))
        });
        let with = |node| Node { delay_ms, is_timed: true, windows: Some(kept), ..node };
        results.passed_on(add_keeper(stream, store.clone(), make, with), &store)
    }
}
