//! A sequence on both brokers: sent to one and the other step by step, the answers compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use mainstem_protocol::{
    ApiKey, ErrorCode,
    messages::{FetchRequest, RequestBody},
};

use crate::{
    compare::{Difference, differences},
    differences::Known,
    normal::normal,
    side::Side,
    socket::{Outcome, Spoilt},
    step::{Step, Wait},
    table::Table,
    tree::Tree,
};

/// How often Kafka is asked again for what comes about a moment later.
const REPEATS: usize = 100;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// How often a shorter sequence is tried.
const TRIES: usize = 60;

/// Refusals without effect, while a broker is getting ready.
const NOT_YET: &[ErrorCode] = &[
    ErrorCode::LEADER_NOT_AVAILABLE,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ErrorCode::NOT_COORDINATOR,
    ErrorCode::CONCURRENT_TRANSACTIONS,
];

pub(crate) struct Duel {
    pub(crate) kafka: Side,
    pub(crate) mainstem: Side,
    pub(crate) known: Vec<Known>,
    /// What was asked.
    pub(crate) covered: BTreeSet<(ApiKey, i16)>,
    /// How it was answered.
    pub(crate) table: Table,
    run: String,
    rounds: usize,
}

/// A sequence whose answers differ.
pub(crate) struct Lost {
    pub(crate) differences: Vec<Difference>,
    transcript: String,
}

/// A request that was sent and is not answered yet.
struct Pending {
    version: i16,
    slot: usize,
    kafka: RequestBody,
    mainstem: RequestBody,
}

impl Duel {
    pub(crate) fn new(mut kafka: Side, mut mainstem: Side, known: Vec<Known>) -> Self {
        kafka.get_ready();
        mainstem.get_ready();
        let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is set").as_millis() % 1_000_000_000;
        let run = format!("d{now}");
        Self { kafka, mainstem, known, covered: BTreeSet::new(), table: Table::default(), run, rounds: 0 }
    }

    /// Plays the sequence until the answers differ.
    pub(crate) fn play(&mut self, steps: &[&Step]) -> Option<Lost> {
        self.rounds += 1;
        let prefix = format!("{}-{}-", self.run, self.rounds);
        self.kafka.begin(&prefix);
        self.mainstem.begin(&prefix);
        let lost = Round { duel: self, pending: BTreeMap::new(), transcript: String::new() }.play(steps);
        self.kafka.end();
        self.mainstem.end();
        lost
    }

    /// The sequence without the steps that the difference does not need.
    pub(crate) fn shrink(&mut self, steps: &[Step], lost: Lost) -> Lost {
        let mut left: Vec<&Step> = steps.iter().collect();
        let (mut lost, mut tries) = (lost, 0);
        let table = self.table.clone();
        let mut at = left.len();
        while at > 0 && tries < TRIES {
            at -= 1;
            tries += 1;
            let mut fewer = left.clone();
            fewer.remove(at);
            match self.play(&fewer) {
                Some(again) if again.kind() == lost.kind() => (left, lost) = (fewer, again),
                _ => {}
            }
            at = at.min(left.len());
        }
        // What is asked again to find the shortest form says nothing new.
        self.table = table;
        lost
    }

    fn unexcused(&self, differences: Vec<Difference>) -> Vec<Difference> {
        differences.into_iter().filter(|it| !self.known.iter().any(|known| known.excuses(it))).collect()
    }
}

struct Round<'a> {
    duel: &'a mut Duel,
    pending: BTreeMap<usize, Pending>,
    transcript: String,
}

