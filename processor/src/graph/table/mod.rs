//! Nodes of tables: what they pass on are updates, the old and the new value of a key.
//!
//! - [`update`]: what is passed on; [`moved`]: the same on its way through a repartition topic.
//! - `source` and [`keep`]: records become a table. [`group`]: its values by other keys.
//! - [`aside`]: what is kept for others to look into. [`global`]: tables that a process holds whole.
//! - [`view`]: how others look into a table.

pub(crate) mod aside;
pub(crate) mod global;
pub(crate) mod group;
pub(crate) mod keep;
pub(crate) mod moved;
pub(crate) mod source;
pub(crate) mod update;
pub(crate) mod view;
