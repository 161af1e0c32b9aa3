//! What a member wants to read: topics by name, or those whose names match a pattern.

use mainstem_protocol::Text;
use regex::Regex;

use super::super::{GroupError, GroupProtocol};
use crate::cluster::Metadata;

#[derive(Clone, Debug)]
pub(in crate::consumer) enum Interest {
    Topics(Vec<Text>),
    Pattern(Pattern),
}

impl Interest {
    /// The pattern, as it was given.
    pub(super) fn pattern(&self) -> Option<Text> {
        match self {
            Self::Topics(_) => None,
            Self::Pattern(pattern) => Some(pattern.source().clone()),
        }
    }
}

/// A regular expression that the whole name of a topic has to match.
#[derive(Clone, Debug)]
pub(in crate::consumer) enum Pattern {
    /// The members of a classic group look for the topics themselves.
    Members { source: Text, regex: Regex },
    /// In a KIP-848 group the pattern is the broker's to judge.
    Brokers { source: Text },
}

impl Pattern {
    pub(in crate::consumer) fn new(source: Text, protocol: GroupProtocol) -> Result<Self, GroupError> {
        match protocol {
            GroupProtocol::Consumer => Ok(Self::Brokers { source }),
            GroupProtocol::Classic => match Regex::new(&format!("^(?:{source})$")) {
                Ok(regex) => Ok(Self::Members { source, regex }),
                Err(error) => Err(GroupError::Pattern { pattern: source, reason: error.to_string() }),
            },
        }
    }

    fn source(&self) -> &Text {
        match self {
            Self::Members { source, .. } | Self::Brokers { source } => source,
        }
    }

    /// The topics that match, in order; the brokers' own are not for readers (`exclude.internal.topics`). None where the
    /// broker looks for them.
    pub(super) fn matching(&self, metadata: &Metadata) -> Vec<Text> {
        let Self::Members { regex, .. } = self else { return Vec::new() };
        let topics = metadata.topics().filter(|topic| !topic.is_internal && regex.is_match(&topic.name));
        let mut names: Vec<_> = topics.map(|topic| topic.name.clone()).collect();
        names.sort();
        names
    }
}
