//! Which topics members want, by name or by pattern (Kafka: `maybeUpdateRegularExpressions`, `computeMetadataHash`).
//!
//! Kafka matches patterns in the background, at most every ten seconds, and answers meanwhile as if they matched nothing.
//! Here the heartbeat that brings a pattern, or finds the topics changed, waits until that is done, see
//! [`pattern`](super::pattern).

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{Text, TopicId};

use super::{
    Group, Member, Record,
    assignor::PartitionCounts,
    pattern::{Compiled, Matched, matches},
};

/// The topics of one moment.
pub(crate) trait Catalogue {
    /// Another number for other topics.
    fn version(&self) -> u64;
    /// The identity of a topic, and how many partitions it has.
    fn topic(&self, name: &str) -> Option<(TopicId, u32)>;
    /// Calls `found` with every name.
    fn each_name(&self, found: &mut dyn FnMut(&str));
    /// What was found out about patterns before they were needed.
    fn matched(&self) -> Option<&Matched> {
        None
    }
}

/// The topics that a pattern matches, and as of which version of the topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) topics: BTreeSet<Text>,
    pub(crate) version: u64,
    pub(crate) compiled: Compiled,
}

/// The topics of each pattern.
pub(super) type Patterns = BTreeMap<Text, Resolved>;

impl Group {
    /// The patterns that these members have, each with its topics. What is known of the same topics is taken over. A
    /// pattern was checked when it came in; one that does not compile any more matches nothing.
    pub(super) fn resolve<'a>(
        &self,
        members: impl Iterator<Item = &'a Member>,
        topics: &dyn Catalogue,
    ) -> Patterns {
        let wanted: BTreeSet<&Text> = members.filter_map(Member::pattern).collect();
        let is_current = self.topics_version == Some(topics.version());
        let mut resolved = Patterns::new();
        let mut open = Vec::new();
        for pattern in wanted {
            let known = self.patterns.get(pattern).filter(|_| is_current);
            let found = || topics.matched().and_then(|matched| matched.topics_of(pattern, topics.version()));
            match known.or_else(found) {
                Some(known) => drop(resolved.insert(pattern.clone(), known.clone())),
                None => open.push((pattern.clone(), self.compiled(pattern).or_compile(pattern))),
            }
        }
        resolved.extend(matches(open, topics));
        resolved
    }

    fn compiled(&self, pattern: &Text) -> Compiled {
        self.patterns.get(pattern).map(|resolved| resolved.compiled.clone()).unwrap_or_default()
    }

    /// The patterns that are to be matched with the topics of this version: those that the group has, and one that comes in.
    pub(crate) fn open_patterns(&self, incoming: Option<&Text>, version: u64) -> Vec<(Text, Compiled)> {
        let is_current = self.topics_version == Some(version);
        let known = self.patterns.keys().filter(|_| !is_current);
        let incoming =
            incoming.filter(|pattern| !pattern.is_empty() && !self.patterns.contains_key(*pattern));
        known.chain(incoming).map(|pattern| (pattern.clone(), self.compiled(pattern))).collect()
    }

    /// The records that turn the patterns of the group into these, and whether the topics of one of them are others.
    pub(super) fn pattern_records(&self, patterns: &Patterns) -> (Vec<Record>, bool) {
        let gone = self.patterns.keys().filter(|pattern| !patterns.contains_key(*pattern));
        let mut records: Vec<_> = gone.map(|pattern| Record::Pattern(pattern.clone(), None)).collect();
        let is_other = |(pattern, resolved): &(&Text, &Resolved)| {
            self.patterns.get(*pattern).is_none_or(|known| known.topics != resolved.topics)
        };
        let others: Vec<_> = patterns.iter().filter(is_other).collect();
        let has_changed = !others.is_empty();
        let others = others.into_iter();
        records.extend(
            others.map(|(pattern, resolved)| Record::Pattern(pattern.clone(), Some(resolved.clone()))),
        );
        (records, has_changed)
    }
}

/// The names of the topics that a member wants, whether they exist or not.
pub(super) fn wanted_names<'a>(member: &'a Member, patterns: &'a Patterns) -> impl Iterator<Item = &'a Text> {
    let matched = member.pattern().and_then(|pattern| patterns.get(pattern));
    member.profile.topics.iter().chain(matched.into_iter().flat_map(|resolved| &resolved.topics))
}

/// The topics that a member wants and that exist.
pub(super) fn wanted(member: &Member, patterns: &Patterns, topics: &dyn Catalogue) -> BTreeSet<TopicId> {
    wanted_names(member, patterns).filter_map(|name| Some(topics.topic(name)?.0)).collect()
}

/// How many partitions the topics have that these members want.
pub(super) fn partition_counts<'a>(
    members: impl Iterator<Item = &'a Member>,
    patterns: &Patterns,
    topics: &dyn Catalogue,
) -> PartitionCounts {
    members.flat_map(|member| wanted_names(member, patterns)).filter_map(|name| topics.topic(name)).collect()
}

/// A number that is another one when a topic comes, goes or grows; 0 for no topics. It is compared only with what this
/// function gave before (FNV-1a; Kafka's number is made otherwise).
pub(super) fn metadata_hash(counts: &PartitionCounts) -> i64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    if counts.is_empty() {
        return 0;
    }
    let bytes = counts.iter().flat_map(|(topic, count)| topic.0.into_iter().chain(count.to_be_bytes()));
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)).cast_signed()
}
