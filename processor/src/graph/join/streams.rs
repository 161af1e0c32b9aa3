//! Two streams, whose records meet within a span of time.
//!
//! A record is late when it is older than the watermark by more than the grace: it is dropped and counted. One without
//! a partner is given up when none can come any more that is not late, and not before: what has had a result without a
//! partner never gets one with a partner. Both happen between two records, so that neither depends on how input is cut.

use mainstem_client::{Headers, Timestamp};

use super::{
    Joiner, Pair, Side, in_order, is_missing,
    kept::{self, GivenUp, Keeping, Kept, Of},
};
use crate::{
    Data, JoinWindows,
    graph::{LAST, NodeError, behind, cx::Cx},
    record::Item,
    serdes::Serde,
    watermark::{BEGINNING, END},
};

/// Of which sides records without a partner have results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alone {
    pub(crate) left: bool,
    pub(crate) right: bool,
}

/// A node that puts each record together with all of its key on the other side that happened close enough to it.
/// Results bear the later of the two times, and the headers of the record that came last.
pub(crate) struct Streams<K, L, R, O> {
    join: Joiner<K, L, R, O>,
    windows: JoinWindows,
    alone: Alone,
    keeping: Keeping,
    /// When the first record that waits is given up.
    next_due: Timestamp,
    /// Up to where all are given up already that would have been by then.
    closed_to: Timestamp,
}

type Results<K, O> = Vec<Item<K, O>>;

impl<K: Serde, L: Serde, R: Serde, O: Data> Streams<K, L, R, O> {
    pub(crate) const fn new(
        join: Joiner<K, L, R, O>,
        windows: JoinWindows,
        alone: Alone,
        keeping: Keeping,
    ) -> Self {
        // What the store holds is not known yet: the first record looks.
        Self { join, windows, alone, keeping, next_due: BEGINNING, closed_to: BEGINNING }
    }

    const fn has_results_alone(&self, of: Of) -> bool {
        match of {
            Of::Left => self.alone.left,
            Of::Right => self.alone.right,
        }
    }

    fn on_left(
        &mut self,
        item: Item<K, L>,
        out: &mut Results<K, O>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let join = self.join.clone();
        self.take(Of::Left, item, |key, left, right: Option<&R>| join(key, Some(left), right), out, cx)
    }

    fn on_right(
        &mut self,
        item: Item<K, R>,
        out: &mut Results<K, O>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let join = self.join.clone();
        self.take(Of::Right, item, |key, right, left: Option<&L>| join(key, left, Some(right)), out, cx)
    }

    fn take<V: Serde, T: Serde>(
        &mut self,
        of: Of,
        item: Item<K, V>,
        join: impl Fn(&K, &V, Option<&T>) -> Option<O>,
        out: &mut Results<K, O>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let watermark = behind(item.watermark, cx.delay_ms);
        self.close(watermark, item.order, out, cx)?;
        let bytes = cx.key(&item.key)?;
        let Some(bytes) = bytes.filter(|_| !is_missing(&item.value)) else {
            self.without_key_or_value(of, item, join, out, cx);
            return Ok(());
        };
        if self.windows.is_late(item.time, watermark.max(self.closed_to)) {
            cx.counts.late += 1;
            return Ok(());
        }
        let partners = self.partners(of, &bytes, item.time, cx);
        for partner in &partners {
            let other = self.keeping.read(kept::value::<T>(&partner.value))?;
            let value = join(&item.key, &item.value, Some(&other));
            out.extend(value.map(|value| result(&item, value, item.time.max(partner.time))));
        }
        self.keep(of, &item, &bytes, partners.is_empty(), cx)
    }

    /// A record without a key has no partner, and need not wait to know it (KIP-962); one without a value is none.
    fn without_key_or_value<V: Serde, T>(
        &self,
        of: Of,
        item: Item<K, V>,
        join: impl Fn(&K, &V, Option<&T>) -> Option<O>,
        out: &mut Results<K, O>,
        cx: &mut Cx<'_>,
    ) {
        if is_missing(&item.value) {
            cx.counts.leave_out_valueless();
            return;
        }
        match self.has_results_alone(of).then(|| join(&item.key, &item.value, None)).flatten() {
            Some(value) => out.push(result(&item, value, item.time)),
            None => cx.counts.errors += 1,
        }
    }

