//! The machine with a log that is slow, fails at times, and is all that a restart leaves.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use mainstem_protocol::{ErrorCode, Text, Timestamp, formats::offsets::GroupMetadataValue};

use super::client::PARTITIONS;
use crate::group::{
    classic::{
        Action, Checked, Group, JoinAnswer, JoinRequest, Leaver, Limits, Store, SyncAnswer, SyncRequest,
        Waiter,
    },
    coordinator::{metadata, restored},
};

/// What a broker does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    HandsOutEarly,
    GenerationStands,
    AcceptsStaleCommits,
    AnswersCommitsEarly,
    ForgetsAnOffset,
    SessionsNeverEnd,
    ForgetsTheLeadersAnswer,
    HearsFencedMembers,
}

/// What has its place and is not committed yet.
enum Entry {
    Generation { bytes: Bytes, store: Option<Box<Store>> },
    Offset { partition: usize, offset: i64, waiter: Waiter },
}

pub(super) enum Answer {
    Joined(Waiter, JoinAnswer),
    Synced(Waiter, SyncAnswer),
    Committed(Waiter, Checked),
}

pub(super) struct Broker {
    pub(super) group: Group,
    /// Answers that are to be delivered.
    pub(super) answers: Vec<Answer>,
    fault: Fault,
    stored: Option<Bytes>,
    offsets: [Option<i64>; PARTITIONS],
    in_flight: VecDeque<Entry>,
    placed: u64,
    decided: u64,
    waiters: u64,
}

const ID: Text = Text::from_static("g");

const LIMITS: Limits = Limits { members_max: 100, initial_delay: Duration::from_secs(1) };

impl Broker {
    pub(super) fn new(fault: Fault) -> Self {
        Self {
            group: Group::new(ID, LIMITS),
            answers: Vec::new(),
            fault,
            stored: None,
            offsets: [None; PARTITIONS],
            in_flight: VecDeque::new(),
            placed: 0,
            decided: 0,
            waiters: 0,
        }
    }

    pub(super) fn waiter(&mut self) -> Waiter {
        self.waiters += 1;
        Waiter(self.waiters)
    }

    pub(super) fn join(&mut self, waiter: Waiter, request: JoinRequest, now: Duration) {
        self.act(now, |group| group.join(waiter, request, now));
    }

    pub(super) fn sync(&mut self, waiter: Waiter, request: SyncRequest, now: Duration) {
        self.act(now, |group| group.sync(waiter, request, now));
    }

    pub(super) fn leave(&mut self, leaver: Leaver, now: Duration) {
        self.act(now, |group| {
            let mut actions = Vec::new();
            group.leave(&[leaver], now, &mut actions);
            actions
        });
    }

    pub(super) fn heartbeat(
        &mut self,
        id: &Text,
        instance: Option<&Text>,
        generation: i32,
        now: Duration,
    ) -> Checked {
        let heard = self.group.heartbeat(id, instance, generation, now);
        let is_fenced = heard == Err(ErrorCode::FENCED_INSTANCE_ID);
        if is_fenced && self.fault == Fault::HearsFencedMembers { Ok(()) } else { heard }
    }

