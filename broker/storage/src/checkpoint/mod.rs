//! Everything that is folded from the journal, as of one LSN: with it and the journal behind it a node starts.

pub(crate) mod content;
mod files;

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstem_protocol::ProducerId;

#[cfg(test)]
pub(crate) use files::path;
pub(crate) use files::{FOLDER, Found, Reserve, find, lsn_of, read, write};

use crate::{
    config::{Overrides, Resources},
    ids::{Incarnation, Lsn},
    journal::Point,
    partition::KeyedState,
    state::{Aborted, PartitionState},
};

/// Last values by key.
pub(crate) type KeyedValues = BTreeMap<Bytes, Bytes>;

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) lsn: Lsn,
    pub(crate) incarnation: Incarnation,
    /// The first frame of the journal that is needed beside it.
    pub(crate) journal: Point,
    pub(crate) next_group: u64,
    /// Written when the node stopped in order: nothing follows in the journal.
    pub(crate) is_clean: bool,
    pub(crate) next_producer_id: ProducerId,
    pub(crate) topics: Vec<TopicSnapshot>,
    pub(crate) resources: Resources,
}

/// A topic in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicSnapshot {
    pub(crate) id: mainstem_protocol::TopicId,
    pub(crate) name: String,
    pub(crate) keyed: bool,
    pub(crate) overrides: Overrides,
    pub(crate) partitions: Vec<PartitionSnapshot>,
}

/// A partition in a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartitionSnapshot {
    pub(crate) state: PartitionState,
    pub(crate) keyed: KeyedState,
    pub(crate) aborted: Aborted,
}

impl Checkpoint {
    /// Before anything was written: nothing follows in the journal.
    pub(crate) fn empty(incarnation: Incarnation, journal: Point) -> Self {
        Self {
            lsn: Lsn::ZERO,
            incarnation,
            journal,
            next_group: 1,
            is_clean: true,
            next_producer_id: ProducerId(0),
            topics: Vec::new(),
            resources: Resources::new(),
        }
    }
}

#[cfg(test)]
mod tests;
