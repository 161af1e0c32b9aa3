//! The broker of a schedule: a log of groups, of which a part is durable, and the machine over it.

use mainstem_protocol::{ErrorCode, PartitionId, ProducerId, Text, Timestamp};

use super::{
    super::{MOST, Outcome, Partitions, Producer, State, Step, Transaction, Version},
    checker::Checker,
    client::{Client, Request, What},
};
use crate::{chance::Chance, transaction::machine::Change};

/// Partitions that clients write to.
pub(super) const PARTITIONS: i32 = 3;
const TIMEOUT_MS: i32 = 1000;
const STEPS: usize = 200;
const TOPIC: Text = Text::from_static("t");

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    MarkersApart,
    AnswersEarly,
    IgnoresEpochs,
    EndKeepsEpoch,
    TakeOverKeepsEpoch,
    KeepsFailedChanges,
    ForgetsAPartition,
    WritesUnverified,
}

/// The name of one transaction of one producer.
pub(super) type Tag = u32;

/// What becomes durable together.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) state: Option<Transaction>,
    pub(super) markers: Vec<(PartitionId, Producer, Outcome)>,
    pub(super) data: Option<(PartitionId, Producer, Tag)>,
}

/// What happened in a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) commits: usize,
    pub(super) aborts: usize,
    pub(super) timeouts: usize,
    pub(super) restarts: usize,
    pub(super) rotations: usize,
    pub(super) repeats: usize,
    pub(super) groups: usize,
}

pub(super) type Answer = Result<Producer, ErrorCode>;

/// An answer that waits for everything before `behind` to be durable.
struct Pending {
    behind: usize,
    request: Request,
    answer: Answer,
    /// A copy, whose answer nobody waits for.
    is_copy: bool,
}

pub(super) struct World {
    chance: Chance,
    fault: Fault,
    now: Timestamp,
    next_id: i64,
    log: Vec<Group>,
    durable: usize,
    transaction: Option<Transaction>,
    pending: Vec<Pending>,
    clients: Vec<Client>,
    /// Copies of requests that are still on their way.
    delayed: Vec<Request>,
    checker: Checker,
    counts: Counts,
}

impl World {
    pub(super) fn run(seed: u64, fault: Fault) -> Result<Counts, String> {
        let mut world = Self {
            chance: Chance::new(seed),
            fault,
            now: Timestamp(1),
            next_id: 0,
            log: Vec::new(),
            durable: 0,
            transaction: None,
            pending: Vec::new(),
            clients: Vec::new(),
            delayed: Vec::new(),
            checker: Checker::default(),
            counts: Counts::default(),
        };
        for _ in 0..STEPS {
            world.step();
            world.checker.result()?;
        }
        world.settle();
        world.checker.finish(&world.log);
        world.checker.result()?;
        world.counts.groups = world.log.len();
        Ok(world.counts)
    }

    fn step(&mut self) {
        self.now.0 += 1 + self.chance.below(20) as i64;
        match self.chance.below(100) {
            0..=1 => self.start_client(),
            2..=3 => self.restart(),
            4 => self.late(),
            5 => self.wear_out(),
            6..=35 => self.sync(),
            36..=45 => self.deliver_copy(),
            _ => self.deliver(),
        }
    }

    fn start_client(&mut self) {
        let version = if self.chance.one_in(3) { Version::V1 } else { Version::V2 };
        let number = self.clients.len();
        self.clients.push(Client::new(number, version));
    }

    /// The next request of some client goes to the broker.
    fn deliver(&mut self) {
        if self.clients.is_empty() {
            return self.start_client();
        }
        let at = self.chance.below(self.clients.len() as u64) as usize;
        let Some(request) = self.clients[at].request(&mut self.chance) else { return };
        // In the first version a late batch, or one of a transaction before, would be taken for one of this: that is why there
        // is a second.
        let is_end = matches!(request.what, What::End(_));
        if self.chance.one_in(3) && (request.version == Version::V2 || is_end) {
            self.delayed.push(request.clone());
        }
        self.handle(request, false);
    }

