//! Streams whose records meet within a span of time.

use std::sync::Arc;

use mainstem_client::Text;

use super::placed;
use crate::{
    Data, JoinWindows, StoreSpec, Stream,
    graph::join::{
        self, Joiner,
        kept::Keeping,
        streams::{Alone, Streams},
    },
    serdes::Serde,
    state::Form,
    topology::{Kind, Make, Node, Parent},
};

impl<K: Serde, V: Serde> Stream<K, V> {
    /// Puts each record together with all of its key in the other stream that happened close enough to it. Both streams
    /// are kept for as long in the store `store`, which is the name of the node too.
    ///
    /// Results bear the later of the two times, and the headers of the record that came last. Records without a key or
    /// value have none and are counted; so are those that come later than the grace allows. A stream may be joined with
    /// itself: each record is put together with itself once, and with each other one twice.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_client::Text;
    /// use mainstem_processor::{JoinWindows, StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("clicked");
    /// let shown = builder.stream::<Text, Text>("shown");
    /// let clicks = builder.stream::<Text, Text>("clicks");
    /// let windows = JoinWindows::within(Duration::ZERO).after(Duration::from_secs(600));
    /// shown.join(&clicks, windows, "clicked", |_, shown, click| format!("{shown}: {click}")).to("clicked");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("shown", "anna", "shoes", 0)?;
    /// driver.pipe("clicks", "anna", "yes", 600_000)?;
    /// driver.pipe("clicks", "anna", "again", 600_001)?;
    /// let clicked = driver.read::<String, String>("clicked")?;
    /// assert_eq!((clicked.len(), &*clicked[0].value, clicked[0].timestamp.0), (1, "shoes: yes", 600_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn join<T: Serde, O: Data>(
        &self,
        other: &Stream<K, T>,
        windows: JoinWindows,
        store: impl Into<StoreSpec>,
        join: impl Fn(&K, &V, &T) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.meet(other, windows, store.into(), join::inner(join), Alone { left: false, right: false })
    }

    /// As [`Self::join`], with a result of its own for each record of this stream that has no partner. It comes when
    /// none can come any more that is not late: once the watermark has passed the window and the grace. It bears the
    /// record's time. A record without a key has no partner for certain, and its result comes at once.
    ///
    /// The watermark is that of the input which is furthest behind: where one of the two has nothing new, results wait
    /// until it is idle.
    #[must_use]
    pub fn left_join<T: Serde, O: Data>(
        &self,
        other: &Stream<K, T>,
        windows: JoinWindows,
        store: impl Into<StoreSpec>,
        join: impl Fn(&K, &V, Option<&T>) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.meet(other, windows, store.into(), join::left(join), Alone { left: true, right: false })
    }

    /// As [`Self::left_join`], of both sides.
    #[must_use]
    pub fn outer_join<T: Serde, O: Data>(
        &self,
        other: &Stream<K, T>,
        windows: JoinWindows,
        store: impl Into<StoreSpec>,
        join: impl Fn(&K, Option<&V>, Option<&T>) -> O + Send + Sync + 'static,
    ) -> Stream<K, O> {
        self.meet(other, windows, store.into(), join::outer(join), Alone { left: true, right: true })
    }

    fn meet<T: Serde, O: Data>(
        &self,
        other: &Stream<K, T>,
        windows: JoinWindows,
        spec: StoreSpec,
        join: Joiner<K, V, T, O>,
        alone: Alone,
    ) -> Stream<K, O> {
        let store = spec.name.clone();
        let left = placed(self, &Text::from(format!("{store}-left")));
        let right = placed(other, &Text::from(format!("{store}-right")));
        let name = store.clone();
        let make: Make = Arc::new(move |_| {
            let keeping = Keeping::new(name.clone(), windows.kept_ms());
            join::node(Streams::new(Arc::clone(&join), windows, alone, keeping))
        });
        let parents = vec![left.node().clone(), right.node().clone()];
        let node = Node::new(store.clone(), Kind::Processor, parents, make);
        let (stores, delay_ms) = (vec![store.clone()], windows.delay_ms());
        let values = format!("{} and {}", V::format(), T::format()).into();
        let mut draft = self.draft().lock();
        draft.add_store(spec.holding(Form { values, ..Form::new::<K, V>("join") }));
        draft.add(Node { stores, delay_ms, is_timed: true, ..node });
        drop(draft);
        Stream::new(self.draft().clone(), Parent::only(store), false)
    }
}
