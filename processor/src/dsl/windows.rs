//! What windows make of grouped records, and when there are results.

use std::time::Duration;

use mainstem_client::Text;

use super::{CountedStream, Data, SessionStream, Stream, Suppressed, Table, WindowedStream};
use crate::{
    CountWindows, CumulatingWindows, SessionWindows, SlidingWindows, StoreSpec, TimeWindows,
    graph::{
        late::Late,
        windowed::{Emission, Showing},
    },
    serdes::Serde,
    topology::{KeptWindows, Layout, Setting},
    window::FixedWindows,
};

/// Windows that [`super::Grouped::windowed_by`] takes: [`TimeWindows`], [`CumulatingWindows`], [`SlidingWindows`],
/// [`SessionWindows`], [`CountWindows`].
pub trait Windows: sealed::Sealed {
    /// What becomes of records that are brought together by such windows.
    type Stream<K: Data, V: Data>;

    #[doc(hidden)]
    fn over<K: Data, V: Data>(self, stream: Stream<K, V>) -> Self::Stream<K, V>;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for crate::TimeWindows {}
    impl Sealed for crate::CumulatingWindows {}
    impl Sealed for crate::SlidingWindows {}
    impl Sealed for crate::SessionWindows {}
    impl Sealed for crate::CountWindows {}
}

impl Windows for TimeWindows {
    type Stream<K: Data, V: Data> = WindowedStream<K, V>;

    fn over<K: Data, V: Data>(self, stream: Stream<K, V>) -> WindowedStream<K, V> {
        WindowedStream::new(stream, Shape::Fixed(self.fixed()), self.fault())
    }
}

impl Windows for CumulatingWindows {
    type Stream<K: Data, V: Data> = WindowedStream<K, V>;

    fn over<K: Data, V: Data>(self, stream: Stream<K, V>) -> WindowedStream<K, V> {
        WindowedStream::new(stream, Shape::Fixed(self.fixed()), self.fault())
    }
}

impl Windows for SlidingWindows {
    type Stream<K: Data, V: Data> = WindowedStream<K, V>;

    fn over<K: Data, V: Data>(self, stream: Stream<K, V>) -> WindowedStream<K, V> {
        WindowedStream::new(stream, Shape::Sliding(self), self.fault())
    }
}

impl Windows for SessionWindows {
    type Stream<K: Data, V: Data> = SessionStream<K, V>;

    fn over<K: Data, V: Data>(self, stream: Stream<K, V>) -> SessionStream<K, V> {
        SessionStream::new(stream, self)
    }
}

impl Windows for CountWindows {
    type Stream<K: Data, V: Data> = CountedStream<K, V>;

    fn over<K: Data, V: Data>(self, stream: Stream<K, V>) -> CountedStream<K, V> {
        CountedStream::new(stream, self)
    }
}

/// Windows for whose values nothing but the records is needed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Fixed(FixedWindows),
    Sliding(SlidingWindows),
}

impl Shape {
    pub(super) const fn grace_ms(&self) -> i64 {
        match self {
            Self::Fixed(windows) => windows.grace_ms(),
            Self::Sliding(windows) => windows.grace_ms(),
        }
    }

    pub(super) fn kept(&self) -> KeptWindows {
        match *self {
            Self::Fixed(windows) => KeptWindows {
                layout: Layout::ByMark(windows),
                closes_after_ms: windows.grace_ms(),
                length_ms: windows.length_ms(),
            },
            Self::Sliding(windows) => KeptWindows {
                layout: Layout::ByKey,
                closes_after_ms: windows.grace_ms().saturating_add(1),
                length_ms: windows.difference_ms(),
            },
        }
    }
}

/// When there are results, and what becomes of records that come too late for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    when: When,
    pub(super) late: Late,
}

/// When there are results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum When {
    #[default]
    OnChange,
    OnClose,
    Every(Duration),
}

impl Results {
    pub(super) fn on_close(self) -> Self {
        Self { when: When::OnClose, ..self }
    }

    pub(super) fn every(self, period: Duration) -> Self {
        Self { when: When::Every(period), ..self }
    }

    pub(super) fn is_on_close(&self) -> bool {
        self.when == When::OnClose
    }

    /// The table as it is passed on: at a period, a table that holds the updates of this one back.
    pub(super) fn passed_on<K: Serde, A: Serde>(&self, table: Table<K, A>, store: &StoreSpec) -> Table<K, A> {
        match self.when {
            When::Every(period) => table.suppress(store.beside("every"), Suppressed::every(period)),
            When::OnChange | When::OnClose => table,
        }
    }

    pub(super) fn late_to(self, topic: Text) -> Self {
        Self { late: Late { topic: Some(topic) }, ..self }
    }

    pub(super) fn showing(&self, setting: &Setting) -> Showing {
        let emission = match (self.is_on_close(), setting.is_eager) {
            (true, _) => Emission::OnClose,
            (false, true) => Emission::EachChange,
            (false, false) => Emission::LastChange,
        };
        Showing { emission, sends_old: setting.sends_old }
    }

    /// Whether the value that a row had before must be looked up when a commit passes on the last change.
    pub(super) fn reads_old(&self, setting: &Setting) -> bool {
        setting.sends_old && self.showing(setting).emission == Emission::LastChange
    }
}