    fn deliver_copy(&mut self) {
        let clients = &self.clients;
        self.delayed.retain(|copy| copy.version == Version::V2 || clients[copy.client].is_at(copy.tag));
        if !self.delayed.is_empty() {
            let at = self.chance.below(self.delayed.len() as u64) as usize;
            let request = self.delayed.swap_remove(at);
            self.handle(request, true);
        }
    }

    /// The machine decides, the log takes it, and the answer waits.
    fn handle(&mut self, request: Request, is_copy: bool) {
        let Step { change, answer } = self.decide(&request);
        let is_write = answer.is_ok() && matches!(request.what, What::Write(_));
        let data = match request.what {
            What::Write(partition) if is_write => Some((partition, request.producer, request.tag)),
            _ => None,
        };
        let answer = if (change.is_some() || data.is_some()) && self.chance.one_in(12) {
            if let (Fault::KeepsFailedChanges, Some(change)) = (self.fault, change) {
                self.transaction = Some(change.next);
            }
            Err(ErrorCode::COORDINATOR_NOT_AVAILABLE)
        } else {
            self.place(change, data, &request);
            answer
        };
        self.pending.push(Pending { behind: self.log.len(), request, answer, is_copy });
        if self.fault == Fault::AnswersEarly {
            self.answer();
        }
    }

