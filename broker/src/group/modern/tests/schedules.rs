//! Random schedules: members that join, leave, crash, pause and lose answers, topics that come, grow and go, and a
//! coordinator that starts anew from its records. After every step nobody has what another has, and epochs have not
//! fallen; when it is quiet, everybody has what the target says, and together they have everything.

use std::collections::BTreeSet;

use super::*;
use crate::group::modern::member::State as MemberState;

const SCHEDULES: u64 = 2_000;
const STEPS: usize = 80;
const TOPICS: [&str; 4] = ["t", "ta", "tb", "u"];
const PATTERNS: [&str; 3] = ["t.*", ".*", "tb|u"];

/// Numbers that are the same for the same seed (splitmix64).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) as usize % limit
    }

    pub(super) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

/// A consumer as it sees itself.
#[derive(Clone, Debug)]
struct Consumer {
    id: Text,
    instance_id: Option<Text>,
    epoch: i32,
    /// What it reads now.
    reads: Assignment,
    /// What it was told to have.
    told: Assignment,
    topics: BTreeSet<Text>,
    pattern: Option<Text>,
    /// Whether its subscription is yet to be told.
    has_other_wishes: bool,
    /// Whether it missed an answer, so that it tells all and takes up nothing before it has heard all.
    is_in_doubt: bool,
    is_alive: bool,
}

/// What is broken on purpose, so that the checks can be seen to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The group forgets who has what.
    ForgetsOwners,
    /// A restart does not find what members have.
    LosesCurrent,
    /// Targets are not kept.
    LosesTargets,
    /// A restart finds an older epoch.
    EpochFalls,
}

struct Schedule {
    bench: Bench,
    chance: Chance,
    consumers: Vec<Consumer>,
    named: usize,
    epochs: (i32, i32),
    is_quiet: bool,
    fault: Fault,
}

type Checked = Result<(), String>;

impl Consumer {
    fn forget(&mut self) {
        (self.epoch, self.reads, self.told) = (JOIN, Assignment::default(), Assignment::default());
    }

    /// What was not taken up yet may be taken away by the answer that got lost.
    fn miss(&mut self) {
        (self.told, self.is_in_doubt) = (self.reads.clone(), true);
    }

    /// What nobody else may have.
    fn holds(&self) -> Assignment {
        self.reads.clone().joined_with(&self.told)
    }

    fn beat(&self, is_full: bool) -> Heartbeat {
        let says_all = is_full || self.is_in_doubt || self.epoch == JOIN;
        let says_wishes = says_all || self.has_other_wishes;
        Heartbeat {
            member_id: self.id.clone(),
            epoch: self.epoch,
            instance_id: self.instance_id.clone(),
            rebalance_timeout: says_all.then_some(REBALANCE),
            topics: says_wishes.then(|| self.topics.clone()),
            pattern: self.pattern.clone().filter(|_| says_wishes),
            owned: Some(self.reads.clone()),
            ..Heartbeat::default()
        }
    }
}

impl Schedule {
    fn new(seed: u64, fault: Fault) -> Self {
        let (bench, chance) = (Bench::new(), Chance(seed));
        Self { bench, chance, consumers: Vec::new(), named: 0, epochs: (0, 0), is_quiet: false, fault }
    }

    fn run(mut self) -> Checked {
        for _ in 0..STEPS {
            self.step()?;
            self.check_epochs()?;
            if self.fault == Fault::None {
                assert_same(&self.bench.restored(), &self.bench.group);
            }
        }
        self.quiet()
    }

    fn step(&mut self) -> Checked {
        match self.chance.below(20) {
            0 | 1 => self.join(),
            2 => self.leave(),
            3 => self.crash(),
            4 => self.change_topics(),
            5 => self.restart(),
            6 => self.pass_time(),
            7 => self.change_wishes(),
            8 | 9 => self.rejoin_static()?,
            10..=13 => self.finish_reassigning(),
            _ => self.somebody_beats()?,
        }
        Ok(())
    }

    fn alive(&mut self) -> Option<usize> {
        let alive: Vec<usize> =
            (0..self.consumers.len()).filter(|place| self.consumers[*place].is_alive).collect();
        (!alive.is_empty()).then(|| alive[self.chance.below(alive.len())])
    }

    fn join(&mut self) {
        if self.consumers.iter().filter(|consumer| consumer.is_alive).count() < 6 {
            let instance_id = self.chance.one_in(3).then(|| format!("i{}", self.chance.below(3)).into());
            self.add(instance_id);
        }
    }

