//! A consumer as its library would have it: it joins, syncs, reads from where it was, commits, and joins again when told
//! so.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use mainstem_protocol::{ErrorCode, Text};

use super::{broker::Broker, chance::Chance, checker::Checker};
use crate::group::classic::{
    JoinAnswer, JoinRequest, Leaver, Profile, Protocol, SyncAnswer, SyncRequest, Waiter,
};

pub(super) const PARTITIONS: usize = 5;

/// What a client does next.
#[derive(Debug)]
enum Phase {
    Joins,
    WaitsForJoin(Waiter, Option<JoinAnswer>),
    Syncs(JoinAnswer),
    WaitsForSync(Waiter, Option<SyncAnswer>),
    /// Reads what is committed, once everything up to here is decided.
    Fetches(u64),
    Consumes,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) is_running: bool,
    pub(super) sleeps_until: Duration,
    name: String,
    instance: Option<Text>,
    protocols: Vec<Protocol>,
    requires_known_id: bool,
    may_skip_assignment: bool,
    id: Text,
    joined: u64,
    generation: i32,
    phase: Phase,
    owned: Vec<usize>,
    positions: [i64; PARTITIONS],
    /// Commits that are not answered yet.
    commits: BTreeMap<Waiter, (usize, i64)>,
}

impl Client {
    pub(super) fn new(number: usize, instance: Option<&str>, chance: &mut Chance) -> Self {
        let metadata = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff");
        let protocol = |name: &'static str| Protocol { name: name.into(), metadata: metadata.clone() };
        // All know both: of a member that comes back with the broker only the protocol of its generation is known, and
        // who does not speak that is refused, as by Kafka.
        let protocols = match chance.below(2) {
            0 => vec![protocol("roundrobin"), protocol("range")],
            _ => vec![protocol("range"), protocol("roundrobin")],
        };
        Self {
            is_running: false,
            sleeps_until: Duration::ZERO,
            name: format!("c{number}"),
            instance: instance.map(Into::into),
            protocols,
            requires_known_id: !chance.one_in(3),
            may_skip_assignment: !chance.one_in(3),
            id: Text::new(),
            joined: 0,
            generation: -1,
            phase: Phase::Joins,
            owned: Vec::new(),
            positions: [0; PARTITIONS],
            commits: BTreeMap::new(),
        }
    }

    /// What others know it by: a static member by its instance.
    fn identity(&self) -> &Text {
        self.instance.as_ref().unwrap_or(&self.id)
    }

    /// What it owns in a generation.
    pub(super) fn owns(&self, generation: i32) -> Option<&[usize]> {
        let consumes = matches!(self.phase, Phase::Consumes) && self.generation == generation;
        consumes.then_some(&self.owned[..])
    }

    /// Ends without a word, and knows nothing any more.
    pub(super) fn crash(&mut self) {
        self.is_running = false;
        self.start_over();
        self.commits.clear();
    }

    fn start_over(&mut self) {
        self.id = Text::new();
        self.join_again();
    }

    fn join_again(&mut self) {
        self.owned.clear();
        self.phase = Phase::Joins;
    }

    /// The connection is gone, and with it what it waits for.
    pub(super) fn disconnect(&mut self) {
        self.commits.clear();
        if matches!(self.phase, Phase::WaitsForJoin(..) | Phase::WaitsForSync(..)) {
            self.phase = Phase::Joins;
        }
    }

    /// Whether it waits for an answer, of which it may grow tired.
    pub(super) fn give_up(&mut self) {
        if matches!(self.phase, Phase::WaitsForJoin(_, None) | Phase::WaitsForSync(_, None)) {
            self.phase = Phase::Joins;
        }
    }

    pub(super) fn hear_join(&mut self, waiter: Waiter, answer: &JoinAnswer) {
        if let Phase::WaitsForJoin(awaited, heard) = &mut self.phase
            && *awaited == waiter
        {
            *heard = Some(answer.clone());
        }
    }

    pub(super) fn hear_sync(&mut self, waiter: Waiter, answer: &SyncAnswer) {
        if let Phase::WaitsForSync(awaited, heard) = &mut self.phase
            && *awaited == waiter
        {
            *heard = Some(answer.clone());
        }
    }

    pub(super) fn hear_commit(&mut self, waiter: Waiter, is_committed: bool, checker: &mut Checker) {
        if let Some((partition, offset)) = self.commits.remove(&waiter)
            && is_committed
        {
            checker.committed(partition, offset);
        }
    }

    pub(super) fn act(
        &mut self,
        broker: &mut Broker,
        checker: &mut Checker,
        chance: &mut Chance,
        now: Duration,
    ) {
        match std::mem::replace(&mut self.phase, Phase::Joins) {
            Phase::Joins => self.join(broker, now),
            Phase::WaitsForJoin(_, Some(answer)) => self.joined(answer),
            Phase::Syncs(answer) => self.sync(broker, answer, now),
            Phase::WaitsForSync(_, Some(answer)) => self.synced(answer, broker, checker),
            Phase::Fetches(placed) => self.fetch(placed, broker, checker),
            Phase::Consumes => self.consume(broker, checker, chance, now),
            waits => self.phase = waits,
        }
    }

