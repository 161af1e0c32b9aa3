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
            Self::Pattern(pattern) => Some(pattern.source.clone()),
        }
    }
}

/// A regular expression that the whole name of a topic has to match.
#[derive(Clone, Debug)]
pub(in crate::consumer) struct Pattern {
    source: Text,
    regex: Regex,
}

impl Pattern {
    /// In a KIP-848 group the pattern is the broker's to judge.
    pub(in crate::consumer) fn new(source: Text, protocol: GroupProtocol) -> Result<Self, GroupError> {
        let ours = match protocol {
            GroupProtocol::Classic => format!("^(?:{source})$"),
            GroupProtocol::Consumer => String::new(),
        };
        match Regex::new(&ours) {
            Ok(regex) => Ok(Self { source, regex }),
            Err(error) => Err(GroupError::Pattern { pattern: source, reason: error.to_string() }),
        }
    }

    /// The topics that match, in order; the brokers' own are not for readers (`exclude.internal.topics`).
    pub(super) fn matching(&self, metadata: &Metadata) -> Vec<Text> {
        let topics = metadata.topics().filter(|topic| !topic.is_internal && self.regex.is_match(&topic.name));
        let mut names: Vec<_> = topics.map(|topic| topic.name.clone()).collect();
        names.sort();
        names
    }
}
