//! Streams and tables that are put together by their keys.
//!
//! | left | right | a result | |
//! |---|---|---|---|
//! | stream | stream | for each two records that happened close enough to each other | [`Stream::join`](crate::Stream::join) |
//! | stream | table | for each record of the stream, with what the table holds then | [`Stream::join_table`](crate::Stream::join_table) |
//! | stream | versioned table | for each record of the stream, with what the table held at its time | [`Stream::join_as_of`](crate::Stream::join_as_of) |
//! | stream | versioned table | the same, once that is settled | [`Stream::join_as_of_with_grace`](crate::Stream::join_as_of_with_grace) |
//! | stream | global table | for each record of the stream, with what the table holds then for a key that it asks for | [`Stream::join_global`](crate::Stream::join_global) |
//! | table | table | for each key, and another one whenever either side changes | [`Table::join`](crate::Table::join) |
//! | table | table | the same, where the left value names the right key | [`Table::join_foreign`](crate::Table::join_foreign) |
//!
//! Keys meet where both topics have as many partitions; what has not is refused at the start, with the name of the
//! join. Streams whose key has changed on the way go through a repartition topic first, with as many partitions as the
//! other side has. By which rule topics are partitioned is looked at when a processor starts, in some of their keys
//! ([`Settings::checks_partitioners`](crate::Settings::checks_partitioners)): producers of librdkafka choose by CRC-32
//! unless told otherwise, and Java's, this one's and those of franz-go by murmur2.
//!
//! A key is what its bytes are: 5 as an integer of four bytes and 5 as one of eight are two keys, and so are 0.0 and
//! -0.0.

mod as_of;
mod foreign;
mod global;
mod stream_table;
mod streams;
mod tables;

use std::sync::Arc;

pub use as_of::VersionedTable;
pub use global::GlobalTable;

use mainstem_client::Text;

use super::{Data, Stream, Table};
use crate::{
    TopologyError,
    graph::{join::lookup::Lookup, repartition::Route, table::view::View},
    topology::{Kind, Make, Node, Parent},
};

/// A table that a join looks into.
struct LookedInto<K, V> {
    parent: Parent,
    view: View<K, V>,
    stores: Vec<Text>,
}

impl<K, V> LookedInto<K, V> {
    fn lookup(&self) -> Lookup<K, V> {
        Lookup::new(Arc::clone(&self.view))
    }
}

/// Looks into a table for a join, or has the topology refused: what nothing keeps cannot be looked into.
fn look_into<K: Data, V: Data>(table: &Table<K, V>, join: &Text) -> LookedInto<K, V> {
    let (parent, view) = (table.node().clone(), table.view());
    if view.is_none() {
        let fault = TopologyError::NotKept { node: join.clone(), table: parent.name.clone() };
        table.draft().lock().refuse(fault);
    }
    let (view, stores) = view.unwrap_or_else(|| (Arc::new(|_, _, _| Ok(None)), Vec::new()));
    LookedInto { parent, view, stores }
}

/// Adds a join, and returns where others take from it.
fn add(
    draft: &super::Draft,
    name: Text,
    parents: [Parent; 2],
    stores: Vec<Text>,
    make: Make,
    wants_old: bool,
) -> Parent {
    let node = Node::new(name.clone(), Kind::Processor, parents.into(), make);
    draft.lock().add(Node { stores, wants_old, looks_up: true, ..node });
    Parent::only(name)
}

/// A stream whose records are in the partitions of their keys. Those without a key come along: a join may have a result for
/// them.
fn placed<K: crate::Serde, V: crate::Serde>(stream: &Stream<K, V>, join: &Text) -> Stream<K, V> {
    if stream.is_rekeyed() {
        stream.repartition_by(join.clone(), Route::KeylessHere, None)
    } else {
        stream.clone()
    }
}