    fn join(&mut self, broker: &mut Broker, now: Duration) {
        self.joined += 1;
        let waiter = broker.waiter();
        let request = JoinRequest {
            member_id: self.id.clone(),
            fresh_id: format!("{}-{}", self.name, self.joined).into(),
            profile: Profile {
                instance_id: self.instance.clone(),
                client_id: "client".into(),
                client_host: "/127.0.0.1".into(),
                session_timeout: Duration::from_secs(10),
                rebalance_timeout: Duration::from_secs(20),
                protocols: self.protocols.clone(),
            },
            protocol_type: "consumer".into(),
            requires_known_id: self.requires_known_id && self.instance.is_none(),
            may_skip_assignment: self.may_skip_assignment,
        };
        self.phase = Phase::WaitsForJoin(waiter, None);
        broker.join(waiter, request, now);
    }

    fn joined(&mut self, answer: JoinAnswer) {
        match answer.error {
            ErrorCode::NONE => {
                self.id = answer.member_id.clone();
                self.generation = answer.generation;
                self.phase = Phase::Syncs(answer);
            }
            ErrorCode::MEMBER_ID_REQUIRED => self.id = answer.member_id,
            error => self.refused(error),
        }
    }

    fn refused(&mut self, error: ErrorCode) {
        match error {
            ErrorCode::FENCED_INSTANCE_ID => self.crash(),
            ErrorCode::UNKNOWN_MEMBER_ID => self.start_over(),
            _ => self.join_again(),
        }
    }

    fn sync(&mut self, broker: &mut Broker, answer: JoinAnswer, now: Duration) {
        let waiter = broker.waiter();
        let assigns = answer.leader == self.id && !answer.skip_assignment;
        let request = SyncRequest {
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
            generation: answer.generation,
            protocol_type: answer.protocol_type.clone(),
            protocol: answer.protocol.clone(),
            assignments: if assigns { assign(&answer) } else { BTreeMap::new() },
        };
        self.phase = Phase::WaitsForSync(waiter, None);
        broker.sync(waiter, request, now);
    }

    fn synced(&mut self, answer: SyncAnswer, broker: &Broker, checker: &mut Checker) {
        if !answer.error.is_none() {
            return self.refused(answer.error);
        }
        self.owned = answer.assignment.iter().map(|partition| usize::from(*partition)).collect();
        for partition in &self.owned {
            checker.given(self.generation, *partition, self.identity());
        }
        self.phase = Phase::Fetches(broker.placed());
    }

    fn fetch(&mut self, placed: u64, broker: &Broker, checker: &mut Checker) {
        let Some(committed) = broker.committed(placed) else {
            self.phase = Phase::Fetches(placed);
            return;
        };
        for partition in &self.owned {
            checker.fetched(*partition, committed[*partition]);
            self.positions[*partition] = committed[*partition].unwrap_or(0);
        }
        self.phase = Phase::Consumes;
    }

    fn consume(&mut self, broker: &mut Broker, checker: &mut Checker, chance: &mut Chance, now: Duration) {
        self.phase = Phase::Consumes;
        if !self.owned.is_empty() && chance.one_in(2) {
            return self.commit(broker, checker, chance, now);
        }
        let heard = broker.heartbeat(&self.id, self.instance.as_ref(), self.generation, now);
        match heard {
            Ok(()) => self.heard(checker),
            Err(error) => {
                if error == ErrorCode::REBALANCE_IN_PROGRESS && !self.owned.is_empty() {
                    self.commit(broker, checker, chance, now);
                }
                self.refused(error);
            }
        }
    }

    fn commit(&mut self, broker: &mut Broker, checker: &mut Checker, chance: &mut Chance, now: Duration) {
        let partition = self.owned[chance.below(self.owned.len() as u64) as usize];
        self.positions[partition] += 1 + chance.below(3) as i64;
        let offset = self.positions[partition];
        let member = (&self.id, self.instance.as_ref(), self.generation);
        match broker.commit(member, (partition, offset), now) {
            Ok(waiter) => {
                self.commits.insert(waiter, (partition, offset));
                self.heard(checker);
            }
            Err(error) => self.refused(error),
        }
    }

    fn heard(&self, checker: &mut Checker) {
        if let Some(instance) = &self.instance {
            checker.heard(instance, &self.id);
        }
    }

    pub(super) fn leave(&mut self, broker: &mut Broker, now: Duration) {
        let leaver = Leaver { id: self.id.clone(), instance_id: self.instance.clone() };
        self.crash();
        broker.leave(leaver, now);
    }
}

/// An assignment: one byte for each partition.
fn assign(answer: &JoinAnswer) -> BTreeMap<Text, Bytes> {
    let members = answer.members.len();
    let share = |member: usize| {
        let is_mine = |partition: &usize| match answer.protocol.as_deref() {
            Some("range") => partition * members / PARTITIONS == member,
            _ => partition % members == member,
        };
        (0..PARTITIONS).filter(is_mine).map(|partition| partition as u8).collect::<Bytes>()
    };
    answer.members.iter().enumerate().map(|(number, (id, ..))| (id.clone(), share(number))).collect()
}