    /// The partners of a record, none of which waits any more.
    fn partners(&mut self, of: Of, key: &[u8], time: Timestamp, cx: &mut Cx<'_>) -> Vec<Kept> {
        let other = of.other();
        let partners = self.keeping.partners(other, key, self.windows.partners_of(of, time), cx);
        if self.has_results_alone(other) {
            for partner in &partners {
                let due = self.windows.given_up_at(other, partner.time);
                self.keeping.matched(due, other, key, partner, cx);
            }
        }
        partners
    }

    fn keep<V: Serde>(
        &mut self,
        of: Of,
        item: &Item<K, V>,
        key: &[u8],
        is_alone: bool,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        let value = kept::written(&item.value, cx)?;
        let number = self.keeping.keep(of, key, item.time, &value, cx);
        if is_alone && self.has_results_alone(of) {
            let due = self.windows.given_up_at(of, item.time);
            self.keeping.wait(due, of, key, &Kept { time: item.time, number, value }, cx);
            self.next_due = self.next_due.min(due);
        }
        Ok(())
    }

    /// Gives up what waits in vain, and drops what nobody can ask for.
    fn close(
        &mut self,
        watermark: Timestamp,
        order: u64,
        out: &mut Results<K, O>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        if watermark >= self.next_due {
            self.closed_to = self.closed_to.max(self.keeping.closed_to(cx));
            let given_up = self.keeping.give_up(watermark, cx);
            let last = given_up.iter().map(|record| self.windows.given_up_at(record.of, record.time)).max();
            for record in given_up {
                out.extend(self.alone(&record, order, cx.delay_ms)?);
            }
            // Where it is the end of the input that gives up, time will not say so after a restart.
            if let (END, Some(last)) = (watermark, last) {
                self.keeping.close_to(last, cx);
                self.closed_to = self.closed_to.max(last);
            }
            self.next_due = self.keeping.first_due(cx).unwrap_or(END);
        }
        if watermark != END {
            self.keeping.drop_before(self.windows.needed_from(watermark), cx);
        }
        Ok(())
    }

    /// The result of a record that is given up bears its own time: it is seen at the watermark at which that is done.
    fn alone(&self, record: &GivenUp, order: u64, delay_ms: i64) -> Result<Option<Item<K, O>>, NodeError> {
        let GivenUp { of, key, time, value } = record;
        let key = self.keeping.read(K::decode(Some(key)))?;
        let value = match of {
            Of::Left => (self.join)(&key, Some(&self.keeping.read(kept::value(value))?), None),
            Of::Right => (self.join)(&key, None, Some(&self.keeping.read(kept::value(value))?)),
        };
        let due = self.windows.given_up_at(*of, *time);
        let watermark = Timestamp(due.0.saturating_add(delay_ms)).min(LAST);
        let time = *time;
        Ok(value.map(|value| Item { key, value, time, headers: Headers::default(), watermark, order }))
    }
}

fn result<K: Clone, V, O>(item: &Item<K, V>, value: O, time: Timestamp) -> Item<K, O> {
    let Item { key, headers, watermark, order, .. } = item;
    let (key, headers) = (key.clone(), headers.clone());
    Item { key, value, time, headers, watermark: *watermark, order: *order }
}

impl<K: Serde, L: Serde, R: Serde, O: Data> Pair for Streams<K, L, R, O> {
    type Left = Item<K, L>;
    type Right = Item<K, R>;
    type Out = Results<K, O>;

    fn run(
        &mut self,
        left: &mut Vec<Item<K, L>>,
        right: &mut Vec<Item<K, R>>,
        out: &mut Results<K, O>,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        in_order(left, right).try_for_each(|side| match side {
            Side::Left(item) => self.on_left(item, out, cx),
            Side::Right(item) => self.on_right(item, out, cx),
        })
    }

    fn watermark(&mut self, out: &mut Results<K, O>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        self.close(cx.watermark, *cx.order, out, cx)
    }
}
