//! Tables that pass on fewer updates.

use std::{sync::Arc, time::Duration};

use mainstem_client::Timestamp;

use super::{Stream, Table};
use crate::{
    StoreSpec, TopologyError, Windowed,
    graph::{
        operator::node,
        suppress::{Holding, Place, Release, Room, Suppress},
    },
    serdes::Serde,
    state::Form,
    topology::{KeptWindows, Kind, Make, Node, Parent},
    window::millis,
};

/// What a table holds its updates back for, and how many it holds ([`Table::suppress`]; Kafka Streams: `Suppressed`).
#[derive(Debug)]
pub struct Suppressed<K> {
    until: Until<K>,
    buffer: SuppressBuffer,
}

#[derive(Debug)]
enum Until<K> {
    WindowCloses { end_of: fn(&K) -> Timestamp },
    TimeLimit { limit_ms: i64 },
    Period { period_ms: i64 },
}

/// How much a table may hold back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuppressBuffer(Room);

impl SuppressBuffer {
    /// Whatever there is. What is held is in memory.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self(Room { records_max: None, bytes_max: None, emits_early: false })
    }

    /// The updates of so many keys.
    #[must_use]
    pub const fn records_max(self, records_max: usize) -> Self {
        Self(Room { records_max: Some(records_max), ..self.0 })
    }

    /// So many bytes of keys and values, old and new.
    #[must_use]
    pub const fn bytes_max(self, bytes_max: usize) -> Self {
        Self(Room { bytes_max: Some(bytes_max), ..self.0 })
    }

    /// Has the updates that have waited longest passed on when there is no more room.
    #[must_use]
    pub const fn emit_early_when_full(self) -> Self {
        Self(Room { emits_early: true, ..self.0 })
    }

    /// Has the task fail when there is no more room, which it does unless said otherwise.
    #[must_use]
    pub const fn shut_down_when_full(self) -> Self {
        Self(Room { emits_early: false, ..self.0 })
    }
}

impl<K> Suppressed<Windowed<K>> {
    /// Until a window is closed: its result is passed on once, and does not change any more. A buffer that emits early
    /// would break that promise, and is refused when the topology is built; so is a table without windows.
    #[must_use]
    pub const fn until_window_closes(buffer: SuppressBuffer) -> Self {
        Self { until: Until::WindowCloses { end_of: |key| key.window.end }, buffer }
    }
}

impl<K> Suppressed<K> {
    /// Until the watermark is so far behind the first update of a key that waits. Updates that come meanwhile take its
    /// place, and wait no longer.
    #[must_use]
    pub fn until_time_limit(limit: Duration, buffer: SuppressBuffer) -> Self {
        Self { until: Until::TimeLimit { limit_ms: millis(limit) }, buffer }
    }

    /// Until the watermark comes to the next multiple of a period, counted from 1970 in UTC: early results of windows
    /// while they are open, at times that depend on the records alone. A period of nothing is refused when the topology is
    /// built.
    #[must_use]
    pub fn every(period: Duration) -> Self {
        Self { until: Until::Period { period_ms: millis(period) }, buffer: SuppressBuffer::unbounded() }
    }

    /// What is wrong with it, behind such windows.
    fn fault(&self, windows: Option<KeptWindows>) -> Option<String> {
        let fault = match self.until {
            Until::WindowCloses { .. } if windows.is_none() => {
                "no windows in front of it that could close; hold updates back until a time limit instead"
            }
            Until::WindowCloses { .. } if self.buffer.0.emits_early => {
                "results of windows to hold back until they close, and a buffer that emits early; it must shut down when \
                 full, or have no limit"
            }
            Until::Period { period_ms: ..1 } => "a period of nothing; at least a millisecond is needed",
            _ => return None,
        };
        Some(fault.to_owned())
    }

    /// How long updates wait at most, behind the times of their records.
    fn delay_ms(&self, windows: Option<KeptWindows>) -> i64 {
        match (&self.until, windows) {
            (Until::WindowCloses { .. }, Some(windows)) => {
                windows.length_ms.saturating_add(windows.closes_after_ms)
            }
            (Until::WindowCloses { .. }, None) => 0,
            (Until::TimeLimit { limit_ms }, _) => *limit_ms,
            (Until::Period { period_ms }, _) => *period_ms,
        }
    }
}

impl<K: Serde> Suppressed<K> {
    fn release(&self, windows: Option<KeptWindows>) -> Release<K> {
        match self.until {
            Until::WindowCloses { end_of } => {
                let wait_ms = windows.map_or(0, |windows| windows.closes_after_ms);
                Arc::new(move |key, _, _| at(end_of(key).0.saturating_add(wait_ms)))
            }
            Until::TimeLimit { limit_ms } => {
                Arc::new(move |_, time, _| Place { since: time, ..at(time.0.saturating_add(limit_ms)) })
            }
            Until::Period { period_ms } => {
                let period_ms = period_ms.max(1);
                Arc::new(move |_, time, watermark| {
                    let now = time.0.max(watermark.0);
                    at(now.saturating_add(period_ms - now.rem_euclid(period_ms)))
                })
            }
        }
    }
}

/// The place of what is released at a time, whenever it came.
const fn at(release_ms: i64) -> Place {
    Place { release: Timestamp(release_ms), since: Timestamp(release_ms) }
}

impl<K: Serde, V: Serde> Table<K, V> {
    /// The same table, holding updates back: of those of one key that wait, only the last is passed on. They are kept in
    /// a store of that name, which the node is named like. Wherever that is kept, what waits is in memory too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, SuppressBuffer, Suppressed, TestDriver};
    ///
    /// let builder = StreamBuilder::new("latest");
    /// let second = Suppressed::until_time_limit(Duration::from_secs(1), SuppressBuffer::unbounded());
    /// builder.table::<Text, i64>("prices").suppress("calm-prices", second).to("calm");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for (what, price, time) in [("gold", 10, 0), ("gold", 11, 400), ("gold", 12, 800), ("silver", 1, 1200)] {
    ///     driver.pipe("prices", what, price as i64, time)?;
    /// }
    /// let calm = driver.read::<String, i64>("calm")?;
    /// assert_eq!((calm.len(), calm[0].value), (1, 12));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn suppress(&self, store: impl Into<StoreSpec>, suppressed: Suppressed<K>) -> Self {
        let (spec, from) = (store.into(), self.stream());
        let store = spec.name.clone();
        let windows = from.draft().lock().windows_of(&from.node().name);
        if let Some(fault) = suppressed.fault(windows) {
            from.draft().lock().refuse(TopologyError::BadWindows { node: store.clone(), fault });
        }
        let (release, room, name) = (suppressed.release(windows), suppressed.buffer.0, store.clone());
        let forgets_gone = !matches!(suppressed.until, Until::TimeLimit { .. });
        let make: Make = Arc::new(move |_| {
            let holding = Holding { release: Arc::clone(&release), room, forgets_gone };
            node(Suppress::<K, V>::new(name.clone(), holding))
        });
        let node = Node::new(store.clone(), Kind::Processor, vec![from.node().clone()], make);
        let (delay_ms, stores) = (suppressed.delay_ms(windows), vec![store.clone()]);
        let mut draft = from.draft().lock();
        draft.add_store(spec.holding(Form::new::<K, V>("suppressed updates")));
        draft.add(Node { stores, delay_ms, is_timed: true, wants_old: true, ..node });
        drop(draft);
        Self::new(Stream::new(from.draft().clone(), Parent::only(store), from.is_rekeyed()))
    }
}
