//! A broker made for tests: topics, idempotent produce, long polls, classic groups, all in memory, and troubles on
//! demand. It is a [`Transport`] itself, and can be served on a loopback socket, or on several as a cluster.
//!
//! - [`FakeBroker`]: the broker, with what a test may set up and look at.
//! - [`FakeCluster`]: several nodes on sockets; leaders and coordinators move, nodes come and go.
//! - [`Mishap`]: what may happen to an answer on a socket: closed, stalled, garbled, of another length, slow.
//! - [`refusal`]: the answer that refuses a request with a code.
//! - [`RELEASES`]: which versions the brokers of each release of Kafka speak.
//! - [`example`]: what the examples of the documentation run against.
//! - [`Trouble`]: what may happen to a request instead of its answer.
//! - [`serve`]: the broker on a socket.
//! - [`Around`]: a transport on which something of a test's own happens to calls.
//! - [`interrupted`], [`Hesitant`]: futures that are dropped at each of their awaits.
//! - [`suite`]: what every transport has to do, whatever is behind it.

mod altered;
mod around;
mod cluster;
mod described;
mod example;
mod group;
mod handlers;
mod interrupt;
mod log;
mod mishap;
mod modern;
mod nodes;
mod refusal;
mod releases;
mod server;
pub mod suite;
mod transactions;
mod transactions_described;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mainstem_protocol::{
    ApiKey, BrokerId, ErrorCode, PartitionId, Text,
    messages::{RequestBody, ResponseBody},
    records::Batch,
};
use tokio::{
    sync::watch,
    time::{Duration, timeout},
};

use crate::transport::{BoxFuture, BrokerAddress, Call, Node, Transport, TransportError};
pub use around::Around;
pub use cluster::FakeCluster;
pub use example::example;
pub use interrupt::{Hesitant, interrupted};
pub use mishap::Mishap;
pub use refusal::refusal;
pub use releases::{RELEASES, Release};
pub use server::{Served, serve};

/// The node id of the fake broker.
pub const NODE: BrokerId = BrokerId(7);

/// What may happen to a request.
#[derive(Debug)]
pub enum Trouble {
    /// It does not take place, and the sender learns so.
    Refused,
    /// It does not take place, and the sender cannot know.
    LostBefore,
    /// It takes place, and the sender cannot know.
    LostAfter,
    /// It does not take place; this is the answer.
    Answer(ResponseBody),
    /// It does not take place; the answer is a [`refusal`] with this code.
    Code(ErrorCode),
}

/// A broker in memory.
#[derive(Clone)]
pub struct FakeBroker {
    state: Arc<Mutex<State>>,
    changes: watch::Sender<u64>,
}

impl fmt::Debug for FakeBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeBroker")
    }
}

#[derive(Default)]
struct State {
    topics: BTreeMap<Text, Vec<log::Log>>,
    /// What topics set of their own, since they were changed.
    configs: BTreeMap<Text, BTreeMap<Text, Text>>,
    groups: HashMap<Text, group::Group>,
    modern_groups: HashMap<Text, modern::ModernGroup>,
    next_producer_id: i64,
    transactions: HashMap<Text, transactions::Transaction>,
    /// Which generation of transactions the cluster has finalised (`transaction.version`).
    transaction_version: i16,
    next_member: u64,
    troubles: HashMap<ApiKey, VecDeque<Trouble>>,
    mishaps: HashMap<ApiKey, VecDeque<Mishap>>,
    offered: HashMap<ApiKey, RangeInclusive<i16>>,
    requests: Vec<(ApiKey, i16)>,
    nodes: nodes::Nodes,
}

