//! What clients did and saw, as they know it themselves: nothing here comes from the broker's own books.

/// A partition of one of the topics that a history is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition(pub(crate) i32);

/// What a record says. No two records are sent with the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Value(pub(crate) u64);

/// The number of an operation in its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OperationId(pub(crate) usize);

/// A client that does one thing after another. One that sends without waiting has several operations at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Process(pub(crate) u32);

/// A moment: a count that rises with all that happens. Of two events of one history the one with the smaller moment was
/// over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(pub(crate) u64);

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It took place: it was acknowledged, or committed.
    Done,
    /// It did not: it was refused, or aborted.
    Failed,
    /// Nobody knows.
    Unknown,
}

/// Something a client did, or a transaction with all that was done in it.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) process: Process,
    pub(crate) begun: Moment,
    /// When the end of a transaction was asked for; before that nobody may read what was written in it.
    pub(crate) deciding: Option<Moment>,
    /// When its fate was known; none where it never was.
    pub(crate) ended: Option<Moment>,
    pub(crate) fate: Fate,
    pub(crate) steps: Vec<Step>,
}

/// A part of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record was sent; its offset is there once the broker has told it.
    Send { partition: Partition, value: Value, offset: Option<i64> },
    /// Of what somebody has read, another record was made; it is sent in the same operation.
    Made { from: Value, value: Value },
    /// A consumer goes on elsewhere than where it was: what it polls next follows nothing.
    Seek { partition: Partition },
    /// Records came, of what is committed.
    Poll { partition: Partition, records: Vec<(i64, Value)> },
    /// The group's offset was stored.
    Commit { partition: Partition, offset: i64 },
    /// The group's offset was asked for.
    Committed { partition: Partition, offset: Option<i64> },
}

/// All that happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// In the order in which they began.
    pub(crate) operations: Vec<Operation>,
    /// Who has read everything from the first record to the end, after everything else had ended.
    pub(crate) last_reader: Option<Process>,
}

impl History {
    pub(crate) fn operations(&self) -> impl Iterator<Item = (OperationId, &Operation)> {
        self.operations.iter().enumerate().map(|(id, operation)| (OperationId(id), operation))
    }

    /// How much has happened.
    pub(crate) fn summary(&self) -> String {
        let transactions = |fate| {
            let ended = self.operations.iter().filter(|operation| operation.fate == fate);
            ended.filter(|operation| operation.is_transaction()).count()
        };
        let [done, failed, unknown] = [Fate::Done, Fate::Failed, Fate::Unknown].map(transactions);
        let count = self.operations.len();
        format!(
            "{count} operations; transactions: {done} committed, {failed} aborted, {unknown} neither for sure"
        )
    }

    pub(crate) fn operation(&self, id: OperationId) -> &Operation {
        &self.operations[id.0]
    }

    /// Every step with its operation.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (OperationId, &Operation, &Step)> {
        self.operations()
            .flat_map(|(id, operation)| operation.steps.iter().map(move |step| (id, operation, step)))
    }

    /// Every record that somebody has read: who, and where it was.
    pub(crate) fn polled(&self) -> impl Iterator<Item = (OperationId, Partition, i64, Value)> {
        self.steps().flat_map(|(id, _, step)| match step {
            Step::Poll { partition, records } => {
                records.iter().map(|(offset, value)| (id, *partition, *offset, *value)).collect()
            }
            _ => Vec::new(),
        })
    }
}

impl Operation {
    /// What was sent in it.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (Partition, Value, Option<i64>)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Send { partition, value, offset } => Some((*partition, *value, *offset)),
            _ => None,
        })
    }

    pub(crate) fn is_transaction(&self) -> bool {
        self.deciding.is_some()
    }

    /// Whether it was over before another one began.
    pub(crate) fn precedes(&self, other: &Self) -> bool {
        self.ended.is_some_and(|ended| ended < other.begun)
    }
}
