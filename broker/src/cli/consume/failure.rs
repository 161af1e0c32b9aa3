//! What to say when records cannot be read.

use mainstem_client::consumer::{CommitError, ConsumeError, GroupError};

use crate::cli::Error;

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