    fn decide(&mut self, request: &Request) -> Step<Producer> {
        let (id, now, producer) = (ProducerId(self.next_id), self.now, request.producer);
        let fresh = Some(id);
        if let What::Init(expected) = request.what {
            self.next_id += 1;
            let known = self.transaction.clone();
            let known = known.unwrap_or_else(|| Transaction::new(id, TIMEOUT_MS, now));
            let mut step = known.init(expected, TIMEOUT_MS, fresh, now).unwrap();
            if let (Fault::TakeOverKeepsEpoch, Some(change)) = (self.fault, &mut step.change) {
                change.next.producer = known.producer;
                change.next.producer.epoch.0 = change.next.producer.epoch.0.max(0);
                step.answer = step.answer.map(|_| change.next.producer);
            }
            return step;
        }
        let Some(known) = &self.transaction else {
            return Step::refused(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        };
        match request.what {
            What::Init(_) => unreachable!("answered above"),
            What::End(outcome) => {
                let version = match (self.fault, request.version) {
                    (Fault::EndKeepsEpoch, _) => Version::V1,
                    (_, version) => version,
                };
                self.next_id += 1;
                known.end(producer, outcome, version, fresh, now).unwrap()
            }
            What::Add(partition) => self.add(known, producer, partition),
            What::Write(_) if self.fault == Fault::WritesUnverified => {
                Step { change: None, answer: Ok(producer) }
            }
            What::Write(partition) if request.version == Version::V2 => self.add(known, producer, partition),
            What::Write(partition) => {
                let verified = known.verify(producer, &TOPIC, partition);
                Step { change: None, answer: verified.map(|()| producer) }
            }
        }
    }

    fn add(&self, known: &Transaction, producer: Producer, partition: PartitionId) -> Step<Producer> {
        let partitions: Partitions = [(&TOPIC, partition)].into_iter().collect();
        let claimed = if self.fault == Fault::IgnoresEpochs { known.producer } else { producer };
        let Step { change, answer } = known.add(claimed, &partitions, MOST, self.now);
        Step { change, answer: answer.map(|()| producer) }
    }

    fn place(
        &mut self,
        change: Option<Change>,
        data: Option<(PartitionId, Producer, Tag)>,
        request: &Request,
    ) {
        if change.is_none() && data.is_none() {
            return;
        }
        if let Some((_, _, tag)) = data {
            self.checker.written(tag, request.client);
        }
        let mut group = Group { data, ..Group::default() };
        let Some(Change { next, markers }) = change else { return self.log.push(group) };
        if let Some(markers) = markers {
            if let What::End(_) = request.what {
                self.checker.ended(&self.log, markers.producer.id, request);
            }
            let each = markers.partitions.iter();
            group.markers = each.map(|(_, id)| (id, markers.producer, markers.outcome)).collect();
        }
        let before = self.transaction.as_ref().map(|before| before.producer.id);
        self.counts.rotations += usize::from(before.is_some_and(|before| before != next.producer.id));
        group.state = Some(next.clone());
        self.transaction = Some(next);
        let apart =
            if self.fault == Fault::MarkersApart { std::mem::take(&mut group.markers) } else { Vec::new() };
        self.log.push(group);
        self.log.extend(apart.into_iter().map(|marker| Group { markers: vec![marker], ..Group::default() }));
    }

    /// Some of the log becomes durable.
    fn sync(&mut self) {
        let waiting = (self.log.len() - self.durable) as u64;
        self.durable += self.chance.below(waiting + 1) as usize;
        self.answer();
    }

    fn answer(&mut self) {
        let durable = if self.fault == Fault::AnswersEarly { self.log.len() } else { self.durable };
        let (ready, waiting) =
            std::mem::take(&mut self.pending).into_iter().partition(|p| p.behind <= durable);
        self.pending = waiting;
        let ready: Vec<Pending> = ready;
        for Pending { request, answer, is_copy, .. } in ready {
            self.counts.repeats += usize::from(is_copy && answer.is_ok());
            self.checker.answered(&request, &answer);
            // Some answers get lost on the way.
            if !is_copy && !self.chance.one_in(10) {
                self.clients[request.client].answered(&request, &answer);
                self.count(&request, &answer);
            }
        }
    }

    fn count(&mut self, request: &Request, answer: &Answer) {
        match (request.what, answer) {
            (What::End(Outcome::Commit), Ok(_)) => self.counts.commits += 1,
            (What::End(Outcome::Abort), Ok(_)) => self.counts.aborts += 1,
            _ => {}
        }
    }

    /// What is not durable is lost, and so is every answer that waited for it.
    fn restart(&mut self) {
        self.counts.restarts += 1;
        self.durable += self.chance.below((self.log.len() - self.durable) as u64 + 1) as usize;
        self.log.truncate(self.durable);
        self.pending.clear();
        let stored = self.log.iter().rev().find_map(|group| group.state.as_ref());
        self.transaction = stored.map(super::super::restarted);
        if let (Fault::ForgetsAPartition, Some(transaction)) = (self.fault, &mut self.transaction) {
            let kept: Vec<_> = transaction.partitions.iter().skip(1).collect();
            transaction.partitions = kept.into_iter().collect();
        }
    }

    /// Time passes, and what is too late is aborted.
    fn late(&mut self) {
        self.now.0 += i64::from(TIMEOUT_MS) * self.chance.below(2) as i64;
        let Some(change) = self.transaction.as_ref().and_then(|known| known.time_out(self.now)) else {
            return;
        };
        self.counts.timeouts += 1;
        self.place(Some(change), None, &Request::of_broker());
    }

    /// Epochs are nearly used up, as after years.
    fn wear_out(&mut self) {
        if let Some(known) = &self.transaction
            && known.state == State::Empty
        {
            let mut next = known.clone();
            next.producer.epoch.0 = next.producer.epoch.0.max(i16::MAX - 3);
            self.place(Some(Change { next, markers: None }), None, &Request::of_broker());
        }
    }

    /// Everything becomes durable, and what is open is aborted in the end.
    fn settle(&mut self) {
        self.durable = self.log.len();
        self.answer();
        self.now.0 += i64::from(TIMEOUT_MS) + 1;
        if let Some(change) = self.transaction.as_ref().and_then(|known| known.time_out(self.now)) {
            self.place(Some(change), None, &Request::of_broker());
        }
        self.durable = self.log.len();
    }
}
