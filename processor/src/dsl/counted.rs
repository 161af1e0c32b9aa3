//! Records by key and count.

use std::{fmt, sync::Arc};

use mainstem_client::Text;

use super::{
    Data, Stream,
    grouped::{add_node, aggregated, reduced},
};
use crate::{
    CountWindows, StoreSpec, TopologyError,
    graph::{
        aggregate::Change,
        cells::Cells,
        counted::{Filling, Keeping},
        operator::{Operator, node},
    },
    serdes::Serde,
    state::Form,
    topology::Make,
};

/// Records that are brought together by their keys, so many at a time ([`CountWindows`]).
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{CountWindows, StreamBuilder, TestDriver};
///
/// let builder = StreamBuilder::new("averages");
/// let three = builder.stream::<Text, i64>("numbers").group_by_key().windowed_by(CountWindows::sliding(3, 1));
/// three.reduce("last-three", |sum, number| sum + number).map_values(|sum| sum / 3).to("averages");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// for number in [3_i64, 6, 9, 12] {
///     driver.pipe("numbers", "a", number, 0)?;
/// }
/// let averages = driver.read::<String, i64>("averages")?;
/// let averages: Vec<_> = averages.iter().map(|average| average.value).collect();
/// assert_eq!(averages, [1, 3, 6, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CountedStream<K, V> {
    stream: Stream<K, V>,
    windows: CountWindows,
}

impl<K, V> fmt::Debug for CountedStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, windows } = self;
        f.debug_struct("CountedStream").field("stream", stream).field("windows", windows).finish()
    }
}

impl<K: Data, V: Data> CountedStream<K, V> {
    pub(super) const fn new(stream: Stream<K, V>, windows: CountWindows) -> Self {
        Self { stream, windows }
    }
}

impl<K: Serde, V: Serde> CountedStream<K, V> {
    /// Puts the values of each window together, two by two; the first one stands as it is. A result bears the largest
    /// time of the records in it.
    pub fn reduce(
        &self,
        store: impl Into<StoreSpec>,
        reduce: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> Stream<K, V> {
        self.change(store.into(), reduced(reduce))
    }

    /// Adds the records of each window to something that begins as `init` says.
    pub fn aggregate<A: Serde>(
        &self,
        store: impl Into<StoreSpec>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, V, A) -> A + Send + Sync + 'static,
    ) -> Stream<K, A> {
        self.change(store.into(), aggregated(init, add))
    }

    fn change<A: Serde>(&self, store: StoreSpec, change: Change<K, V, A>) -> Stream<K, A> {
        let Self { stream, windows } = self;
        if let Some(fault) = windows.fault() {
            stream.draft().lock().refuse(TopologyError::BadWindows { node: store.name.clone(), fault });
        }
        let (windows, name) = (*windows, store.name.clone());
        let make: Make = Arc::new(move |_| operator(windows, name.clone(), Arc::clone(&change)));
        let (size, slide) = (windows.size(), windows.slide());
        let values = if windows.is_tumbling() { A::format() } else { V::format() };
        let windows = format!("{size} by {slide}").into();
        let form = Form { windows, values: values.into(), ..Form::new::<K, A>("count window") };
        add_node(stream, store, make, |node| node, |_| form)
    }
}

fn operator<K: Serde, V: Serde, A: Serde>(
    windows: CountWindows,
    store: Text,
    change: Change<K, V, A>,
) -> Box<dyn Operator> {
    if windows.is_tumbling() {
        node(Filling::new(windows.size(), change, Cells::new(store)))
    } else {
        node(Keeping::<K, V, A>::new((windows.size(), windows.slide()), change, Cells::new(store)))
    }
}
