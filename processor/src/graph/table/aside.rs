//! Nodes that keep what a topic says of a table and give nothing to others, who look into what they keep.

use crate::{
    graph::{NodeError, cx::Cx, operator::Logic},
    record::Item,
    serdes::Serde,
};

/// How that is kept.
pub(crate) trait Keeper: Send + 'static {
    type Key: Serde;
    type Value: Serde;

    /// Keeps the value of a key from a time on; none where it is gone.
    fn keep(&self, item: Item<Self::Key, Option<Self::Value>>, cx: &mut Cx<'_>) -> Result<(), NodeError>;
}

/// Such a node. What has no key is left out.
pub(crate) struct Aside<T>(pub(crate) T);

impl<T: Keeper> Logic for Aside<T> {
    type In = Item<Option<T::Key>, Option<T::Value>>;
    type Out = Vec<Item<T::Key, ()>>;

    fn run(
        &mut self,
        input: &mut Vec<Self::In>,
        _: &mut Self::Out,
        cx: &mut Cx<'_>,
    ) -> Result<(), NodeError> {
        for item in input.drain(..) {
            match item.keyed() {
                Some(item) => self.0.keep(item, cx)?,
                None => cx.counts.errors += 1,
            }
        }
        Ok(())
    }
}
