//! Nodes that put together what two parents give.
//!
//! - [`Pair`]: the logic of a node that tells its two parents apart; [`node`] makes one of it.
//! - [`Joiner`]: what becomes of two values, and where nothing does.
//! - `lookup`: the values of a table at hand. [`kept`]: the records of streams that wait for their partners.
//! - [`stream_table`], [`tables`], [`streams`]: joins of a stream and a table, of two tables, and of two streams. [`grace`]: a stream
//!   and what a table was ([`as_of`]), where records may wait ([`waiting`]). [`foreign`]: two tables, by a key that the values of one
//!   of them name. [`global`]: a stream and a table that every task has whole.

pub(crate) mod as_of;
pub(crate) mod foreign;
pub(crate) mod global;
pub(crate) mod grace;
pub(crate) mod kept;
pub(crate) mod lookup;
mod pair;
pub(crate) mod stream_table;
pub(crate) mod streams;
pub(crate) mod tables;
pub(crate) mod waiting;

use std::sync::Arc;

pub(crate) use kept::Of;
pub(crate) use pair::{Pair, Side, in_order, node};

use crate::serdes::Serde;

/// What becomes of a key with a value on the left and one on the right, either of which may be missing; none where
/// that is no result. It is this that makes a join inner, left or outer.
pub(crate) type Joiner<K, L, R, O> = Arc<dyn Fn(&K, Option<&L>, Option<&R>) -> Option<O> + Send + Sync>;

/// Results where both sides are there.
pub(crate) fn inner<K, L, R, O>(
    join: impl Fn(&K, &L, &R) -> O + Send + Sync + 'static,
) -> Joiner<K, L, R, O> {
    Arc::new(move |key, left, right| Some(join(key, left?, right?)))
}

/// Results where the left side is there.
pub(crate) fn left<K, L, R, O>(
    join: impl Fn(&K, &L, Option<&R>) -> O + Send + Sync + 'static,
) -> Joiner<K, L, R, O> {
    Arc::new(move |key, left, right| Some(join(key, left?, right)))
}

/// Results where either side is there.
pub(crate) fn outer<K, L, R, O>(
    join: impl Fn(&K, Option<&L>, Option<&R>) -> O + Send + Sync + 'static,
) -> Joiner<K, L, R, O> {
    Arc::new(move |key, left, right| (left.is_some() || right.is_some()).then(|| join(key, left, right)))
}

/// Whether a value says that there is none. That of a type that has but one says nothing at all, and so not that.
pub(crate) fn is_missing<V: Serde>(value: &V) -> bool {
    size_of::<V>() > 0 && value.is_null()
}
