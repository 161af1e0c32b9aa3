//! What to say when records cannot be read.

use mainstem_client::ErrorCode;
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
            ConsumeError::Group(error) => group_advice(error),
            _ => None,
        };
        let error = Self::new(error);
        match advice {
            Some(advice) => error.advise(advice),
            None => error,
        }
    }
}

/// What to do about a group that does not have the member.
const fn group_advice(error: &GroupError) -> Option<&'static str> {
    let code = match error {
        GroupError::Refused { code, .. } => *code,
        GroupError::Fenced { .. } => ErrorCode::FENCED_INSTANCE_ID,
        GroupError::NoGroup | GroupError::NoSuchProtocol { .. } | GroupError::Pattern { .. } => return None,
        _ => return Some("try again: the group may have been changing"),
    };
    Some(match code {
        ErrorCode::UNSUPPORTED_ASSIGNOR => "choose another --assignor, or leave it to the broker",
        ErrorCode::INCONSISTENT_GROUP_PROTOCOL => {
            "the other members go by another --assignor or --group-protocol: choose theirs, or another --group"
        }
        ErrorCode::GROUP_ID_NOT_FOUND => {
            "its members have another protocol: join without --group-protocol, or choose another --group"
        }
        ErrorCode::UNRELEASED_INSTANCE_ID | ErrorCode::FENCED_INSTANCE_ID => {
            "give each member an --instance-id of its own, or end the other one first"
        }
        _ => "try again: the group may have been changing",
    })
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
