//! Nodes of tables: what they pass on are updates, the old and the new value of a key.

pub(crate) mod update;
