//! What a workload did, so that a run can show that it did enough.

use std::{fmt, ops::AddAssign};

/// How often each thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) groups: u64,
    /// Groups that span partitions.
    pub(crate) wide: u64,
    /// Groups of which some partitions are synced before the acknowledgement and some are not.
    pub(crate) mixed: u64,
    /// Batches for topics that keep the last value of each key.
    pub(crate) keyed: u64,
    /// Batches in transactions.
    pub(crate) transactional: u64,
    /// Transactions that were ended, each in all of its partitions at once.
    pub(crate) endings: u64,
    pub(crate) checkpoints: u64,
    /// Log starts that retention moved.
    pub(crate) retentions: u64,
    pub(crate) deletions: u64,
    /// Changes of settings.
    pub(crate) alterations: u64,
    /// Of them, those that let acknowledgements wait for a sync from then on.
    pub(crate) hardenings: u64,
    /// Topics that got more partitions.
    pub(crate) growths: u64,
    /// Groups and entries that were taken back.
    pub(crate) truncations: u64,
}

impl Tally {
    pub(crate) fn note_group(&mut self, partitions: usize, is_mixed: bool) {
        self.groups += 1;
        self.wide += u64::from(partitions > 1);
        self.mixed += u64::from(is_mixed);
    }

    /// What of all this a complete run lacks. The floors are far below what is usual, so that no seed's luck fails a
    /// run, and above zero, so that nothing goes missing unnoticed.
    pub(crate) fn lacks(&self) -> Vec<String> {
        let Self { groups, wide, mixed, keyed, checkpoints, retentions, deletions, truncations, .. } = *self;
        let Self { alterations, hardenings, growths, transactional, endings, .. } = *self;
        let least = [
            ("groups", groups, 1000),
            ("groups over partitions", wide, 50),
            ("groups of mixed durability", mixed, 1),
            ("keyed batches", keyed, 1),
            ("batches in transactions", transactional, 10),
            ("ended transactions", endings, 5),
            ("checkpoints", checkpoints, 30),
            ("log starts moved by retention", retentions, 1),
            ("deletions", deletions, 2),
            ("changes of settings", alterations, 10),
            ("changes to synced", hardenings, 1),
            ("added partitions", growths, 1),
            ("groups taken back", truncations, 1),
        ];
        let lacking = least.iter().filter(|(_, found, least)| found < least);
        lacking.map(|(what, found, least)| format!("{found} {what} of {least}")).collect()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        let Self { groups, wide, mixed, keyed, checkpoints, retentions, deletions, truncations, .. } = other;
        let Self { alterations, hardenings, growths, transactional, endings, .. } = other;
        self.groups += groups;
        self.wide += wide;
        self.mixed += mixed;
        self.keyed += keyed;
        self.checkpoints += checkpoints;
        self.retentions += retentions;
        self.deletions += deletions;
        self.truncations += truncations;
        self.alterations += alterations;
        self.hardenings += hardenings;
        self.growths += growths;
        self.transactional += transactional;
        self.endings += endings;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { groups, wide, mixed, keyed, checkpoints, retentions, deletions, truncations, .. } = self;
        let Self { alterations, hardenings, growths, transactional, endings, .. } = self;
        write!(f, "{groups} groups ({wide} over partitions, {mixed} of mixed durability), ")?;
        write!(f, "{transactional} batches in transactions ({endings} ended), ")?;
        write!(f, "{keyed} keyed batches, {checkpoints} checkpoints, {retentions} retentions, ")?;
        write!(f, "{deletions} deletions, {alterations} changes of settings ({hardenings} to synced), ")?;
        write!(f, "{growths} times partitions added, {truncations} taken back")
    }
}
