//! Random schedules of a group whose members speak either protocol: it goes over to the newer one when the first of that
//! joins and back when the last has gone, in the middle of rebalances too, and the coordinator starts anew from its
//! records. After every step no two members read the same partition; when it is quiet, the group is of the kind that its
//! members make it, and everything is read.

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

const SCHEDULES: u64 = 3_000;
const STEPS: usize = 120;
const TOPIC: &str = "t";
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
        match self.chance.below(24) {
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

    /// As the coordinator does it: everything in one append, then the machine.
    fn apply<A>(&mut self, mut change: Change<A>) -> A {
        let successor = change.successor.take();
        self.store(&change.records);
        let Machine::Modern(group) = &mut self.machine else { panic!("it is a classic group") };
        let answer = group.apply(change, self.now);
        if let Some(mut stored) = successor {
            self.turned.1 += 1;
            if self.fault == Fault::DowngradeStandsStill {
                stored.leader = stored.members.first().map(|(id, ..)| id.clone());
            }
            let group = classic::Group::restored("g".into(), CLASSIC, stored, self.now);
            assert!(self.log.is_empty(), "nothing of the newer group is left");
            self.classic_log = Some(self.through_the_log(&group, &group.assignments()));
            self.machine = Machine::Classic(group);
        }
        answer
    }

    fn store(&mut self, records: &[Record]) {
        for record in records {
            let (key, value) = record.stored(&"g".into(), Timestamp(0)).unwrap();
            let key = key.to_bytes().unwrap();
            match value {
                Some(value) => drop(self.log.insert(key, value)),
                None => drop(self.log.remove(&key)),
            }
        }
    }

    fn through_the_log(&self, group: &classic::Group, given: &BTreeMap<Text, Bytes>) -> GroupMetadataValue {
        let value = metadata(group, given, Timestamp(0)).to_bytes(GroupMetadataValue::WRITTEN_VERSION);
        GroupMetadataValue::from_bytes(value.unwrap()).unwrap()
    }

    fn do_all(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Joined(waiter, answer) => drop(self.joined.insert(waiter, answer)),
                Action::Synced(waiter, answer) => drop(self.synced.insert(waiter, answer)),
                Action::Store(store) => self.store_classic(store),
            }
        }
    }

    fn store_classic(&mut self, store: Store) {
        let Machine::Classic(group) = &self.machine else { panic!("it is no classic group") };
        self.classic_log = Some(self.through_the_log(group, &store.assignments));
        let Machine::Classic(group) = &mut self.machine else { return };
        let actions = group.stored(store, Ok(()), self.now);
        self.do_all(actions);
    }

    /// A consumer does what it does next.
    fn act(&mut self, place: usize) {
        match self.consumers[place].speaks.clone() {
            Protocols::Modern(told) if told != self.consumers[place].reads && self.chance.one_in(2) => {
                self.consumers[place].reads = told;
            }
            Protocols::Modern(_) => self.beat_modern(place),
            Protocols::Classic(Phase::Joins) => self.join(place),
            Protocols::Classic(Phase::WaitsForJoin(waiter)) => {
                if let Some(answer) = self.joined.remove(&waiter) {
                    self.hear_join(place, answer);
                }
            }
            Protocols::Classic(Phase::Syncs(answer)) => self.sync(place, answer),
            Protocols::Classic(Phase::WaitsForSync(waiter)) => {
                if let Some(answer) = self.synced.remove(&waiter) {
                    self.hear_sync(place, answer);
                }
            }
            Protocols::Classic(Phase::Reads) => self.beat_classic(place),
        }
    }

    fn beat_modern(&mut self, place: usize) {
        let consumer = &self.consumers[place];
        let joins = consumer.epoch == JOIN;
        let beat = Heartbeat {
            instance_id: consumer.instance_id.clone(),
            rebalance_timeout: joins.then_some(REBALANCE),
            topics: joins.then(|| BTreeSet::from([TOPIC.into()])),
            ..owning(&consumer.id, consumer.epoch, &consumer.reads)
        };
        match self.heartbeat(&beat) {
            Ok(answer) => {
                let consumer = &mut self.consumers[place];
                consumer.epoch = answer.epoch;
                if let (Protocols::Modern(told), Some(assignment)) = (&mut consumer.speaks, answer.assignment)
                {
                    *told = assignment;
                }
            }
            Err(ErrorCode::UNRELEASED_INSTANCE_ID | ErrorCode::FENCED_INSTANCE_ID) => {
                self.consumers[place].is_alive = false;
                self.consumers[place].forget();
            }
            Err(_) => self.consumers[place].forget(),
        }
    }

    fn heartbeat(&mut self, beat: &Heartbeat) -> Result<Beat, ErrorCode> {
        if let Machine::Classic(group) = &self.machine {
            if beat.epoch != JOIN {
                return Err(ErrorCode::GROUP_ID_NOT_FOUND);
            }
            let is_empty = group.state == classic::State::Empty;
            let upgraded = match is_empty {
                true => Ok((Group::new("g".into(), limits()), Vec::new())),
                false => Group::upgraded_from(group, limits(), &self.topics, self.now),
            };
            let (mut upgraded, records) = upgraded.map_err(|refusal| refusal.error)?;
            if self.fault == Fault::UpgradeForgets {
                upgraded.owners.clear();
            }
            let change = upgraded.heartbeat(beat, &self.topics).map_err(|refusal| refusal.error)?;
            let away = group.send_away();
            self.turned.0 += u32::from(!is_empty);
            self.classic_log = None;
            self.store(&records);
            self.machine = Machine::Modern(upgraded);
            self.do_all(away);
            return Ok(self.apply(change));
        }
        let Machine::Modern(group) = &self.machine else { return Err(ErrorCode::NONE) };
        let change = if beat.epoch < JOIN {
            group.leave(beat, &self.topics)
        } else {
            group.heartbeat(beat, &self.topics)
        };
        change.map(|change| self.apply(change)).map_err(|refusal| refusal.error)
    }

    fn request(&mut self, place: usize) -> JoinRequest {
        let consumer = &mut self.consumers[place];
        if !self.is_cooperative {
            consumer.reads = Assignment::default();
        }
        let owned = consumer.reads.clone();
        let (id, instance_id, number) = (consumer.id.clone(), consumer.instance_id.clone(), consumer.number);
        let subscription = Subscription {
            topics: vec![TOPIC.into()],
            owned_partitions: self.named(&owned),
            ..Subscription::default()
        };
        let metadata = subscription.to_bytes(1).unwrap();
        JoinRequest {
            member_id: id,
            fresh_id: format!("c{number}-{}", self.next()).into(),
            requires_known_id: instance_id.is_none() && self.chance.one_in(2),
            profile: classic::Profile {
                instance_id,
                client_id: "client".into(),
                client_host: "/127.0.0.1".into(),
                session_timeout: Duration::from_secs(30),
                rebalance_timeout: REBALANCE,
                protocols: vec![Protocol { name: "sticky".into(), metadata }],
            },
            protocol_type: PROTOCOL_TYPE.into(),
            may_skip_assignment: false,
        }
    }

    fn named(&self, assignment: &Assignment) -> Vec<Named> {
        let (id, _) = self.topics.topic(TOPIC).unwrap();
        let partitions = assignment.of(id).into_iter().flatten().copied().collect::<Vec<_>>();
        if partitions.is_empty() {
            return Vec::new();
        }
        vec![Named { topic: TOPIC.into(), partitions }]
    }

    fn join(&mut self, place: usize) {
        let (request, waiter) = (self.request(place), Waiter(self.next()));
        self.consumers[place].speaks = Protocols::Classic(Phase::WaitsForJoin(waiter));
        // An empty group takes whichever comes first.
        if let Machine::Modern(group) = &self.machine
            && group.is_empty()
        {
            let deletion = group.deletion();
            self.store(&deletion);
            self.machine = Machine::Classic(classic::Group::new("g".into(), CLASSIC));
        }
        match &mut self.machine {
            Machine::Classic(group) => {
                let actions = group.join(waiter, request, self.now);
                self.do_all(actions);
            }
            Machine::Modern(group) => {
                let joined = group.join(&request, &self.topics);
                let answer = match joined {
                    Ok(change) => self.apply(change),
                    Err(refusal) => request.refused(refusal.error),
                };
                self.joined.insert(waiter, answer);
            }
        }
    }

    fn hear_join(&mut self, place: usize, answer: JoinAnswer) {
        let consumer = &mut self.consumers[place];
        match answer.error {
            ErrorCode::NONE => {
                (consumer.id, consumer.epoch) = (answer.member_id.clone(), answer.generation);
                consumer.speaks = Protocols::Classic(Phase::Syncs(answer));
            }
            ErrorCode::MEMBER_ID_REQUIRED => {
                consumer.id = answer.member_id;
                consumer.speaks = Protocols::Classic(Phase::Joins);
            }
            error => self.refuse(place, error),
        }
    }

    fn refuse(&mut self, place: usize, error: ErrorCode) {
        let consumer = &mut self.consumers[place];
        match error {
            ErrorCode::REBALANCE_IN_PROGRESS => consumer.speaks = Protocols::Classic(Phase::Joins),
            ErrorCode::ILLEGAL_GENERATION => consumer.forget(),
            ErrorCode::FENCED_INSTANCE_ID => {
                consumer.is_alive = false;
                consumer.forget();
            }
            _ => {
                consumer.forget();
                consumer.id = Text::new();
            }
        }
    }

    fn sync(&mut self, place: usize, joined: JoinAnswer) {
        let waiter = Waiter(self.next());
        let consumer = &mut self.consumers[place];
        consumer.speaks = Protocols::Classic(Phase::WaitsForSync(waiter));
        let request = SyncRequest {
            member_id: consumer.id.clone(),
            instance_id: consumer.instance_id.clone(),
            generation: consumer.epoch,
            protocol_type: joined.protocol_type.clone(),
            protocol: joined.protocol.clone(),
            assignments: self.assign(&joined),
        };
        match &mut self.machine {
            Machine::Classic(group) => {
                let actions = group.sync(waiter, request, self.now);
                self.do_all(actions);
            }
            Machine::Modern(group) => {
                let synced = group.sync(&request, &self.topics);
                let answer = match synced {
                    Ok(change) => self.apply(change),
                    Err(refusal) => SyncAnswer::refused(refusal.error),
                };
                self.synced.insert(waiter, answer);
            }
        }
    }

    /// A leader gives partitions out in turn; those that another one has yet to give back, to nobody.
    fn assign(&self, joined: &JoinAnswer) -> BTreeMap<Text, Bytes> {
        let (id, count) = self.topics.topic(TOPIC).unwrap();
        let mut given: Vec<(Text, Assignment, Assignment)> = Vec::new();
        for (member, _, metadata) in &joined.members {
            let subscription = Subscription::from_bytes(metadata.clone()).unwrap();
            let partitions = subscription.owned_partitions.iter().flat_map(|topic| &topic.partitions);
            let owned = partitions.map(|partition| (id, *partition)).collect();
            given.push((member.clone(), owned, Assignment::default()));
        }
        for number in 0..count {
            let partition = (id, PartitionId(number as i32));
            let to = number as usize % given.len().max(1);
            let is_free =
                given.iter().enumerate().all(|(at, (_, owned, _))| at == to || !owned.contains(partition));
            if let Some((_, _, gets)) = given.get_mut(to).filter(|_| is_free) {
                gets.insert(partition);
            }
        }
        let encode = |gets: &Assignment| Given { assigned_partitions: self.named(gets), user_data: None };
        given.iter().map(|(id, _, gets)| (id.clone(), encode(gets).to_bytes(1).unwrap())).collect()
    }

    fn hear_sync(&mut self, place: usize, answer: SyncAnswer) {
        if !answer.error.is_none() {
            return self.refuse(place, answer.error);
        }
        let given = match answer.assignment.is_empty() {
            true => Given::default(),
            false => Given::from_bytes(answer.assignment).unwrap(),
        };
        let (id, _) = self.topics.topic(TOPIC).unwrap();
        let partitions = given.assigned_partitions.iter().flat_map(|topic| topic.partitions.clone());
        let given: Assignment = partitions.map(|partition| (id, partition)).collect();
        let consumer = &mut self.consumers[place];
        // Who has given something back joins again, so that somebody may have it.
        let gives_back = !consumer.reads.without(&given).is_empty() && self.is_cooperative;
        consumer.reads = given;
        let phase = if gives_back { Phase::Joins } else { Phase::Reads };
        consumer.speaks = Protocols::Classic(phase);
    }

    fn beat_classic(&mut self, place: usize) {
        let consumer = &self.consumers[place];
        let (id, instance_id, epoch) = (consumer.id.clone(), consumer.instance_id.clone(), consumer.epoch);
        let error = match &mut self.machine {
            Machine::Classic(group) => {
                group.heartbeat(&id, instance_id.as_ref(), epoch, self.now).err().unwrap_or_default()
            }
            Machine::Modern(group) => {
                match group.heartbeat_classic(&id, instance_id.as_ref(), epoch, &self.topics) {
                    Ok(change) => group.apply(change, self.now),
                    Err(refusal) => refusal.error,
                }
            }
        };
        if !error.is_none() {
            self.refuse(place, error);
        }
    }

    fn leave(&mut self) {
        let Some(place) = self.alive() else { return };
        let consumer = self.consumers.remove(place);
        let (id, instance_id) = (consumer.id.clone(), consumer.instance_id.clone());
        if consumer.is_modern() {
            let epoch = if instance_id.is_some() { LEAVE_FOR_A_WHILE } else { LEAVE };
            // The group may not know it any more.
            let _ = self.heartbeat(&Heartbeat { instance_id, ..staying(&id, epoch) });
            return;
        }
        match &mut self.machine {
            Machine::Classic(group) => {
                let mut actions = Vec::new();
                group.leave(&[Leaver { id, instance_id }], self.now, &mut actions);
                self.do_all(actions);
            }
            Machine::Modern(group) => {
                let change = group.take_out(&[(&id, instance_id.as_ref())], &self.topics);
                self.apply(change);
            }
        }
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
        if all.len() == 6 { Ok(()) } else { Err(format!("{} of 6 partitions are read", all.len())) }
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
