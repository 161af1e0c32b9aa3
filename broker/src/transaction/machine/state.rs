//! Where a transaction is, and how it ends, with Kafka's names and numbers (`TransactionState`).

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum State {
    /// Its producer has not begun one yet.
    Empty,
    /// Partitions have been added.
    Ongoing,
    /// It is decided, and markers are being written. This broker writes them with the decision, so that nobody ever sees
    /// this state here; another broker may have left it in the log.
    PrepareCommit,
    /// As [`Self::PrepareCommit`], of one that is aborted.
    PrepareAbort,
    /// It is committed, with all its markers.
    CompleteCommit,
    /// It is aborted, with all its markers.
    CompleteAbort,
    /// Its transactional id is about to be forgotten; Kafka has it in memory alone.
    Dead,
    /// Its producer is about to be fenced; Kafka has it in memory alone.
    PrepareEpochFence,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Outcome {
    Commit,
    Abort,
}

impl State {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 8] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    /// Its number in `__transaction_state`.
    pub(crate) const fn id(self) -> i8 {
        self as i8
    }

    /// The state of a number.
    pub(crate) fn of_id(id: i8) -> Option<Self> {
        Self::ALL.get(usize::try_from(id).ok()?).copied()
    }

    /// The state of a name; exactly, as in Kafka.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// What people and tools call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// How the transaction ends, where that is decided and its markers are missing.
    pub(super) const fn prepared(self) -> Option<Outcome> {
        match self {
            Self::PrepareCommit => Some(Outcome::Commit),
            Self::PrepareAbort => Some(Outcome::Abort),
            _ => None,
        }
    }

    /// Whether nothing is open, so that the id may be forgotten (Kafka: `isExpirationAllowed`).
    pub(super) const fn is_quiet(self) -> bool {
        matches!(self, Self::Empty | Self::CompleteCommit | Self::CompleteAbort)
    }
}

impl Outcome {
    /// As EndTxn says it.
    pub(crate) const fn of(committed: bool) -> Self {
        if committed { Self::Commit } else { Self::Abort }
    }

    /// Whether it is a commit.
    pub(crate) const fn is_commit(self) -> bool {
        matches!(self, Self::Commit)
    }

    /// The state of a transaction that has ended so.
    pub(super) const fn complete(self) -> State {
        match self {
            Self::Commit => State::CompleteCommit,
            Self::Abort => State::CompleteAbort,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back_to_their_state() {
        for state in State::ALL {
            assert_eq!(State::of_id(state.id()), Some(state));
            assert_eq!(State::of_name(state.name()), Some(state));
        }
        assert_eq!((State::of_id(8), State::of_id(-1), State::of_name("ongoing")), (None, None, None));
    }
}