    fn add(&mut self, instance_id: Option<Text>) {
        self.named += 1;
        let mut consumer = Consumer {
            id: format!("m{}", self.named).into(),
            instance_id,
            epoch: JOIN,
            reads: Assignment::default(),
            told: Assignment::default(),
            topics: BTreeSet::new(),
            pattern: None,
            has_other_wishes: false,
            is_in_doubt: false,
            is_alive: true,
        };
        // Whoever it comes in for may have had one.
        consumer.pattern = consumer.instance_id.is_some().then(Text::new);
        self.wish(&mut consumer);
        self.consumers.push(consumer);
    }

    fn wish(&mut self, consumer: &mut Consumer) {
        consumer.topics.clear();
        // A pattern can be taken back only by an empty one.
        consumer.pattern = consumer.pattern.take().map(|_| Text::new());
        if self.chance.one_in(16) {
            consumer.pattern = Some(PATTERNS[self.chance.below(PATTERNS.len())].into());
        } else {
            let wanted = TOPICS.iter().filter(|_| self.chance.one_in(2));
            consumer.topics = wanted.map(|topic| Text::from(*topic)).collect();
        }
        consumer.has_other_wishes = true;
    }

    fn change_wishes(&mut self) {
        if let Some(place) = self.alive() {
            let mut consumer = self.consumers[place].clone();
            self.wish(&mut consumer);
            self.consumers[place] = consumer;
        }
    }

    fn leave(&mut self) {
        let Some(place) = self.alive() else { return };
        let mut consumer = self.consumers.remove(place);
        // Whoever leaves has stopped reading.
        consumer.forget();
        let epoch = if consumer.instance_id.is_some() { LEAVE_FOR_A_WHILE } else { LEAVE };
        let beat = Heartbeat { epoch, ..consumer.beat(false) };
        // The group may not know it any more.
        let _ = self.bench.beat(&beat);
    }

    fn crash(&mut self) {
        if let Some(place) = self.alive() {
            self.consumers[place].is_alive = false;
        }
    }

    fn change_topics(&mut self) {
        let topic = TOPICS[self.chance.below(TOPICS.len())];
        let known = self.bench.topics.topic(topic).map_or(0, |(_, partitions)| partitions);
        if known > 0 && self.chance.one_in(3) {
            self.bench.topics.delete(topic);
        } else {
            self.bench.topics.set(topic, known + 1 + self.chance.below(3) as u32);
        }
    }

    fn restart(&mut self) {
        let current = |record: &[u8]| record[..2] == [0, 8];
        match self.fault {
            Fault::LosesCurrent => self.bench.log.retain(|key, _| !current(key)),
            Fault::EpochFalls if self.bench.group.epoch > 3 => {
                self.bench.group.epoch -= 2;
                return;
            }
            _ => {}
        }
        self.bench.group = self.bench.restored();
        // The numbers of topics begin anew.
        self.bench.topics.version += 1;
    }

    fn pass_time(&mut self) {
        self.bench.pass(Duration::from_secs(1 + self.chance.below(30) as u64));
        self.drop_the_dead();
    }

    /// Who crashed and is out reads no more: what it would commit is refused.
    fn drop_the_dead(&mut self) {
        let group = &self.bench.group;
        self.consumers.retain(|consumer| consumer.is_alive || group.members.contains_key(&consumer.id));
    }

    /// Somebody comes with the instance id of one that may have left.
    fn rejoin_static(&mut self) -> Checked {
        let known: Vec<Text> = self.bench.group.static_members.keys().cloned().collect();
        if known.is_empty() {
            return Ok(());
        }
        let instance_id = known[self.chance.below(known.len())].clone();
        self.add(Some(instance_id));
        self.beat(self.consumers.len() - 1)
    }

    fn finish_reassigning(&mut self) {
        if let Some(place) = self.alive() {
            let consumer = &mut self.consumers[place];
            consumer.reads = consumer.told.clone();
        }
    }

    fn somebody_beats(&mut self) -> Checked {
        self.alive().map_or(Ok(()), |place| self.beat(place))
    }

    fn beat(&mut self, place: usize) -> Checked {
        let is_full = self.chance.one_in(4);
        let is_lost = !self.is_quiet && self.chance.one_in(8);
        let answer = self.bench.beat(&self.consumers[place].beat(is_full));
        self.break_something();
        match answer {
            Ok(_) if is_lost => self.consumers[place].miss(),
            Ok(beat) => self.hear(place, beat)?,
            Err(ErrorCode::UNRELEASED_INSTANCE_ID | ErrorCode::FENCED_INSTANCE_ID) => {
                self.consumers.remove(place);
            }
            Err(ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID) => {
                self.consumers[place].forget();
            }
            Err(error) => return Err(format!("a heartbeat was refused with {error:?}")),
        }
        Ok(())
    }

    fn break_something(&mut self) {
        match self.fault {
            Fault::ForgetsOwners => self.bench.group.owners.clear(),
            Fault::LosesTargets => self.bench.group.targets.clear(),
            _ => {}
        }
    }

