//! What a leader was told of what is read there, so that requests name only what has changed since (KIP-227; Kafka:
//! `FetchSessionHandler`).
//!
//! After every answer, what is kept here is what the broker's session has. Whenever that is in doubt, the next request closes
//! the session and wants a new one. A broker that keeps none answers with number 0: then every request names everything, and
//! nothing is kept here either.

use std::collections::HashMap;

use mainstem_protocol::{
    ErrorCode, Offset,
    messages::fetch::{ForgottenTopic, PartitionData},
};

use super::position::Ends;
use crate::{TopicPartition, topic_partition::by_topic};

/// The number of no session.
const NONE: i32 = 0;

/// The epoch of a request that wants a new session.
const INITIAL: i32 = 0;

/// The epoch of a request that closes the session that it names, and wants no other.
const FINAL: i32 = -1;

/// What is read of a leader now: partition, round, offset.
pub(super) type Asked = Vec<(TopicPartition, u64, Offset)>;

/// An answer, by partition.
pub(super) type Answers = HashMap<TopicPartition, PartitionData>;

/// The session at one broker.
#[derive(Debug, Default)]
pub(super) struct FetchSession {
    id: i32,
    /// Of the next request.
    epoch: i32,
    /// What the broker's session has.
    known: HashMap<TopicPartition, Known>,
    turns: u64,
}

/// A partition of the session.
#[derive(Clone, Copy, Debug)]
struct Known {
    offset: Offset,
    /// As they were last told; they are told again only when the high watermark has changed, as it does with every marker of
    /// a transaction.
    ends: Ends,
    /// The last turn that wanted the partition.
    turn: u64,
}

/// What a request says of its session.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) id: i32,
    pub(super) epoch: i32,
    /// What the broker does not know yet.
    pub(super) named: Vec<&'a (TopicPartition, u64, Offset)>,
    /// What it need not know any more.
    pub(super) forgotten: Vec<ForgottenTopic>,
}

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// The broker has another session, or none: it is asked anew at once.
    #[error("the session is over: {0}")]
    Over(ErrorCode),
    /// The broker refuses.
    #[error("{0}")]
    Refused(ErrorCode),
    /// It is not of this session, or has other partitions than were asked for.
    #[error("the answer does not fit the session")]
    Stray,
}

impl FetchSession {
    /// Begins the next request, which wants all of `asked` and nothing else.
    pub(super) fn turn<'a>(&mut self, asked: &'a Asked) -> Turn<'a> {
        self.turns += 1;
        let named = asked.iter().filter(|(partition, _, offset)| self.is_news(partition, *offset)).collect();
        Turn { id: self.id, epoch: self.epoch, named, forgotten: self.forget() }
    }

    /// Whether the broker must be told that a partition is wanted from this offset on.
    fn is_news(&mut self, partition: &TopicPartition, offset: Offset) -> bool {
        if self.is_full() {
            return true;
        }
        let new = Known { offset, ends: Ends::UNKNOWN, turn: self.turns };
        let Some(known) = self.known.get_mut(partition) else {
            self.known.insert(partition.clone(), new);
            return true;
        };
        let ends = known.ends;
        let before = std::mem::replace(known, Known { ends, ..new });
        before.offset != offset
    }

    /// What this turn does not want.
    fn forget(&mut self) -> Vec<ForgottenTopic> {
        let turn = self.turns;
        if self.is_full() || self.known.values().all(|known| known.turn == turn) {
            return Vec::new();
        }
        let forgotten: Vec<_> = self.known.extract_if(|_, known| known.turn != turn).collect();
        let partitions = forgotten.iter().map(|(partition, _)| (&partition.topic, partition.partition));
        let topics = by_topic(partitions).into_iter();
        topics.map(|(topic, partitions)| ForgottenTopic { topic, partitions, ..Default::default() }).collect()
    }

    /// Whether the next request names everything.
    const fn is_full(&self) -> bool {
        self.epoch == INITIAL
    }

    /// Takes the answer to the last turn.
    ///
    /// # Errors
    /// Where it is none; the next turn begins a new session.
    pub(super) fn answered(
        &mut self,
        code: ErrorCode,
        id: i32,
        asked: &Asked,
        answers: &Answers,
    ) -> Result<(), Unfit> {
        let fits = if code.is_none() { self.check(id, asked, answers) } else { Err(self.refused(code)) };
        match fits {
            Ok(()) => self.heed(id, asked, answers),
            Err(_) => self.renew(),
        }
        fits
    }

    /// There is no answer: the broker may have gone on with the session, or not.
    pub(super) fn renew(&mut self) {
        self.epoch = INITIAL;
        self.known.clear();
    }

    fn refused(&mut self, code: ErrorCode) -> Unfit {
        if code == ErrorCode::FETCH_SESSION_ID_NOT_FOUND {
            self.id = NONE;
        }
        let is_over = matches!(
            code,
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND
                | ErrorCode::INVALID_FETCH_SESSION_EPOCH
                | ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
        );
        // A broker that says so of a request for a new session would say so for ever.
        if is_over && !self.is_full() { Unfit::Over(code) } else { Unfit::Refused(code) }
    }

    /// An answer within a session has no partition that was not asked for; the first one has all of them.
    fn check(&mut self, id: i32, asked: &Asked, answers: &Answers) -> Result<(), Unfit> {
        if id == NONE {
            return Ok(());
        }
        let answered = asked.iter().filter(|(partition, ..)| answers.contains_key(partition)).count();
        let is_whole = if self.is_full() { answered == asked.len() } else { id == self.id };
        if self.is_full() {
            self.id = id;
        }
        if is_whole && answered == answers.len() { Ok(()) } else { Err(Unfit::Stray) }
    }

    fn heed(&mut self, id: i32, asked: &Asked, answers: &Answers) {
        if self.is_full() && id != NONE {
            let known = |offset| Known { offset, ends: Ends::UNKNOWN, turn: self.turns };
            self.known =
                asked.iter().map(|(partition, _, offset)| (partition.clone(), known(*offset))).collect();
        }
        for (partition, data) in answers {
            let known = self.known.get_mut(partition);
            known.into_iter().for_each(|known| known.ends = Ends::told(data));
        }
        (self.id, self.epoch) = if id == NONE { (NONE, INITIAL) } else { (id, next(self.epoch)) };
    }

    /// The ends of a partition of which nothing new was told.
    pub(super) fn ends(&self, partition: &TopicPartition) -> Option<Ends> {
        self.known.get(partition).map(|known| known.ends)
    }

    /// What closes the session, where there is one: its number and the epoch to send.
    pub(super) fn close(self) -> Option<(i32, i32)> {
        (self.id != NONE).then_some((self.id, FINAL))
    }
}

/// After the largest epoch comes 1.
const fn next(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

#[cfg(test)]
mod tests;
