//! Random schedules of a group whose members speak either protocol: it goes over to the newer one when the first of that
//! joins and back when the last has gone, in the middle of rebalances too, and the coordinator starts anew from its
//! records. After every step no two members read the same partition; when it is quiet, the group is of the kind that its
//! members make it, and everything is read.

mod broker;
mod consumers;

use std::collections::{BTreeMap, BTreeSet};

use mainstem_protocol::formats::{
    consumer::{Assignment as Given, PROTOCOL_TYPE, Subscription, TopicPartitions as Named},
    offsets::GroupMetadataValue,
};

use super::{schedules::Chance, *};
use crate::group::{
    classic::{
        self, Action, JoinAnswer, JoinRequest, Leaver, Protocol, Store, SyncAnswer, SyncRequest, Waiter,
    },
    coordinator::{metadata, restored},
};

const SCHEDULES: u64 = 1_500;
const STEPS: usize = 120;
const TOPIC: &str = "t";
const PARTITIONS_MAX: u32 = 9;
const CLASSIC: classic::Limits = classic::Limits { members_max: 100, initial_delay: Duration::ZERO };

type Checked = Result<(), String>;

#[derive(Debug)]
enum Machine {
    Classic(classic::Group),
    Modern(Group),
}

/// What is broken on purpose, so that the checks can be seen to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Those who come over are taken to have nothing.
    UpgradeForgets,
    /// A classic group that was left behind is not told to join again.
    DowngradeStandsStill,
}

/// What a consumer of the classic protocol does next.
#[derive(Clone, Debug)]
enum Phase {
    Joins,
    WaitsForJoin(Waiter),
    Syncs(JoinAnswer),
    WaitsForSync(Waiter),
    Reads,
}

#[derive(Clone, Debug)]
enum Protocols {
    Classic(Phase),
    /// With what it was told to have.
    Modern(Assignment),
}

/// A consumer as it sees itself.
#[derive(Clone, Debug)]
struct Consumer {
    number: u64,
    id: Text,
    instance_id: Option<Text>,
    epoch: i32,
    reads: Assignment,
    /// How many partitions there were when it led a generation, where it leads one.
    shared_out: Option<u32>,
    speaks: Protocols,
    is_alive: bool,
}

struct World {
    machine: Machine,
    topics: Topics,
    now: Duration,
    chance: Chance,
    /// The last values by key.
    log: BTreeMap<Bytes, Bytes>,
    classic_log: Option<GroupMetadataValue>,
    consumers: Vec<Consumer>,
    joined: BTreeMap<Waiter, JoinAnswer>,
    synced: BTreeMap<Waiter, SyncAnswer>,
    last: u64,
    /// Whether consumers of the classic protocol keep what they have while they join.
    is_cooperative: bool,
    /// How often the group went over to the newer protocol, and back.
    turned: (u32, u32),
    fault: Fault,
}

impl Consumer {
    fn forget(&mut self) {
        (self.epoch, self.reads) = (JOIN, Assignment::default());
        match &mut self.speaks {
            Protocols::Classic(phase) => *phase = Phase::Joins,
            Protocols::Modern(told) => *told = Assignment::default(),
        }
    }

    fn is_modern(&self) -> bool {
        matches!(self.speaks, Protocols::Modern(_))
    }
}

impl World {
    fn new(seed: u64, fault: Fault) -> Self {
        let mut topics = Topics::default();
        topics.set(TOPIC, 6);
        let mut chance = Chance(seed);
        Self {
            machine: Machine::Classic(classic::Group::new("g".into(), CLASSIC)),
            topics,
            now: Duration::from_secs(1000),
            is_cooperative: chance.one_in(2),
            chance,
            log: BTreeMap::new(),
            classic_log: None,
            consumers: Vec::new(),
            joined: BTreeMap::new(),
            synced: BTreeMap::new(),
            last: 0,
            turned: (0, 0),
            fault,
        }
    }

