//! What to say when records cannot be read.

use mainstem_client::consumer::{CommitError, ConsumeError, GroupError};

use crate::cli::Error;

/// A partition was asked for that the topic does not have; `produce` says it in the same words.
pub(in crate::cli) fn no_such_partition(topic: &str, count: usize, missing: i32) -> Error {
    let partitions = if count == 1 { "partition" } else { "partitions" };
    Error::new(format_args!("{topic}-{missing} does not exist: the topic has {count} {partitions}"))
        .advise(format!("`mainstem topic describe {topic}` shows them"))
}

impl From<ConsumeError> for Error {
    fn from(error: ConsumeError) -> Self {
        let advice = match &error {
            ConsumeError::Damaged { .. } => {
                Some("go on behind it with --from OFFSET; `mainstem verify DIR` names every bad place")
            }
            ConsumeError::Group(_) => Some("try again: the group may have been changing"),
            _ => None,
        };
        let error = Self::new(error);
        match advice {
            Some(advice) => error.advise(advice),
            None => error,
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        Self::new(error).advise("what was printed last will be printed again for this group")
    }
}

impl From<GroupError> for Error {
    fn from(error: GroupError) -> Self {
        ConsumeError::Group(error).into()
    }
}
