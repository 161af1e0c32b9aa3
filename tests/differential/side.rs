//! One of the two brokers, and the names that it has given to what both were asked for.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use mainstem_protocol::{
    ApiKey, ErrorCode, PartitionId, ProducerEpoch, ProducerId, Text, Timestamp, TopicId,
    messages::{
        ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeGroupsRequest,
        DescribeTransactionsRequest, FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest,
        MetadataRequest, RequestBody, ResponseBody,
        create_topics::CreatableTopic,
        delete_topics::DeleteTopicState,
        list_offsets::{ListOffsetsPartition, ListOffsetsTopic},
        metadata::{MetadataRequestTopic, MetadataResponseTopic},
    },
};

use crate::socket::{Outcome, Socket, Spoilt};

/// How often something is looked at again until it has come about, and the pause between.
const LOOKS: usize = 400;
const PAUSE: Duration = Duration::from_millis(10);

/// Who is in a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(crate) id: Text,
    /// The generation, or the member's epoch.
    pub(crate) generation: i32,
}

/// A name in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// One of the sequence's own: no other sequence has it.
    Own(&'static str),
    /// As it stands.
    Plain(&'static str),
    /// So many letters.
    Long(usize),
}

pub(crate) struct Side {
    pub(crate) who: &'static str,
    address: SocketAddr,
    /// Whether what a broker has answered comes about a moment later.
    is_late: bool,
    prefix: String,
    clients: BTreeMap<usize, Socket>,
    control: Socket,
    marks: usize,
    ids: BTreeMap<String, Vec<TopicId>>,
    producers: BTreeMap<usize, (ProducerId, ProducerEpoch)>,
    producers_so_far: Vec<(usize, ProducerId)>,
    pub(crate) members: BTreeMap<usize, Member>,
    pub(crate) sessions: BTreeMap<usize, i32>,
}

impl Side {
    pub(crate) fn new(who: &'static str, address: SocketAddr, is_late: bool) -> Self {
        Self {
            who,
            address,
            is_late,
            prefix: String::new(),
            clients: BTreeMap::new(),
            control: Socket::open(address),
            marks: 0,
            ids: BTreeMap::new(),
            producers: BTreeMap::new(),
            producers_so_far: Vec::new(),
            members: BTreeMap::new(),
            sessions: BTreeMap::new(),
        }
    }

    /// Waits until groups can be asked: Kafka makes the topic of their offsets when the first is looked for, and another
    /// for transactions.
    pub(crate) fn get_ready(&mut self) {
        // The first producer has the id 0, which stands for none elsewhere.
        let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
        self.until("producers get ids", |side| {
            let ResponseBody::InitProducerId(response) = side.ask(0, request.clone()) else { return false };
            response.error_code.is_none()
        });
        for key_type in [0, 1] {
            let request =
                FindCoordinatorRequest { key: Text::from_static("first"), key_type, ..Default::default() };
            self.until("there are coordinators", |side| {
                let ResponseBody::FindCoordinator(response) = side.ask(1, request.clone()) else {
                    return false;
                };
                response.error_code.is_none()
            });
        }
        let groups = vec![Text::from_static("first")];
        let request = DescribeGroupsRequest { groups, ..Default::default() };
        self.until("groups can be asked", |side| {
            let ResponseBody::DescribeGroups(response) = side.ask(0, request.clone()) else { return false };
            response.groups.iter().all(|group| group.error_code.is_none())
        });
    }

    /// Forgets the last sequence.
    pub(crate) fn begin(&mut self, prefix: &str) {
        self.prefix = prefix.to_owned();
        self.clients.clear();
        self.ids.clear();
        self.producers.clear();
        self.producers_so_far.clear();
        self.members.clear();
        self.sessions.clear();
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn name(&self, name: Name) -> Text {
        match name {
            Name::Own(name) => format!("{}{name}", self.prefix).into(),
            Name::Plain(name) => name.into(),
            Name::Long(letters) => "l".repeat(letters).into(),
        }
    }

    /// The topic's latest id; one that no topic has, where there never was one.
    pub(crate) fn topic_id(&self, name: Name) -> TopicId {
        self.id_before(name, 0)
    }

    /// The id that the topic had so many deletions ago.
    pub(crate) fn id_before(&self, name: Name, deletions: usize) -> TopicId {
        let ids = self.ids.get(&*self.name(name)).map_or(&[][..], Vec::as_slice);
        ids.iter().rev().nth(deletions).copied().unwrap_or(TopicId([7; 16]))
    }

    pub(crate) fn producer(&self, slot: usize) -> (ProducerId, ProducerEpoch) {
        self.producers.get(&slot).copied().unwrap_or((ProducerId(9_999_999), ProducerEpoch(0)))
    }

    pub(crate) fn member(&self, slot: usize) -> Member {
        self.members.get(&slot).cloned().unwrap_or_default()
    }

    pub(crate) fn session(&self, slot: usize) -> i32 {
        self.sessions.get(&slot).copied().unwrap_or(0)
    }

    /// What this broker has named, and how both are called when they are compared.
    pub(crate) fn symbols(&self) -> BTreeMap<String, String> {
        let mut symbols = BTreeMap::new();
        for (name, ids) in &self.ids {
            let name = name.strip_prefix(&self.prefix).unwrap_or(name);
            symbols.extend(
                ids.iter().enumerate().map(|(at, id)| (id.to_string(), format!("<id {at} of {name}>"))),
            );
        }
        for (at, (slot, id)) in self.producers_so_far.iter().enumerate() {
            symbols.insert(format!("producer {id}"), format!("<producer {slot}, the {at}th>"));
        }
        for (slot, member) in self.members.iter().filter(|(_, member)| !member.id.is_empty()) {
            symbols.insert(member.id.to_string(), format!("<member {slot}>"));
        }
        symbols
    }

    pub(crate) fn send(&mut self, client: usize, version: i16, body: &RequestBody, spoilt: Option<Spoilt>) {
        let address = self.address;
        self.clients.entry(client).or_insert_with(|| Socket::open(address)).send(version, body, spoilt);
    }

    pub(crate) fn outcome(&mut self, client: usize, version: i16, body: &RequestBody) -> Outcome {
        let Some(socket) = self.clients.get_mut(&client) else { return Outcome::Closed };
        let outcome = socket.outcome(body.key(), version, body);
        if !matches!(outcome, Outcome::Answer(_) | Outcome::Silence) {
            self.clients.remove(&client);
        }
        outcome
    }

    /// Keeps what the answer has given.
    pub(crate) fn learn(&mut self, slot: usize, request: &RequestBody, response: &ResponseBody) {
        if let (RequestBody::EndTxn(request), ResponseBody::EndTxn(response)) = (request, response)
            && response.error_code.is_none()
        {
            self.await_markers(&request.transactional_id);
        }
        match response {
            ResponseBody::InitProducerId(response) if response.error_code.is_none() => {
                self.keep_producer(slot, response.producer_id, response.producer_epoch);
            }
            ResponseBody::EndTxn(response) if response.producer_id.is_some() => {
                self.keep_producer(slot, response.producer_id, response.producer_epoch);
            }
            ResponseBody::Fetch(response) if response.session_id != 0 => {
                self.sessions.insert(slot, response.session_id);
            }
            ResponseBody::JoinGroup(response) if !response.member_id.is_empty() => {
                let generation = response.generation_id;
                self.members.insert(slot, Member { id: response.member_id.clone(), generation });
            }
            ResponseBody::ConsumerGroupHeartbeat(response) if response.error_code.is_none() => {
                let own = match request {
                    RequestBody::ConsumerGroupHeartbeat(request) => request.member_id.clone(),
                    _ => Text::default(),
                };
                let id = response.member_id.clone().filter(|id| !id.is_empty()).unwrap_or(own);
                self.members.insert(slot, Member { id, generation: response.member_epoch });
            }
            ResponseBody::CreateTopics(response) => {
                let made = response.topics.iter().filter(|topic| topic.error_code.is_none());
                self.await_topics(made.map(|topic| topic.name.to_string()).collect());
            }
            ResponseBody::DeleteTopics(_)
            | ResponseBody::CreatePartitions(_)
            | ResponseBody::AlterConfigs(_)
            | ResponseBody::IncrementalAlterConfigs(_) => self.settle(),
            ResponseBody::Metadata(response) => {
                let is_unknown = |topic: &&MetadataResponseTopic| {
                    topic.error_code.is_none() && topic.topic_id == TopicId::ZERO
                };
                // Old versions make topics and do not tell their ids.
                let made: Vec<_> = response.topics.iter().filter(is_unknown).collect();
                let found: Vec<_> = made
                    .into_iter()
                    .filter_map(|topic| self.look_for(topic.name.as_deref().unwrap_or_default()))
                    .collect();
                response.topics.iter().chain(&found).for_each(|topic| self.keep_id(topic));
            }
            _ => {}
        }
    }

    fn keep_producer(&mut self, slot: usize, id: ProducerId, epoch: ProducerEpoch) {
        self.producers.insert(slot, (id, epoch));
        if !self.producers_so_far.contains(&(slot, id)) {
            self.producers_so_far.push((slot, id));
        }
    }

    /// Waits until the topics are there, whose creation may only have been tried (`validate_only`).
    fn await_topics(&mut self, names: Vec<String>) {
        self.settle();
        for name in names {
            if let Some(topic) = self.look_for(&name) {
                self.keep_id(&topic);
            }
        }
    }

    fn keep_id(&mut self, topic: &MetadataResponseTopic) {
        let is_ours = |name: &&str| !name.starts_with("__") && !name.starts_with("mark-");
        let name = topic.name.as_deref().filter(|_| topic.error_code.is_none()).filter(is_ours);
        let Some(name) = name else { return };
        let ids = self.ids.entry(name.to_owned()).or_default();
        if topic.topic_id != TopicId::ZERO && !ids.contains(&topic.topic_id) {
            ids.push(topic.topic_id);
        }
    }

    fn look_for(&mut self, name: &str) -> Option<MetadataResponseTopic> {
        let topic = MetadataRequestTopic { name: Some(name.to_owned().into()), ..Default::default() };
        let topics = Some(vec![topic]);
        let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
        let ResponseBody::Metadata(response) = self.ask(12, request) else {
            unreachable!("Metadata is answered")
        };
        response.topics.into_iter().next()
    }

    /// Waits until everything that this broker has promised about topics has come about. Kafka's brokers follow the log
    /// of their controller: what was written there before a mark has come about everywhere when the next mark is seen.
    pub(crate) fn settle(&mut self) {
        if !self.is_late {
            return;
        }
        self.marks += 1;
        let mark = format!("mark-{}-{}", std::process::id(), self.marks);
        self.create(&mark);
        self.until("a mark is there", |side| side.leads(&mark));
        self.delete(&mark);
        self.until("a mark is gone", |side| {
            side.look_for(&mark)
                .is_some_and(|topic| topic.error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        });
    }

    fn create(&mut self, name: &str) {
        let topic = CreatableTopic {
            name: name.to_owned().into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        self.ask(5, CreateTopicsRequest { topics: vec![topic], ..Default::default() });
    }

    fn delete(&mut self, name: &str) {
        let topics = vec![DeleteTopicState { name: Some(name.to_owned().into()), ..Default::default() }];
        self.ask(6, DeleteTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() });
    }

    fn leads(&mut self, name: &str) -> bool {
        let partition = ListOffsetsPartition {
            partition_index: PartitionId(0),
            timestamp: Timestamp(-1),
            ..Default::default()
        };
        let topic = ListOffsetsTopic { name: name.to_owned().into(), partitions: vec![partition] };
        let request =
            ListOffsetsRequest { replica_id: (-1).into(), topics: vec![topic], ..Default::default() };
        let ResponseBody::ListOffsets(response) = self.ask(1, request) else { return false };
        response.topics.iter().flat_map(|topic| &topic.partitions).all(|it| it.error_code.is_none())
    }

    /// Waits until a transaction has ended everywhere: Kafka answers before it has written the markers.
    fn await_markers(&mut self, id: &Text) {
        if !self.is_late {
            return;
        }
        let request = DescribeTransactionsRequest { transactional_ids: vec![id.clone()] };
        self.until("a transaction has ended", |side| {
            let ResponseBody::DescribeTransactions(response) = side.ask(0, request.clone()) else {
                return false;
            };
            response.transaction_states.iter().all(|found| !found.transaction_state.starts_with("Prepare"))
        });
    }

    /// Waits until the group is being rebalanced: then the broker has the request of a member that must wait.
    pub(crate) fn await_rebalance(&mut self, group: &'static str) {
        let groups = vec![self.name(Name::Own(group))];
        let request = DescribeGroupsRequest { groups, ..Default::default() };
        self.until("a group is being rebalanced", |side| {
            let ResponseBody::DescribeGroups(response) = side.ask(0, request.clone()) else { return false };
            response.groups.iter().all(|group| &*group.group_state == "PreparingRebalance")
        });
    }

    /// Looks again and again, but not for ever: what follows will show what is wrong.
    fn until(&mut self, what: &str, holds: impl Fn(&mut Self) -> bool) {
        for _ in 0..LOOKS {
            if holds(self) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        println!("{}: {what}: not within {LOOKS} looks", self.who);
    }

    /// A question of the test's own.
    fn ask(&mut self, version: i16, request: impl Into<RequestBody>) -> ResponseBody {
        let request = request.into();
        self.control.send(version, &request, None);
        match self.control.outcome(request.key(), version, &request) {
            Outcome::Answer(response) => *response,
            other => panic!("{}: {other:?} to {request:?}", self.who),
        }
    }

    /// Lets go of the sequence's topics.
    pub(crate) fn end(&mut self) {
        self.clients.clear();
        let ids = std::mem::take(&mut self.ids);
        ids.keys().for_each(|name| self.delete(name));
    }

    /// The versions that this broker offers.
    pub(crate) fn offered(&mut self) -> BTreeMap<ApiKey, std::ops::RangeInclusive<i16>> {
        let ResponseBody::ApiVersions(response) = self.ask(0, ApiVersionsRequest::default()) else {
            panic!("ApiVersions is answered")
        };
        let known = response.api_keys.iter().filter_map(|it| Some((ApiKey::from_key(it.api_key)?, it)));
        known.map(|(key, it)| (key, it.min_version..=it.max_version)).collect()
    }
}