    fn run(mut self) -> Result<(u32, u32), String> {
        for _ in 0..STEPS {
            self.step();
            self.check_alone()?;
        }
        self.quiet()?;
        Ok(self.turned)
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn step(&mut self) {
        match self.chance.below(25) {
            0 | 1 => self.start(),
            2 => self.leave(),
            3 => self.crash(),
            4 => self.restart(),
            5 | 6 => {
                let seconds = 1 + self.chance.below(20) as u64;
                self.pass(Duration::from_secs(seconds));
            }
            7 => self.return_static(),
            8 => self.miss_an_answer(),
            9 => self.grow(),
            _ => {
                if let Some(place) = self.alive() {
                    self.act(place);
                }
            }
        }
    }

    fn alive(&mut self) -> Option<usize> {
        let alive: Vec<usize> = (0..self.consumers.len()).filter(|at| self.consumers[*at].is_alive).collect();
        (!alive.is_empty()).then(|| alive[self.chance.below(alive.len())])
    }

    fn start(&mut self) {
        if self.consumers.iter().filter(|consumer| consumer.is_alive).count() < 5 {
            let instance_id = self.chance.one_in(3).then(|| format!("i{}", self.chance.below(3)).into());
            self.add(instance_id);
        }
    }

    /// Nobody else goes on under an instance id that somebody comes with.
    fn add(&mut self, instance_id: Option<Text>) {
        if instance_id.is_some() {
            let earlier = self.consumers.iter_mut().filter(|consumer| consumer.instance_id == instance_id);
            earlier.for_each(|consumer| consumer.is_alive = false);
        }
        let number = self.next();
        let speaks = match self.chance.below(2) {
            0 => Protocols::Classic(Phase::Joins),
            _ => Protocols::Modern(Assignment::default()),
        };
        let is_modern = matches!(speaks, Protocols::Modern(_));
        self.consumers.push(Consumer {
            number,
            id: if is_modern { format!("m{number}").into() } else { Text::new() },
            instance_id,
            epoch: JOIN,
            reads: Assignment::default(),
            shared_out: None,
            speaks,
            is_alive: true,
        });
    }

    fn return_static(&mut self) {
        let known: BTreeSet<Text> = self.consumers.iter().filter_map(|c| c.instance_id.clone()).collect();
        if !known.is_empty() {
            let at = self.chance.below(known.len());
            self.add(known.into_iter().nth(at));
        }
    }

    fn partitions(&self) -> u32 {
        self.topics.topic(TOPIC).map_or(0, |(_, count)| count)
    }

    fn grow(&mut self) {
        if self.partitions() < PARTITIONS_MAX && self.chance.one_in(2) {
            self.topics.set(TOPIC, self.partitions() + 1);
        }
    }

    fn crash(&mut self) {
        if let Some(place) = self.alive() {
            self.consumers[place].is_alive = false;
        }
    }

    /// The connection broke: what was answered is not heard.
    fn miss_an_answer(&mut self) {
        if let Some(place) = self.alive()
            && let Protocols::Classic(phase @ (Phase::WaitsForJoin(_) | Phase::WaitsForSync(_))) =
                &mut self.consumers[place].speaks
        {
            *phase = Phase::Joins;
        }
    }

    fn restart(&mut self) {
        (self.joined, self.synced) = Default::default();
        for consumer in &mut self.consumers {
            if let Protocols::Classic(phase @ (Phase::WaitsForJoin(_) | Phase::WaitsForSync(_))) =
                &mut consumer.speaks
            {
                *phase = Phase::Joins;
            }
        }
        self.topics.version += 1;
        self.machine = match (&self.classic_log, self.log.is_empty()) {
            (Some(_), false) => panic!("two groups are stored"),
            (Some(value), true) => Machine::Classic(restored(&"g".into(), value.clone(), CLASSIC, self.now)),
            (None, true) => Machine::Classic(classic::Group::new("g".into(), CLASSIC)),
            (None, false) => {
                let record = |(key, value): (&Bytes, &Bytes)| match Key::from_bytes(key.clone()) {
                    Ok(Key::ConsumerGroup(key)) => stored_record(key, value.clone()).unwrap(),
                    _ => None,
                };
                let records = self.log.iter().filter_map(record);
                Machine::Modern(Group::restored("g".into(), limits(), records, self.now))
            }
        };
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        match &mut self.machine {
            Machine::Classic(group) => {
                let actions = group.tick(self.now);
                self.do_all(actions);
            }
            Machine::Modern(group) => {
                let change = group.tick(self.now, &self.topics);
                self.apply(change);
            }
        }
        self.drop_the_dead();
    }

    fn knows(&self, consumer: &Consumer) -> bool {
        match &self.machine {
            Machine::Classic(group) => group.members.contains_key(&consumer.id),
            Machine::Modern(group) => group.members.contains_key(&consumer.id),
        }
    }

    fn drop_the_dead(&mut self) {
        let kept = |consumer: &Consumer| consumer.is_alive || self.knows(consumer);
        let kept: BTreeSet<u64> = self.consumers.iter().filter(|c| kept(c)).map(|c| c.number).collect();
        self.consumers.retain(|consumer| kept.contains(&consumer.number));
    }

    /// No two members read the same. Who is no member any more learns it when it asks next.
    fn check_alone(&self) -> Checked {
        let mut read = Assignment::default();
        for consumer in self.consumers.iter().filter(|consumer| self.knows(consumer)) {
            if consumer.reads.meets(&read) {
                return Err(format!("{consumer:?} reads what another one reads"));
            }
            read = read.joined_with(&consumer.reads);
        }
        Ok(())
    }

    fn quiet(&mut self) -> Checked {
        for _ in 0..60 {
            for _ in 0..4 {
                for place in 0..self.consumers.len() {
                    if self.consumers[place].is_alive {
                        self.act(place);
                        self.check_alone()?;
                    }
                }
            }
            self.pass(Duration::from_secs(3));
            self.check_alone()?;
        }
        self.check_settled()
    }

    fn check_settled(&self) -> Checked {
        if self.consumers.is_empty() {
            return Ok(());
        }
        let has_modern = self.consumers.iter().any(Consumer::is_modern);
        let is_modern = matches!(self.machine, Machine::Modern(_));
        if has_modern != is_modern {
            return Err(format!("the group is of the wrong kind: {:?}", self.machine));
        }
        let all: Assignment =
            self.consumers.iter().flat_map(|c| c.reads.iter().collect::<Vec<_>>()).collect();
        let count = self.partitions() as usize;
        if all.len() == count { Ok(()) } else { Err(format!("{} of {count} partitions are read", all.len())) }
    }
}

fn failure(fault: Fault) -> Option<String> {
    (0..SCHEDULES).find_map(|seed| World::new(seed, fault).run().err())
}

#[test]
fn no_two_members_read_the_same_whichever_protocol_they_speak() {
    let mut turned = (0, 0);
    for seed in 0..SCHEDULES {
        match World::new(seed, Fault::None).run() {
            Ok((up, down)) => turned = (turned.0 + up, turned.1 + down),
            Err(failure) => panic!("seed {seed}: {failure}"),
        }
    }
    assert!(
        turned.0 > 100 && turned.1 > 100,
        "groups went over {} times and back {} times",
        turned.0,
        turned.1
    );
}

#[test]
fn upgrade_that_forgets_what_members_have_is_found_out() {
    assert!(failure(Fault::UpgradeForgets).expect("the fault is found").contains("reads what another"));
}

#[test]
fn classic_group_that_stands_still_is_found_out() {
    assert!(failure(Fault::DowngradeStandsStill).is_some());
}
