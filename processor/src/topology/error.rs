//! Why nodes make no topology.

use mainstem_client::Text;

use crate::SerdeError;

/// Why nodes make no topology. Each says which node it is about, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// Two nodes of one name.
    #[error("two nodes are named {node}; give one of them another name")]
    DuplicateNode {
        /// The name.
        node: Text,
    },
    /// Two stores of one name.
    #[error("two stores are named {store}; give one of them another name")]
    DuplicateStore {
        /// The name.
        store: Text,
    },
    /// A parent that is not there.
    #[error("node {node} takes from {parent}, which is not there; the nodes are {known}")]
    UnknownParent {
        /// The node.
        node: Text,
        /// What it names.
        parent: Text,
        /// The names that there are.
        known: String,
    },
    /// A node that nobody gives to.
    #[error("node {node} has no parent; name a source or a processor that gives to it")]
    NoParent {
        /// The node.
        node: Text,
    },
    /// A sink gives to topics alone.
    #[error("node {node} takes from {parent}, which is a sink; take from the node in front of it")]
    SinkAsParent {
        /// The node.
        node: Text,
        /// The sink.
        parent: Text,
    },
    /// Nodes that give to one another in a circle.
    #[error("node {node} is part of a cycle: {path}; write to a topic and read it again instead")]
    Cycle {
        /// One of them.
        node: Text,
        /// All of them, in order.
        path: String,
    },
    /// A store that is not there.
    #[error("node {node} uses the store {store}, which is not there; the stores are {known}")]
    UnknownStore {
        /// The node.
        node: Text,
        /// What it names.
        store: Text,
        /// The names that there are.
        known: String,
    },
    /// A store that no node uses.
    #[error("no node uses the store {store}; name it where a processor is added, or leave it out")]
    UnusedStore {
        /// The store.
        store: Text,
    },
    /// A topic that two sources read.
    #[error("source {node} reads topic {topic}, which source {other} reads already; take from {other} twice")]
    SourceTwice {
        /// The second source.
        node: Text,
        /// The first one.
        other: Text,
        /// The topic.
        topic: Text,
    },
    /// Nothing comes in.
    #[error("topology {topology} has no source; add one")]
    NoSource {
        /// Its name.
        topology: Text,
    },
    /// A repartition into no partitions.
    #[error("node {node} asks for {partitions} partitions; ask for one at least")]
    NoPartitions {
        /// The node that reads the repartition topic.
        node: Text,
        /// What it asks for.
        partitions: i32,
    },
    /// Repartitions that ask for different numbers of partitions, and whose keys meet in one store.
    #[error(
        "node {node} needs its topics co-partitioned, but {one} asks for {partitions} partitions and {other} for \
         {others}; let both ask for as many, or one of them for none: it then has as many as the other"
    )]
    OtherPartitions {
        /// The node where they meet.
        node: Text,
        /// The source of a repartition topic.
        one: Text,
        /// What it asks for.
        partitions: i32,
        /// Another one.
        other: Text,
        /// What that asks for.
        others: i32,
    },
    /// Sources whose keys meet in one store and are written in different formats.
    #[error(
        "node {node} needs its topics co-partitioned, but {keys}: \
         the same key has other bytes there, and lies in another partition; write both in one format"
    )]
    OtherKeys {
        /// The node where they meet.
        node: Text,
        /// Two sources, and in which formats their keys are.
        keys: String,
    },
    /// A source that is not there.
    #[error("the keys of {node} are said to be {keys}, and no source has that name; the sources are {known}")]
    UnknownSource {
        /// What was named.
        node: Text,
        /// The format of its keys.
        keys: Text,
        /// The names that there are.
        known: String,
    },
    /// A name that would be part of a topic's, and cannot.
    #[error(
        "{name:?} cannot name a {kind}: it becomes part of a topic's name, \
         which has letters, digits, '.', '_' and '-', at least one and at most 200 of them"
    )]
    BadName {
        /// Topology, store or node.
        kind: &'static str,
        /// The name.
        name: Text,
    },
    /// A table that nothing keeps.
    #[error(
        "node {node} looks into the table {table}, of which only open windows are kept; make a table of its stream \
         first: to_stream().to_table_with_removals(store)"
    )]
    NotKept {
        /// The node that looks.
        node: Text,
        /// The table's node.
        table: Text,
    },
    /// A processor that would look into what is no table.
    #[error(
        "node {node} uses the store {store}, which holds something else than a table ({kind}); look into the store of a table \
         of its results: to_stream().to_table_with_removals(store)"
    )]
    NotATable {
        /// The processor.
        node: Text,
        /// The store.
        store: Text,
        /// What is kept there.
        kind: Text,
    },
    /// Keys or values that nothing can read or write.
    #[error("node {node} cannot read or write its {part}: {fault}")]
    BadFormat {
        /// The node.
        node: Text,
        /// Keys or values.
        part: &'static str,
        /// What is wrong with their type.
        fault: SerdeError,
    },
    /// A global table whose bad records are to go to a topic.
    #[error(
        "node {node} reads a global table, which it does anew at each start, and would send its dead letters each time; \
         let it skip records that do not parse, or fail"
    )]
    GlobalDeadLetters {
        /// The node.
        node: Text,
    },
    /// Windows that cannot be.
    #[error("node {node} has {fault}")]
    BadWindows {
        /// The node.
        node: Text,
        /// What is wrong with them, and what would be right.
        fault: String,
    },
}
