//! A producer of a schedule: it takes the transactional id, and then has one transaction after the other.

use mainstem_protocol::{ErrorCode, PartitionId, ProducerEpoch, ProducerId};

use super::{
    super::{Outcome, Producer, Version},
    world::{Answer, PARTITIONS, Tag},
};
use crate::chance::Chance;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Init(Option<Producer>),
    Add(PartitionId),
    Write(PartitionId),
    End(Outcome),
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) client: usize,
    pub(super) version: Version,
    pub(super) producer: Producer,
    pub(super) tag: Tag,
    pub(super) what: What,
}

pub(super) struct Client {
    number: usize,
    version: Version,
    producer: Option<Producer>,
    /// What was asked for and not answered: it is asked for again.
    asked: Option<Request>,
    transactions: u32,
    added: Vec<PartitionId>,
    /// The transaction is about to end so.
    ending: Option<Outcome>,
    is_fenced: bool,
}

const NOBODY: Producer = Producer { id: ProducerId::NONE, epoch: ProducerEpoch::NONE };

impl Request {
    /// What the broker does of itself.
    pub(super) const fn of_broker() -> Self {
        Self { client: usize::MAX, version: Version::V2, producer: NOBODY, tag: 0, what: What::Init(None) }
    }
}

impl Client {
    pub(super) const fn new(number: usize, version: Version) -> Self {
        Self {
            number,
            version,
            producer: None,
            asked: None,
            transactions: 0,
            added: Vec::new(),
            ending: None,
            is_fenced: false,
        }
    }

    /// What it asks for next, or again.
    pub(super) fn request(&mut self, chance: &mut Chance) -> Option<Request> {
        if self.is_fenced {
            return None;
        }
        if self.asked.is_none() {
            let what = self.next(chance);
            let producer = self.producer.unwrap_or(NOBODY);
            self.asked =
                Some(Request { client: self.number, version: self.version, producer, tag: self.tag(), what });
        }
        self.asked.clone()
    }

    fn next(&mut self, chance: &mut Chance) -> What {
        if self.producer.is_none() {
            return What::Init(None);
        }
        let partition = PartitionId(chance.below(PARTITIONS as u64) as i32);
        if let Some(outcome) = self.ending {
            return What::End(outcome);
        }
        if !self.added.is_empty() && chance.one_in(3) {
            let outcome = if chance.one_in(3) { Outcome::Abort } else { Outcome::Commit };
            self.ending = Some(outcome);
            return What::End(outcome);
        }
        if self.added.is_empty() && chance.one_in(12) {
            return What::Init(self.producer);
        }
        match self.version {
            Version::V1 if !self.added.contains(&partition) => What::Add(partition),
            Version::V1 | Version::V2 => What::Write(partition),
        }
    }

    /// Whether it has not gone on to another transaction.
    pub(super) fn is_at(&self, tag: Tag) -> bool {
        self.tag() == tag
    }

    /// Each transaction has a name of its own.
    fn tag(&self) -> Tag {
        self.number as u32 * 1000 + self.transactions
    }

    pub(super) fn answered(&mut self, request: &Request, answer: &Answer) {
        let is_awaited = self.asked.as_ref().is_some_and(|asked| {
            (asked.tag, asked.what, asked.producer) == (request.tag, request.what, request.producer)
        });
        if !is_awaited {
            return;
        }
        match answer {
            Ok(producer) => self.go_on(request.what, *producer),
            Err(ErrorCode::CONCURRENT_TRANSACTIONS | ErrorCode::COORDINATOR_NOT_AVAILABLE) => {}
            Err(_) => self.is_fenced = true,
        }
    }

    fn go_on(&mut self, what: What, producer: Producer) {
        self.asked = None;
        match what {
            What::Init(_) => self.producer = Some(producer),
            What::Add(partition) | What::Write(partition) => self.added.push(partition),
            What::End(_) => {
                self.producer = Some(producer);
                self.ending = None;
                self.added.clear();
                self.transactions += 1;
            }
        }
    }
}
