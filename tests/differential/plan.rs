//! A sequence as it is being made: seeded chance, and the steps so far.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::{ApiKey, messages::RequestBody};

use crate::{
    chance::Chance,
    side::{Name, Side},
    socket::Spoilt,
    step::Step,
};

/// The topics of a sequence. Not all of them are made, some only at times.
pub(crate) const TOPICS: &[Name] = &[Name::Own("a"), Name::Own("b"), Name::Own("c")];

/// Names that cannot be topics, and some that are odd and can.
pub(crate) const ODD_TOPICS: &[Name] = &[
    Name::Plain(""),
    Name::Plain("."),
    Name::Plain(".."),
    Name::Plain("with space"),
    Name::Plain("sl/ash"),
    Name::Plain("ünïcode"),
    Name::Own("dotted.name"),
    Name::Own("never-made"),
    Name::Long(249),
    Name::Long(250),
];

pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) chance: Chance,
    pub(crate) steps: Vec<Step>,
    /// The next sequence of each producer in each partition.
    pub(crate) sequences: BTreeMap<(usize, Name, i32), i32>,
    /// The partitions that were added to the transaction of each producer.
    pub(crate) added: BTreeSet<(usize, i32)>,
}

impl Plan {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            seed,
            chance: Chance::new(seed),
            steps: Vec::new(),
            sequences: BTreeMap::new(),
            added: BTreeSet::new(),
        }
    }

    /// A version in which the API is spoken.
    pub(crate) fn version(&mut self, key: ApiKey) -> i16 {
        let versions = key.versions();
        self.chance.between((*versions.start()).into(), (*versions.end()).into()) as i16
    }

    /// A version from `since` on.
    pub(crate) fn version_since(&mut self, key: ApiKey, since: i16) -> i16 {
        self.chance.between(since.into(), (*key.versions().end()).into()) as i16
    }

    pub(crate) fn add<R: Into<RequestBody>>(
        &mut self,
        version: i16,
        build: impl Fn(&Side) -> R + 'static,
    ) -> &mut Step {
        self.push(Step::new(version, build))
    }

    pub(crate) fn push(&mut self, step: Step) -> &mut Step {
        self.steps.push(step);
        self.steps.last_mut().expect("a step was pushed")
    }

    /// A topic that mostly is there.
    pub(crate) fn topic(&mut self) -> Name {
        self.chance.mostly(TOPICS, 12, ODD_TOPICS)
    }

    /// A partition that mostly is there.
    pub(crate) fn partition(&mut self) -> i32 {
        self.chance.mostly(&[0, 0, 0, 1], 12, &[2, 3, 99, -1, i32::MAX, i32::MIN])
    }

    /// Bytes are spoilt once in so many times.
    pub(crate) fn spoil(&mut self, times: usize) -> Option<Spoilt> {
        if !self.chance.once_in(times) {
            return None;
        }
        let bytes = self.chance.below(24);
        let at = self.chance.below(40);
        let value = self.chance.one_of(&[-1, -2, i32::MIN, i32::MAX, 0x7fff, 1 << 24]);
        let all = [
            Spoilt::Version(self.chance.one_of(&[-1, 99, i16::MAX])),
            Spoilt::Short(bytes + 1),
            Spoilt::Long(bytes),
            Spoilt::Number { at, value },
            Spoilt::Size(self.chance.one_of(&[-1, i32::MIN, 0, 3, i32::MAX])),
        ];
        Some(self.chance.one_of(&all))
    }
}
