//! How many values the labels that users invent may have.

/// Topics with counters of their own.
pub const TOPICS_MAX: usize = 1000;

/// Lags that one scrape shows, each of a group, a topic and a partition.
pub const GROUP_LAGS_MAX: usize = 10_000;

/// Groups whose members one scrape shows.
pub const GROUPS_MAX: usize = 1000;

/// Processors with counters of their own.
pub const PROCESSORS_MAX: usize = 1000;

/// Tasks with series of their own, of all processors together; those above are in the sums of their processors alone.
pub const TASKS_MAX: usize = 2000;

/// Stores of a task with series of their own.
pub const TASK_STORES_MAX: usize = 32;

/// Nodes of a processor with counters of their own.
pub const NODES_MAX: usize = 200;
