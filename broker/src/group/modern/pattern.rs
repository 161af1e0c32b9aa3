//! Patterns of topics: compiled, and matched with all names.
//!
//! Either may take milliseconds, so that heartbeats have it done on a thread that may block before they look at the group
//! ([`Matched`]). A group that finds other topics by then, or other patterns, does the rest itself: a linear-time matcher
//! needs milliseconds for thousands of topics.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{ErrorCode, Text, TopicId};
use regex::{Regex, RegexBuilder};

use super::{Catalogue, Refusal, Resolved};
use crate::caps;

/// A pattern that is compiled once, since that takes far longer than a match; none when it comes from the log. What is
/// kept at hand makes no difference between equal things.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compiled(Option<Regex>);

impl PartialEq for Compiled {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Compiled {}

impl Compiled {
    /// The same, or compiled now; one that is no pattern matches nothing.
    pub(super) fn or_compile(self, pattern: &Text) -> Self {
        Self(self.0.or_else(|| compile(pattern).ok()))
    }
}

/// What was found out about patterns: the topics that each matches, or why it is none.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    version: u64,
    topics: BTreeMap<Text, Resolved>,
    refused: BTreeMap<Text, Refusal>,
}

impl Matched {
    /// Compiles what is not compiled yet, and matches it with the topics.
    pub(crate) fn new(patterns: Vec<(Text, Compiled)>, topics: &dyn Catalogue) -> Self {
        let mut refused = BTreeMap::new();
        let mut compiled = Vec::new();
        for (pattern, known) in patterns {
            match known.0.map_or_else(|| compile(&pattern), Ok) {
                Ok(regex) => compiled.push((pattern, Compiled(Some(regex)))),
                Err(refusal) => drop(refused.insert(pattern, refusal)),
            }
        }
        let found = matches(compiled, topics).into_iter().collect();
        Self { version: topics.version(), topics: found, refused }
    }

    pub(super) fn topics_of(&self, pattern: &Text, version: u64) -> Option<&Resolved> {
        self.topics.get(pattern).filter(|_| self.version == version)
    }

    /// Whether it is a pattern, where that was found out.
    fn check(&self, pattern: &Text) -> Option<Result<(), Refusal>> {
        let refused = self.refused.get(pattern).map(|refusal| Err(refusal.clone()));
        refused.or_else(|| self.topics.contains_key(pattern).then_some(Ok(())))
    }
}

/// Topics about which something was found out before.
pub(crate) struct Looked<'a> {
    pub(crate) topics: &'a dyn Catalogue,
    pub(crate) matched: &'a Matched,
}

impl Catalogue for Looked<'_> {
    fn version(&self) -> u64 {
        self.topics.version()
    }

    fn topic(&self, name: &str) -> Option<(TopicId, u32)> {
        self.topics.topic(name)
    }

    fn each_name(&self, found: &mut dyn FnMut(&str)) {
        self.topics.each_name(found);
    }

    fn matched(&self) -> Option<&Matched> {
        Some(self.matched)
    }
}

/// Whether this is a pattern.
///
/// # Errors
/// INVALID_REGULAR_EXPRESSION with the reason.
pub(super) fn check(pattern: &Text, topics: &dyn Catalogue) -> Result<(), Refusal> {
    let known = topics.matched().and_then(|matched| matched.check(pattern));
    known.unwrap_or_else(|| compile(pattern).map(drop))
}

/// Reads a pattern, which must match a whole name.
///
/// # Errors
/// INVALID_REGULAR_EXPRESSION with the reason.
fn compile(pattern: &Text) -> Result<Regex, Refusal> {
    // By itself first: what closes the group around it is no pattern.
    let compiled = build(pattern).and_then(|_| build(&format!(r"\A(?:{pattern})\z")));
    compiled.map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let message =
            format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {reason}.");
        Refusal::new(ErrorCode::INVALID_REGULAR_EXPRESSION, message)
    })
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(caps::TOPIC_PATTERN_BYTES_MAX)
        .dfa_size_limit(caps::TOPIC_PATTERN_BYTES_MAX)
        .build()
}

/// The topics of each pattern.
pub(super) fn matches(
    patterns: Vec<(Text, Compiled)>,
    topics: &dyn Catalogue,
) -> impl IntoIterator<Item = (Text, Resolved)> {
    let version = topics.version();
    let mut found = vec![BTreeSet::new(); patterns.len()];
    if !patterns.is_empty() {
        topics.each_name(&mut |name| {
            for ((_, compiled), found) in patterns.iter().zip(&mut found) {
                if compiled.0.as_ref().is_some_and(|compiled| compiled.is_match(name)) {
                    found.insert(Text::from(name));
                }
            }
        });
    }
    let resolved = patterns.into_iter().zip(found);
    resolved.map(move |((pattern, compiled), topics)| (pattern, Resolved { topics, version, compiled }))
}