    /// Lets time pass, if the group has asked for it.
    pub(super) fn tick(&mut self, now: Duration) {
        if self.fault == Fault::SessionsNeverEnd {
            let far = now + Duration::from_secs(1_000_000);
            self.group.members.values_mut().for_each(|member| member.expires = far);
        }
        if self.group.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.act(now, |group| group.tick(now));
        }
    }

    /// Gives a commit its place, or refuses it.
    pub(super) fn commit(
        &mut self,
        (id, instance, generation): (&Text, Option<&Text>, i32),
        (partition, offset): (usize, i64),
        now: Duration,
    ) -> Result<Waiter, ErrorCode> {
        let checked = self.group.check_commit(id, instance, generation, now);
        let is_stale = checked == Err(ErrorCode::ILLEGAL_GENERATION);
        if !(is_stale && self.fault == Fault::AcceptsStaleCommits) {
            checked?;
        }
        let waiter = self.waiter();
        self.place(Entry::Offset { partition, offset, waiter });
        if self.fault == Fault::AnswersCommitsEarly {
            self.answers.push(Answer::Committed(waiter, Ok(())));
        }
        Ok(waiter)
    }

    /// The number of the last commit that must be decided before offsets may be read.
    pub(super) const fn placed(&self) -> u64 {
        self.placed
    }

    /// What is committed, if everything up to `placed` is decided.
    pub(super) fn committed(&self, placed: u64) -> Option<[Option<i64>; PARTITIONS]> {
        (self.decided >= placed).then_some(self.offsets)
    }

    fn act(&mut self, now: Duration, act: impl FnOnce(&mut Group) -> Vec<Action>) {
        let before = self.group.generation;
        let actions = act(&mut self.group);
        let stands = self.fault == Fault::GenerationStands && before > 0;
        if stands {
            self.group.generation = before;
        }
        for action in actions {
            match action {
                Action::Joined(waiter, mut answer) => {
                    if stands && answer.generation > before {
                        answer.generation = before;
                    }
                    self.answers.push(Answer::Joined(waiter, answer));
                }
                Action::Synced(waiter, answer) => self.answer_sync(waiter, answer),
                Action::Store(mut store) => {
                    store.generation = self.group.generation;
                    self.place_generation(store, now);
                }
            }
        }
    }

    fn answer_sync(&mut self, waiter: Waiter, answer: SyncAnswer) {
        let is_forgotten = self.fault == Fault::ForgetsTheLeadersAnswer && answer.error.is_none();
        if !is_forgotten {
            self.answers.push(Answer::Synced(waiter, answer));
        }
    }

    fn place_generation(&mut self, store: Store, now: Duration) {
        let value = metadata(&self.group, &store.assignments, Timestamp(0));
        let bytes = value.to_bytes(GroupMetadataValue::WRITTEN_VERSION).unwrap();
        if self.fault == Fault::HandsOutEarly {
            self.place(Entry::Generation { bytes, store: None });
            self.act(now, |group| group.stored(store, Ok(()), now));
        } else {
            self.place(Entry::Generation { bytes, store: Some(Box::new(store)) });
        }
    }

    fn place(&mut self, entry: Entry) {
        self.placed += 1;
        self.in_flight.push_back(entry);
    }

    /// The disk gets to the oldest entry, or fails to.
    pub(super) fn settle(&mut self, result: Checked, now: Duration) {
        if let Some(store) = self.decide(result) {
            self.act(now, |group| group.stored(store, result, now));
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.in_flight.is_empty()
    }

    fn decide(&mut self, result: Checked) -> Option<Store> {
        let entry = self.in_flight.pop_front()?;
        self.decided += 1;
        match entry {
            Entry::Generation { bytes, store } => {
                if result.is_ok() {
                    self.stored = Some(bytes);
                }
                store.map(|store| *store)
            }
            Entry::Offset { partition, offset, waiter } => {
                if result.is_ok() {
                    self.offsets[partition] = Some(offset);
                }
                self.answers.push(Answer::Committed(waiter, result));
                None
            }
        }
    }

    /// Starts again from the log, of which the oldest `kept` entries in flight have still made it, unheard.
    pub(super) fn restart(&mut self, kept: u64, now: Duration) {
        for _ in 0..kept {
            self.decide(Ok(()));
        }
        self.decided = self.placed;
        self.in_flight.clear();
        self.answers.clear();
        if self.fault == Fault::ForgetsAnOffset {
            self.offsets[0] = None;
        }
        self.group = match &self.stored {
            Some(bytes) => restored(&ID, GroupMetadataValue::from_bytes(bytes.clone()).unwrap(), LIMITS, now),
            None => Group::new(ID, LIMITS),
        };
    }

    /// Which member holds each instance.
    pub(super) fn instances(&self) -> BTreeMap<Text, Text> {
        self.group.static_members.clone()
    }
}
