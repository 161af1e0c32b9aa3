//! Beside the left table again: answers become results.

use super::{Answer, Fingerprint};
use crate::{
    graph::{
        NodeError,
        aggregate::{Passing, Updates, result},
        cells::{Cells, Seen},
        cx::Cx,
        join::Joiner,
        operator::Logic,
        table::{keep, update::Update, view::View},
    },
    record::Item,
    serdes::Serde,
};

/// A node that puts answers together with the left values that have asked, and keeps the results. They bear the later of
/// the two times.
pub(crate) struct Results<K, V, T, O> {
    join: Joiner<K, V, T, O>,
    left: View<K, V>,
    cells: Cells<O>,
    passing: Passing,
}

impl<K: Serde, V: Serde, T: Serde, O: Serde> Results<K, V, T, O> {
    pub(crate) const fn new(
        join: Joiner<K, V, T, O>,
        left: View<K, V>,
        cells: Cells<O>,
        passing: Passing,
    ) -> Self {
        Self { join, left, cells, passing }
    }

    fn take(
        &mut self,
        item: Item<K, Answer<T>>,
        out: &mut Updates<K, O>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let Some(bytes) = cx.key(&item.key)? else { return Ok(()) };
        let left = (self.left)(&item.key, &bytes, cx)?;
        let present = left.as_ref().map(|(value, _)| Fingerprint::of(value, cx)).transpose()?;
        let Item { key, value: Answer { to, value: right, .. }, time, headers, watermark, order } = item;
        if to != present {
            return Ok(());
        }
        let value = left.as_ref().and_then(|(left, _)| (self.join)(&key, Some(left), right.as_ref()));
        let is_gone = left.is_none();
        let time = left.map_or(time, |(_, left)| time.max(left));
        let item = Item { key, value, time, headers, watermark, order };
        // That a left value is gone is told also where it had no result here: a run that died may have given it one.
        let told = is_gone.then(|| (item.key.clone(), Seen::of(&item), out.len()));
        keep::put(&mut self.cells, self.passing, item, &bytes, out, cx)?;
        match told {
            Some((key, seen, before)) if self.passing.is_eager && out.len() == before => {
                out.push(result(key, Update { old: None, new: None }, seen));
            }
            Some(_) => self.cells.tell(&bytes),
            None => {}
        }
        Ok(())
    }
}

impl<K: Serde, V: Serde, T: Serde, O: Serde> Logic for Results<K, V, T, O> {
    type In = Item<K, Answer<T>>;
    type Out = Updates<K, O>;

    fn run(
        &mut self,
        input: &mut Vec<Self::In>,
        out: &mut Updates<K, O>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        input.drain(..).try_for_each(|item| self.take(item, out, cx))?;
        if self.passing.is_viewed { self.commit(out, cx) } else { Ok(()) }
    }

    fn commit(&mut self, out: &mut Updates<K, O>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.passing.write_back(&mut self.cells, out, cx)
    }
}
