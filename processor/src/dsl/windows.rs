//! What windows make of grouped records, and when there are results.

use mainstem_client::Text;

use super::{Data, SessionStream, Stream, WindowedStream};
use crate::{
    CumulatingWindows, SessionWindows, SlidingWindows, TimeWindows,
    graph::{late::Late, windowed::Emission},
    topology::{KeptWindows, Layout, Setting},
    window::FixedWindows,
};

/// Windows that [`super::Grouped::windowed_by`] takes: [`TimeWindows`], [`CumulatingWindows`], [`SlidingWindows`],
/// [`SessionWindows`].
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
    pub(super) is_on_close: bool,
    pub(super) late: Late,
}

impl Results {
    pub(super) fn on_close(self) -> Self {
        Self { is_on_close: true, ..self }
    }

    pub(super) fn late_to(self, topic: Text) -> Self {
        Self { late: Late { topic: Some(topic) }, ..self }
    }

    pub(super) const fn emission(&self, setting: &Setting) -> Emission {
        match (self.is_on_close, setting.is_eager) {
            (true, _) => Emission::OnClose,
            (false, true) => Emission::EachChange,
            (false, false) => Emission::LastChange,
        }
    }

    /// Whether the value that a row had before must be looked up when a commit passes on the last change.
    pub(super) fn reads_old(&self, setting: &Setting) -> bool {
        setting.sends_old && self.emission(setting) == Emission::LastChange
    }
}
