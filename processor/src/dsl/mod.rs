//! Typed streams: programs that say what becomes of records, and become a [`Topology`](crate::Topology).
//!
//! - [`StreamBuilder`]: where a program begins, with the topics that it reads ([`Input`] says how).
//! - [`Stream`]: records, one by one; [`Split`] shares them out by name; [`StreamRecord`] is one with time and headers, and
//!   [`Output`] says how they go to a topic.
//! - [`Grouped`], [`WindowedStream`], [`SessionStream`] and [`CountedStream`]: records by key, and by window, session or
//!   count too.
//! - [`CoGrouped`]: several streams put together into one value for each key.
//! - [`join`]: streams and tables put together.
//! - [`Table`]: a value for each key, and the stream of its updates; [`GroupedTable`]: its values by another key.
//!
//! Each step is a node. It is named after the node in front of it and what it does (`words.filter`; a second filter
//! there `words.filter-2`), or as [`Stream::named`] says; nodes with a store are named like the store, which may also say
//! where it is kept ([`StoreSpec`](crate::StoreSpec)). Where records
//! are brought together by a key that has changed on the way, they go through a repartition topic, whose name comes
//! from that store's: `NAME-STORE-repartition`.
//!
//! What is put together has one type of keys, which says how they are written: streams whose keys are numbers of 32 and of 64
//! bits have different bytes for the same number, never meet, and cannot be joined.
//!
//! ```compile_fail,E0308
//! use mainstem_client::Text;
//! use mainstem_processor::StreamBuilder;
//!
//! let builder = StreamBuilder::new("orders-with-names");
//! let names = builder.table::<i64, Text>("names");
//! builder.stream::<i32, Text>("orders").join_table(&names, |_, order, _| order.clone()).to("out");
//! ```

mod builder;
mod cogrouped;
mod counted;
mod grouped;
mod input;
pub mod join;
mod output;
mod process;
mod records;
mod sessions;
mod split;
mod steps;
mod stream;
mod suppress;
mod table;
#[cfg(test)]
mod tests;
mod windowed;
mod windows;

pub(crate) use builder::Draft;
pub use builder::StreamBuilder;
pub use cogrouped::{CoGrouped, CoWindowed};
pub use counted::CountedStream;
pub use grouped::Grouped;
pub use input::Input;
pub use output::Output;
pub use process::Processed;
pub use records::StreamRecord;
pub use sessions::SessionStream;
pub use split::Split;
pub use stream::Stream;
pub use suppress::{SuppressBuffer, Suppressed};
pub use table::{GroupedTable, Table};
pub use windowed::WindowedStream;
pub use windows::Windows;

/// What streams are made of: anything that can be copied and moved to another thread.
pub trait Data: Clone + Send + 'static {}

impl<T: Clone + Send + 'static> Data for T {}
