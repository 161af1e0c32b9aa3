//! Stateful stream processing over any Kafka cluster, batch at a time.
//!
//! # Layout
//!
//! - [`StreamBuilder`] ([`dsl`]): typed streams, tables and joins: what most programs are written in.
//! - [`serdes`]: how keys and values become bytes.
//! - [`Topology`] ([`topology`]): named nodes, which is what programs become; [`TopologyBuilder`] puts one together by
//!   hand.
//! - [`Processor`]: the low-level interface: it gets batches, a [`Context`], and the news that time has passed.
//! - [`TestDriver`] ([`testing`]): runs a topology within a test.
//! - [`runtime`]: tasks, which share a few threads: restore, poll, process, commit. [`Settings`] say how;
//!   [`ProcessorSpec`] is the short form of a topology of one processor.
//! - [`window`]: windows, and when they close; `watermark`: how far time has come; `wall_clock`: timers that go by a clock.
//! - [`state`]: stores in memory or on disk, behind an overlay, with their changelogs; a [`StateDirectory`] is where those on
//!   disk live.
//! - `graph` and `work`: the nodes of a task at work, without any way in or out.
//! - [`Meter`]: where the runtime reports what goes through it.
//! - [`caps`]: every limit on what is held or started.
//!
//! **Architecture invariant:** only `client` is known here, so a processor runs against any Kafka cluster, and beside
//! the log of a broker in the same process by the transport alone.
//!
//! # Guarantees
//!
//! At least once. A commit writes the outputs first, then the changes of state together with the positions in the
//! inputs, then the group's offsets. A restart takes up state and positions of one commit, so state counts each
//! record once as long as the changes of one commit fit into one batch, which has those of one store; where they take
//! several, positions are stored behind all of them, and what a crash in between leaves is counted again. Outputs may
//! be written twice. The group's offsets tell others how far the processor has come; it is the changelog that says
//! where to go on.
//!
//! What goes through a repartition topic is such an output: records that a task had written there and not committed
//! when it was killed are written again after its restart, and counted again behind the topic.
//!
//! Repartition topics keep what has been read, for records of any age may pass through them, and changelogs are never
//! deleted from, but compacted by brokers that do so: where nobody else removes anything, both grow with the input.
//! What a repartition topic holds in front of its committed offsets can be deleted.
//!
//! A store on disk takes the changes of a commit over when its changelog has them, in one batch with the offset up to which
//! that is so. It is never ahead of its changelog, a start reads only what lies behind, and what is on disk can be deleted
//! at any time: the changelog is the state, the disk a copy that need not be read over a network.
//!
//! Tasks take their partitions as they are, without membership of a group: one instance of a processor runs at a time.
//!
//! # Time
//!
//! Each record has a time, and each task a watermark: the time that its inputs have reached, which is that of the one
//! furthest behind. The inputs of a task are merged in the order of their records' times ([`Settings::max_task_idle`]),
//! and the watermark stays as far behind an input as its records may be out of order ([`Input::disorder_max`]). Windows close when the watermark says so, and what comes later is dropped and counted. Behind a
//! repartition topic the watermark is what the tasks in front of it have said theirs is, so that it does not matter in
//! which order their records lie there. They say so with each commit, and in front of a record that is behind their
//! watermark: which records are late does not depend on when commits are made. A partition in which nothing happens for a while is not waited for
//! ([`Settings::idle_after`]); what it brings later may be late. No other clock is asked, but where a program wants it
//! ([`Input::processing_time`], [`Settings::clock_when_idle`]).

#[cfg(test)]
#[path = "../../tests/support/allocations.rs"]
mod allocations;
pub mod caps;
mod context;
pub mod dsl;
mod graph;
mod merge;
mod meter;
mod processor;
mod record;
pub mod runtime;
pub mod serdes;
mod spec;
pub mod state;
pub mod testing;
pub mod topology;
mod wall_clock;
mod watermark;
pub mod window;
mod work;

pub use context::{Context, NoStore, UnknownName};
pub use dsl::{
    CoGrouped, CoWindowed, CountedStream, Data, Grouped, GroupedTable, Input, Output, Processed,
    SessionStream, Split, Stream, StreamBuilder, StreamRecord, SuppressBuffer, Suppressed, Table,
    WindowedStream, Windows,
};
pub use graph::{MalformedRecord, NodeError, source::BadRecords, times::BadTimes};
pub use meter::{
    Buffered, Counters, HeldInput, Meter, Meters, NoMeter, NodeCounts, StoreSize, TaskId, TaskReport,
};
pub use processor::{ProcessResult, Processor};
pub use record::{InputBatch, InputRecord, OutputRecord};
pub use runtime::{Handle, StartError, TaskState};
pub use serdes::{Json, Serde, SerdeError, Windowed};
pub use spec::{InputEnd, OnFailure, ProcessorSpec, Settings};
pub use state::{DirectoryError, FormError, Kept, StateDirectory, StoreFault, StoreSpec};
pub use testing::{TestDriver, TestError, TestRecord};
pub use topology::{PlanError, SourceSpec, Topology, TopologyBuilder, TopologyError};
pub use wall_clock::TooManyTimers;
pub use window::{
    CountWindows, CumulatingWindows, JoinWindows, SessionWindows, SlidingWindows, TimeWindows,
    TumblingWindows, Window,
};
