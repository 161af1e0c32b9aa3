//! Clients, a broker, and what happens to them.

use std::time::Duration;

use mainstem_protocol::ErrorCode;

use super::{
    broker::{Answer, Broker, Fault},
    chance::Chance,
    checker::Checker,
    client::{Client, PARTITIONS},
};
use crate::group::classic::State;

const SECOND: Duration = Duration::from_secs(1);

/// How long it is quiet at most until the group must have settled: everybody who is gone is missed by then.
const QUIET_SECONDS_MAX: u32 = 1000;

pub(super) struct World {
    chance: Chance,
    now: Duration,
    broker: Broker,
    clients: Vec<Client>,
    checker: Checker,
}

impl World {
    /// Runs the schedule of a seed; what it returns stands for all that happened.
    pub(super) fn run(seed: u64, fault: Fault) -> Result<String, String> {
        let mut chance = Chance::new(seed);
        // Two that share an instance: one of them is what is left of a process that was replaced.
        let instances = [None, None, Some("i"), Some("i"), Some("j"), None];
        let clients = instances.iter().enumerate();
        let clients = clients.map(|(number, instance)| Client::new(number, *instance, &mut chance)).collect();
        let (broker, checker) = (Broker::new(fault), Checker::default());
        let mut world = Self { chance, now: 1000 * SECOND, broker, clients, checker };
        for _ in 0..2 {
            world.disturb()?;
            world.settle()?;
        }
        Ok(format!("{:?} {:?}", world.now, world.broker.group))
    }

    fn disturb(&mut self) -> Result<(), String> {
        for _ in 0..20 + self.chance.below(60) {
            self.happen();
            self.deliver();
            self.checker.result()?;
        }
        Ok(())
    }

    fn happen(&mut self) {
        let client = self.chance.below(self.clients.len() as u64) as usize;
        match self.chance.below(100) {
            0..10 => self.clients[client].is_running = true,
            10..60 => self.act(client),
            60..70 => self.settle_some(),
            70..82 => {
                let millis = 1 + self.chance.below(4000);
                self.pass(Duration::from_millis(millis));
            }
            82..85 => self.clients[client].crash(),
            85..88 => {
                let silence = u32::try_from(self.chance.below(40)).unwrap_or_default();
                self.clients[client].sleeps_until = self.now + silence * SECOND;
            }
            88..91 => self.clients[client].give_up(),
            91..94 if self.clients[client].is_running => {
                self.clients[client].leave(&mut self.broker, self.now);
            }
            94..96 => self.broker.settle(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE), self.now),
            96..98 => self.restart(),
            _ => self.act(client),
        }
    }

    fn act(&mut self, number: usize) {
        let client = &mut self.clients[number];
        if client.is_running && client.sleeps_until <= self.now {
            client.act(&mut self.broker, &mut self.checker, &mut self.chance, self.now);
        }
    }

    fn settle_some(&mut self) {
        for _ in 0..1 + self.chance.below(4) {
            self.broker.settle(Ok(()), self.now);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.broker.tick(self.now);
    }

    fn restart(&mut self) {
        let kept = self.chance.below(4);
        self.broker.restart(kept, self.now);
        self.clients.iter_mut().for_each(Client::disconnect);
        self.checker.instances_are(self.broker.instances());
    }

    fn deliver(&mut self) {
        for answer in std::mem::take(&mut self.broker.answers) {
            match answer {
                Answer::Joined(waiter, answer) => {
                    self.clients.iter_mut().for_each(|client| client.hear_join(waiter, &answer));
                    let member = self.broker.group.members.get(&answer.member_id);
                    let instance = member.and_then(|member| member.profile.instance_id.clone());
                    if let Some(instance) = instance.filter(|_| answer.error.is_none()) {
                        self.checker.instance_is(instance, answer.member_id);
                    }
                }
                Answer::Synced(waiter, answer) => {
                    self.clients.iter_mut().for_each(|client| client.hear_sync(waiter, &answer));
                }
                Answer::Committed(waiter, result) => {
                    let checker = &mut self.checker;
                    let hear = |client: &mut Client| client.hear_commit(waiter, result.is_ok(), checker);
                    self.clients.iter_mut().for_each(hear);
                }
            }
        }
    }

    /// From here on nobody fails, and nobody is slow.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..QUIET_SECONDS_MAX {
            self.quiet_second()?;
            if self.is_settled() {
                return Ok(());
            }
        }
        Err(format!("the group did not settle: {:?}, {:?}", self.broker.group, self.clients))
    }

    fn quiet_second(&mut self) -> Result<(), String> {
        self.pass(SECOND);
        for number in 0..self.clients.len() {
            self.act(number);
            self.deliver();
            while !self.broker.is_settled() {
                self.broker.settle(Ok(()), self.now);
                self.deliver();
            }
            self.checker.result()?;
        }
        Ok(())
    }

    /// Whether all who run share all partitions, and nobody else is in the group.
    fn is_settled(&self) -> bool {
        let group = &self.broker.group;
        let running = self.clients.iter().filter(|client| client.is_running);
        if running.clone().next().is_none() {
            return group.is_empty() && group.state == State::Empty;
        }
        let mut owned = [0; PARTITIONS];
        let mut members = 0;
        for client in running {
            let Some(owns) = client.owns(group.generation) else { return false };
            owns.iter().for_each(|partition| owned[*partition] += 1);
            members += 1;
        }
        group.state == State::Stable && group.members.len() == members && owned == [1; PARTITIONS]
    }
}
