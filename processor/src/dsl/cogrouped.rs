//! Several streams put together into one value for each key.

use std::{fmt, sync::Arc, time::Duration};

use super::{Data, Grouped, SessionStream, Stream, Table, WindowedStream, Windows};
use crate::{
    StoreSpec, Windowed,
    serdes::{Either, Serde},
};

type Add<K, V, A> = Arc<dyn Fn(&K, V, A) -> A + Send + Sync>;

/// Streams of several types, brought together by one key, whose records are all added to the same thing
/// (KIP-150). Each stream says how its records are added. Records are taken in the order in which the task has seen them.
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{StreamBuilder, TestDriver, serdes::Json};
///
/// // Balances: deposits come as numbers, and purchases with what was bought.
/// let builder = StreamBuilder::new("balances");
/// let deposits = builder.stream::<Text, i64>("deposits").group_by_key();
/// let purchases = builder.stream::<Text, Json<(String, i64)>>("purchases").group_by_key();
/// deposits
///     .cogroup(|_, cents, balance: i64| balance + cents)
///     .cogroup(purchases, |_, Json((_, cents)), balance| balance - cents)
///     .aggregate("balances", || 0)
///     .to("balances");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// driver.pipe("deposits", "anna", 1000_i64, 0)?;
/// driver.pipe("purchases", "anna", r#"["tea", 300]"#, 1)?;
/// assert_eq!(driver.read_table::<String, i64>("balances")?["anna"], 700);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CoGrouped<K, V, A> {
    stream: Stream<K, V>,
    add: Add<K, V, A>,
}

impl<K, V, A> fmt::Debug for CoGrouped<K, V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoGrouped").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl<K: Serde, V: Serde> Grouped<K, V> {
    /// Begins to put this stream together with others; `add` adds one of its records.
    #[must_use]
    pub fn cogroup<A: Data>(
        &self,
        add: impl Fn(&K, V, A) -> A + Send + Sync + 'static,
    ) -> CoGrouped<K, V, A> {
        CoGrouped { stream: self.in_place(), add: Arc::new(add) }
    }

    /// Where its key has changed, the stream goes through a repartition topic of its own first.
    fn in_place(&self) -> Stream<K, V> {
        let stream = self.stream();
        if !stream.is_rekeyed() {
            return stream.clone();
        }
        let name = stream.draft().free(&format!("{}-cogroup", stream.node().name));
        stream.repartition(name)
    }
}

impl<K: Serde, V: Serde, A: Serde> CoGrouped<K, V, A> {
    /// Another stream; `add` adds one of its records.
    #[must_use]
    pub fn cogroup<V2: Serde>(
        &self,
        other: Grouped<K, V2>,
        add: impl Fn(&K, V2, A) -> A + Send + Sync + 'static,
    ) -> CoGrouped<K, Either<V, V2>, A> {
        let (one, two) = (self.stream.map_values(Either::Left), other.in_place().map_values(Either::Right));
        let first = Arc::clone(&self.add);
        let add: Add<K, Either<V, V2>, A> = Arc::new(move |key, value, all| match value {
            Either::Left(value) => first(key, value, all),
            Either::Right(value) => add(key, value, all),
        });
        CoGrouped { stream: one.merge(&two), add }
    }

    /// Adds all records of a key to something that begins as `init` says, and keeps it in a store.
    pub fn aggregate(
        &self,
        store: impl Into<StoreSpec>,
        init: impl Fn() -> A + Send + Sync + 'static,
    ) -> Table<K, A> {
        let add = Arc::clone(&self.add);
        self.stream.group_by_key().aggregate(store, init, move |key, value, all| add(key, value, all))
    }

    /// Brings them together by window too.
    #[must_use]
    pub fn windowed_by<W: Windows>(&self, windows: W) -> CoWindowed<W::Stream<K, V>, K, V, A> {
        CoWindowed { stream: windows.over(self.stream.clone()), add: Arc::clone(&self.add) }
    }
}

/// Streams of several types, brought together by key and window ([`CoGrouped::windowed_by`]).
pub struct CoWindowed<S, K, V, A> {
    stream: S,
    add: Add<K, V, A>,
}

impl<S: fmt::Debug, K, V, A> fmt::Debug for CoWindowed<S, K, V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoWindowed").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// Says when there are results, as the streams do that are brought together.
macro_rules! has_results {
    ($stream:ident) => {
        impl<K: Serde, V: Serde, A: Serde> CoWindowed<$stream<K, V>, K, V, A> {
            #[doc = concat!("As [`", stringify!($stream), "::on_close`].")]
            #[must_use]
            pub fn on_close(self) -> Self {
                Self { stream: self.stream.on_close(), ..self }
            }

            #[doc = concat!("As [`", stringify!($stream), "::every`].")]
            #[must_use]
            pub fn every(self, period: Duration) -> Self {
                Self { stream: self.stream.every(period), ..self }
            }
        }
    };
}

has_results!(WindowedStream);
has_results!(SessionStream);

impl<K: Serde, V: Serde, A: Serde> CoWindowed<WindowedStream<K, V>, K, V, A> {
    /// As [`CoGrouped::aggregate`], for each window.
    pub fn aggregate(
        &self,
        store: impl Into<StoreSpec>,
        init: impl Fn() -> A + Send + Sync + 'static,
    ) -> Table<Windowed<K>, A> {
        let add = Arc::clone(&self.add);
        self.stream.aggregate(store, init, move |key, value, all| add(key, value, all))
    }
}

impl<K: Serde, V: Serde, A: Serde> CoWindowed<SessionStream<K, V>, K, V, A> {
    /// As [`SessionStream::aggregate`]: `merge` makes one of two sessions that become one.
    pub fn aggregate(
        &self,
        store: impl Into<StoreSpec>,
        init: impl Fn() -> A + Send + Sync + 'static,
        merge: impl Fn(&K, A, A) -> A + Send + Sync + 'static,
    ) -> Table<Windowed<K>, A> {
        let add = Arc::clone(&self.add);
        self.stream.aggregate(store, init, move |key, value, all| add(key, value, all), merge)
    }
}