impl Round<'_> {
    fn play(mut self, steps: &[&Step]) -> Option<Lost> {
        for step in steps {
            let mut found = self.collect(step.client);
            if found.is_empty() {
                found = self.step(step);
            }
            if !found.is_empty() {
                return Some(Lost { differences: found, transcript: self.transcript });
            }
        }
        let waiting: Vec<_> = self.pending.keys().copied().collect();
        let found: Vec<_> = waiting.into_iter().flat_map(|client| self.collect(client)).collect();
        (!found.is_empty()).then_some(Lost { differences: found, transcript: self.transcript })
    }

    fn step(&mut self, step: &Step) -> Vec<Difference> {
        let Step { version, client, slot, spoilt, wait, .. } = *step;
        let (kafka, mainstem) = (step.request(&self.duel.kafka), step.request(&self.duel.mainstem));
        let sent = if let Some(Spoilt::Version(version)) = spoilt { version } else { version };
        self.duel.covered.insert((kafka.key(), sent));
        let spoilt_as = spoilt.map_or_else(String::new, |spoilt| format!(", spoilt: {spoilt:?}"));
        let _ = writeln!(self.transcript, "[{client}] v{version} {kafka:?}{spoilt_as} {}", step.note);
        self.duel.kafka.send(client, version, &kafka, spoilt);
        if let Wait::UntilOthersJoin(group) = wait {
            self.duel.mainstem.send(client, version, &mainstem, spoilt);
            self.duel.kafka.await_rebalance(group);
            self.duel.mainstem.await_rebalance(group);
            self.pending.insert(client, Pending { version, slot, kafka, mainstem });
            return Vec::new();
        }
        let outcome = self.duel.kafka.outcome(client, version, &kafka);
        self.duel.mainstem.send(client, version, &mainstem, spoilt);
        let mut ours = self.duel.mainstem.outcome(client, version, &mainstem);
        if spoilt.is_some() {
            return self.judge(kafka.key(), version, &outcome, &ours);
        }
        let outcome = until_ready(&mut self.duel.kafka, client, version, &kafka, outcome);
        ours = until_ready(&mut self.duel.mainstem, client, version, &mainstem, ours);
        let pending = Pending { version, slot, kafka, mainstem };
        self.settle(client, &pending, outcome, &ours)
    }

    /// The answer to what had to wait.
    fn collect(&mut self, client: usize) -> Vec<Difference> {
        let Some(pending) = self.pending.remove(&client) else { return Vec::new() };
        let outcome = self.duel.kafka.outcome(client, pending.version, &pending.kafka);
        let ours = self.duel.mainstem.outcome(client, pending.version, &pending.mainstem);
        let _ = writeln!(self.transcript, "[{client}] answer to an earlier {:?}", pending.kafka.key());
        self.learn(&pending, &outcome, &ours);
        self.judge(pending.kafka.key(), pending.version, &outcome, &ours)
    }

    fn learn(&mut self, pending: &Pending, outcome: &Outcome, ours: &Outcome) {
        if let Outcome::Answer(response) = outcome {
            self.duel.kafka.learn(pending.slot, &pending.kafka, response);
        }
        if let Outcome::Answer(response) = ours {
            self.duel.mainstem.learn(pending.slot, &pending.mainstem, response);
        }
    }

    /// Compares; what only reads is asked of Kafka until it agrees, since what was changed before comes about there a
    /// moment later.
    fn settle(
        &mut self,
        client: usize,
        pending: &Pending,
        mut outcome: Outcome,
        ours: &Outcome,
    ) -> Vec<Difference> {
        let Pending { version, ref kafka, .. } = *pending;
        self.learn(pending, &outcome, ours);
        let repeats = if only_reads(kafka) { REPEATS / 4 } else { 0 };
        for _ in 0..repeats {
            if self.quietly_agree(kafka.key(), version, &outcome, ours) {
                break;
            }
            std::thread::sleep(PAUSE);
            self.duel.kafka.send(client, version, kafka, None);
            outcome = self.duel.kafka.outcome(client, version, kafka);
            self.learn(pending, &outcome, ours);
        }
        self.judge(kafka.key(), version, &outcome, ours)
    }

    fn quietly_agree(&self, key: ApiKey, version: i16, kafka: &Outcome, mainstem: &Outcome) -> bool {
        let (kafka, mainstem) = self.trees(kafka, mainstem);
        self.duel.unexcused(differences(key.name(), version, &kafka, &mainstem)).is_empty()
    }

    fn judge(&mut self, key: ApiKey, version: i16, kafka: &Outcome, mainstem: &Outcome) -> Vec<Difference> {
        let (kafka, mainstem) = self.trees(kafka, mainstem);
        let found = self.duel.unexcused(differences(key.name(), version, &kafka, &mainstem));
        self.duel.table.note(key, version, found.is_empty());
        if found.is_empty() {
            let _ = writeln!(self.transcript, "    both: {kafka}");
        } else {
            let _ = writeln!(self.transcript, "    Kafka:    {kafka}\n    Mainstem: {mainstem}");
        }
        found
    }

    fn trees(&self, kafka: &Outcome, mainstem: &Outcome) -> (Tree, Tree) {
        (normal(kafka, &self.duel.kafka), normal(mainstem, &self.duel.mainstem))
    }
}

impl Lost {
    /// What makes it another difference than one that was seen before.
    pub(crate) fn kind(&self) -> String {
        let kind = |it: &Difference| format!("{}, {}: {} is {}", it.api, it.place, it.kafka, it.mainstem);
        self.differences.first().map(kind).unwrap_or_default()
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.transcript)?;
        self.differences.iter().try_for_each(|it| writeln!(f, "  DIFFERS {it}"))
    }
}

/// Asks again while a broker is getting ready, or still at work on the last transaction.
fn until_ready(
    side: &mut Side,
    client: usize,
    version: i16,
    request: &RequestBody,
    mut outcome: Outcome,
) -> Outcome {
    for _ in 0..REPEATS {
        if !is_not_yet(&outcome) {
            break;
        }
        std::thread::sleep(PAUSE);
        side.send(client, version, request, None);
        outcome = side.outcome(client, version, request);
    }
    outcome
}

fn is_not_yet(outcome: &Outcome) -> bool {
    let Outcome::Answer(response) = outcome else { return false };
    let mut is_not_yet = false;
    response.each_error(|error| is_not_yet |= NOT_YET.contains(&error));
    is_not_yet
}

/// Whether the request changes nothing: it may be asked again.
fn only_reads(request: &RequestBody) -> bool {
    match request {
        RequestBody::Fetch(FetchRequest { session_epoch, .. }) => *session_epoch == -1,
        RequestBody::ListOffsets(_)
        | RequestBody::Metadata(_)
        | RequestBody::OffsetFetch(_)
        | RequestBody::FindCoordinator(_)
        | RequestBody::DescribeGroups(_)
        | RequestBody::ListGroups(_)
        | RequestBody::OffsetForLeaderEpoch(_)
        | RequestBody::DescribeConfigs(_)
        | RequestBody::DescribeLogDirs(_)
        | RequestBody::DescribeCluster(_)
        | RequestBody::ConsumerGroupDescribe(_)
        | RequestBody::DescribeProducers(_)
        | RequestBody::DescribeTransactions(_)
        | RequestBody::ListTransactions(_)
        | RequestBody::ListConfigResources(_)
        | RequestBody::DescribeTopicPartitions(_) => true,
        _ => false,
    }
}