    fn hear(&mut self, place: usize, beat: Beat) -> Checked {
        let consumer = &mut self.consumers[place];
        if beat.epoch < consumer.epoch {
            return Err(format!("{} went from epoch {} to {}", consumer.id, consumer.epoch, beat.epoch));
        }
        (consumer.epoch, consumer.has_other_wishes, consumer.is_in_doubt) = (beat.epoch, false, false);
        if let Some(assignment) = beat.assignment {
            consumer.told = assignment;
        }
        self.check_alone(place)
    }

    /// Nobody else has what this one was told to have.
    fn check_alone(&self, place: usize) -> Checked {
        let told = &self.consumers[place].told;
        for (other, consumer) in self.consumers.iter().enumerate() {
            let is_member = self.bench.group.members.contains_key(&consumer.id);
            if other != place && is_member && consumer.holds().meets(told) {
                let id = &self.consumers[place].id;
                return Err(format!("{id} was told to have what {} has", consumer.id));
            }
        }
        Ok(())
    }

    fn check_epochs(&mut self) -> Checked {
        let now = (self.bench.group.epoch, self.bench.group.target_epoch);
        let (before, rises) = (self.epochs, now.0 >= self.epochs.0 && now.1 >= self.epochs.1);
        self.epochs = now;
        if rises { Ok(()) } else { Err(format!("epochs went from {before:?} to {now:?}")) }
    }

    /// Nothing happens any more but heartbeats and time.
    fn quiet(mut self) -> Checked {
        self.is_quiet = true;
        for _ in 0..40 {
            for place in (0..self.consumers.len()).rev() {
                if self.consumers[place].is_alive {
                    self.beat(place)?;
                }
            }
            for consumer in self.consumers.iter_mut().filter(|consumer| consumer.is_alive) {
                consumer.reads = consumer.told.clone();
            }
            self.bench.pass(Duration::from_secs(5));
            self.drop_the_dead();
            self.check_epochs()?;
        }
        self.check_settled()
    }

    fn check_settled(&self) -> Checked {
        let group = &self.bench.group;
        if self.consumers.is_empty() {
            return if group.is_empty() {
                Ok(())
            } else {
                Err("nobody is there, but members are".to_owned())
            };
        }
        if group.state() != State::Stable || group.members.len() != self.consumers.len() {
            return Err(format!("it is quiet, but the group is not: {:?}", group.state()));
        }
        let mut all = Assignment::default();
        for consumer in &self.consumers {
            let member = &group.members[&consumer.id];
            let is_there = member.current.state == MemberState::Stable && member.current.epoch == group.epoch;
            if !is_there || consumer.reads != group.target(&consumer.id) {
                return Err(format!("{} is not where it is to be", consumer.id));
            }
            all = all.joined_with(&consumer.reads);
        }
        if all == self.wanted() { Ok(()) } else { Err("not everything is read".to_owned()) }
    }

    /// All that somebody wants to read.
    fn wanted(&self) -> Assignment {
        let mut wanted = Assignment::default();
        for (name, (topic, partitions)) in &self.bench.topics.topics {
            let is_wanted = |consumer: &Consumer| {
                let pattern = consumer.pattern.as_ref().filter(|pattern| !pattern.is_empty());
                let matches = pattern.is_some_and(|pattern| match &**pattern {
                    "t.*" => name.starts_with('t'),
                    "tb|u" => name == "tb" || name == "u",
                    _ => true,
                });
                matches || consumer.topics.contains(name.as_str())
            };
            if self.consumers.iter().any(is_wanted) {
                let partitions = 0..*partitions as i32;
                wanted.extend(partitions.map(|partition| (*topic, PartitionId(partition))));
            }
        }
        wanted
    }
}

fn failure(fault: Fault) -> Option<String> {
    (0..SCHEDULES).find_map(|seed| Schedule::new(seed, fault).run().err())
}

#[test]
fn nobody_has_what_another_has_and_everybody_arrives() {
    for seed in 0..SCHEDULES {
        if let Err(failure) = Schedule::new(seed, Fault::None).run() {
            panic!("seed {seed}: {failure}");
        }
    }
}

#[test]
fn group_that_forgets_owners_is_found_out() {
    assert!(found(Fault::ForgetsOwners).contains("was told to have what"));
}

#[test]
fn group_that_loses_what_members_have_is_found_out() {
    found(Fault::LosesCurrent);
}

#[test]
fn group_that_loses_its_targets_is_found_out() {
    found(Fault::LosesTargets);
}

#[test]
fn epoch_that_falls_is_found_out() {
    assert!(found(Fault::EpochFalls).contains("epoch"));
}

fn found(fault: Fault) -> String {
    failure(fault).expect("the fault is found")
}