impl Default for FakeBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeBroker {
    /// A broker without topics.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Arc::default(), changes: watch::Sender::new(0) }
    }

    /// The same broker, as a transport.
    #[must_use]
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.clone())
    }

    /// Creates a topic.
    pub fn create_topic(&self, name: &str, partitions: usize) {
        let logs = (0..partitions).map(|_| log::Log::default()).collect();
        self.state().topics.insert(Text::from(name), logs);
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, name: &str) {
        self.state().topics.remove(name);
    }

    /// Lets the next request of an API meet with trouble, behind those troubles that wait already.
    pub fn trouble(&self, key: ApiKey, trouble: Trouble) {
        self.state().troubles.entry(key).or_default().push_back(trouble);
    }

    /// Lets the next answer of an API meet with a mishap, behind those that wait already. They happen on sockets alone.
    pub fn mishap(&self, key: ApiKey, mishap: Mishap) {
        self.state().mishaps.entry(key).or_default().push_back(mishap);
    }

    fn next_mishap(&self, key: ApiKey) -> Option<Mishap> {
        self.state().mishaps.get_mut(&key).and_then(VecDeque::pop_front)
    }

    /// Lets another node lead a partition, under the next epoch.
    pub fn move_leader(&self, topic: &str, partition: i32, node: BrokerId) {
        self.change(|state| state.nodes.lead(topic, PartitionId(partition), node));
    }

    /// Lets another node coordinate a group.
    pub fn move_coordinator(&self, group: &str, node: BrokerId) {
        self.change(|state| state.nodes.coordinate(group, node));
    }

    /// Names a node no more.
    pub fn forget_node(&self, node: BrokerId) {
        self.change(|state| state.nodes.remove(node));
    }

    /// Finalises a level of the feature `transaction.version`: from 2 on, clients make use of KIP-890.
    pub fn finalize_transaction_version(&self, level: i16) {
        self.state().transaction_version = level;
    }

    /// Speaks what a release of Kafka does, of all that it can answer.
    pub fn speak_as(&self, release: Release) {
        for key in ApiKey::ALL.iter().filter(|key| !handlers::answered(**key).is_empty()) {
            self.offer(*key, release.versions(*key));
        }
    }

    /// Offers these versions of an API, whether clients speak them or not.
    pub fn offer(&self, key: ApiKey, versions: RangeInclusive<i16>) {
        self.state().offered.insert(key, versions);
    }

    /// The versions of an API that are offered; an empty range for none.
    fn offered(&self, key: ApiKey) -> RangeInclusive<i16> {
        self.state().offered.get(&key).cloned().unwrap_or_else(|| handlers::answered(key))
    }

    /// Everything that was asked so far, with the version it was asked in.
    #[must_use]
    pub fn requests(&self) -> Vec<(ApiKey, i16)> {
        self.state().requests.clone()
    }

    /// How often an API was asked.
    #[must_use]
    pub fn asked(&self, key: ApiKey) -> usize {
        self.state().requests.iter().filter(|(asked, _)| *asked == key).count()
    }

    /// The batches of a partition, in order.
    #[must_use]
    pub fn batches(&self, topic: &str, partition: i32) -> Vec<Batch> {
        let state = self.state();
        state.log(topic, PartitionId(partition)).map_or_else(Vec::new, |log| log.batches.clone())
    }

    /// Drops the batches in front of an offset, as retention does.
    pub fn trim(&self, topic: &str, partition: i32, start: i64) {
        self.change(|state| {
            if let Some(log) = state.log_mut(topic, PartitionId(partition)) {
                log.trim(start);
            }
        });
    }

    /// Takes out the batches that begin at an offset, as compaction does; offsets are left with a gap.
    pub fn compact_away(&self, topic: &str, partition: i32, base: i64) {
        self.compact(topic, partition, |batch| {
            Some(batch.clone()).filter(|batch| batch.header().base_offset.0 != base)
        });
    }

    /// Puts in the place of each batch what is left of it, as compaction does; the end of the log stays where it is.
    pub fn compact(&self, topic: &str, partition: i32, rest: impl FnMut(&Batch) -> Option<Batch>) {
        if let Some(log) = self.state().log_mut(topic, PartitionId(partition)) {
            log.batches = log.batches.iter().filter_map(rest).collect();
        }
    }

    /// Forgets what is known of producers, as a broker does after a long pause of theirs.
    pub fn forget_producers(&self) {
        for log in self.state().topics.values_mut().flatten() {
            log.forget_producers();
        }
    }

    /// What a group has committed for a partition.
    #[must_use]
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let key = (Text::from(topic), PartitionId(partition));
        self.state().groups.get(group)?.offsets.get(&key).map(|offset| offset.0)
    }

    /// The members of a group.
    #[must_use]
    pub fn members(&self, group: &str) -> usize {
        let state = self.state();
        let modern = state.modern_groups.get(group).map_or(0, |group| group.ids().len());
        state.groups.get(group).map_or(0, group::Group::member_count) + modern
    }

    /// The ids of a group's members.
    #[must_use]
    pub fn member_ids(&self, group: &str) -> Vec<Text> {
        let state = self.state();
        match state.modern_groups.get(group) {
            Some(group) => group.ids(),
            None => state.groups.get(group).map_or_else(Vec::new, group::Group::ids),
        }
    }

    /// Ends the session of a member: the group goes on without it. Yields the generation or epoch in which that happens.
    pub fn expire(&self, group: &str, member: &Text) -> i32 {
        self.change(|state| match (state.modern_groups.get_mut(group), state.groups.get_mut(group)) {
            (Some(group), _) => group.expire(member),
            (None, Some(group)) => {
                group.leave(member);
                group.generation
            }
            (None, None) => 0,
        })
    }

    /// Answers a request as a broker would, troubles included.
    ///
    /// # Errors
    /// What the next trouble of the API says.
    pub async fn answer(&self, version: i16, request: RequestBody) -> Result<ResponseBody, TransportError> {
        let any = self.state().nodes.first();
        self.answer_at(any, version, request).await
    }

    /// The same, at one of several nodes.
    async fn answer_at(
        &self,
        node: BrokerId,
        version: i16,
        request: RequestBody,
    ) -> Result<ResponseBody, TransportError> {
        let misplaced = self.state().nodes.misplaced(node, &request);
        let trouble = {
            let mut state = self.state();
            state.requests.push((request.key(), version));
            state.troubles.get_mut(&request.key()).and_then(VecDeque::pop_front)
        };
        match trouble {
            None => match misplaced.and_then(|code| refusal(&request, code)) {
                Some(refused) => Ok(refused),
                None => Ok(self.handle(version, request).await),
            },
            Some(Trouble::Code(code)) => refusal(&request, code).ok_or_else(lost),
            Some(Trouble::Answer(response)) => Ok(response),
            Some(Trouble::LostBefore) => Err(lost()),
            Some(Trouble::Refused) => Err(TransportError::UnknownNode(NODE)),
            Some(Trouble::LostAfter) => {
                self.handle(version, request).await;
                Err(lost())
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whoever waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changes.send_modify(|count| *count += 1);
        changed
    }

    /// Waits until the state gives an answer; `None` after the time is up.
    async fn wait_for<T>(&self, limit: Duration, mut look: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut changes = self.changes.subscribe();
        let found = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = look(&mut self.state()) {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        };
        timeout(limit, found).await.ok().flatten()
    }
}

fn lost() -> TransportError {
    TransportError::Disconnected { address: "fake".to_owned(), reason: "the test wants it so".to_owned() }
}

impl State {
    fn log(&self, topic: &str, partition: PartitionId) -> Option<&log::Log> {
        self.topics.get(topic)?.get(usize::try_from(partition.0).ok()?)
    }

    fn log_mut(&mut self, topic: &str, partition: PartitionId) -> Option<&mut log::Log> {
        self.topics.get_mut(topic)?.get_mut(usize::try_from(partition.0).ok()?)
    }
}

impl Transport for FakeBroker {
    fn versions(&self, _: Node, key: ApiKey) -> BoxFuture<'_, Result<RangeInclusive<i16>, TransportError>> {
        Box::pin(async move {
            let (ours, theirs) = (key.versions(), self.offered(key));
            let common = *ours.start().max(theirs.start())..=*ours.end().min(theirs.end());
            if common.is_empty() { Err(TransportError::Unsupported { key }) } else { Ok(common) }
        })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<ResponseBody, TransportError>> {
        Box::pin(async move {
            let (key, limit) = (call.request.key(), call.timeout);
            if let Node::Id(node) = call.node
                && !self.state().nodes.contains(node)
            {
                return Err(TransportError::UnknownNode(node));
            }
            if !key.versions().contains(&call.version) {
                return Err(TransportError::Unsupported { key });
            }
            let answer = timeout(limit, self.answer(call.version, call.request)).await;
            answer.unwrap_or_else(|_| Err(TransportError::TimedOut { key, timeout_ms: limit.as_millis() }))
        })
    }

    fn learn(&self, _: &[BrokerAddress]) {}

    fn split(&self) -> Arc<dyn Transport> {
        Arc::new(self.clone())
    }
}
