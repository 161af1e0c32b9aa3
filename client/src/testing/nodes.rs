//! Who there is, who leads what, and who coordinates which group.

use std::collections::{BTreeMap, HashMap};

use mainstem_protocol::{
    BrokerId, ErrorCode, LeaderEpoch, PartitionId, Text,
    messages::{
        DescribeClusterResponse, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest,
        MetadataResponse, RequestBody,
        describe_cluster::DescribeClusterBroker,
        find_coordinator::Coordinator,
        metadata::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
    },
};

use super::{NODE, State, modern::topic_id};

/// The brokers of the fake cluster.
#[derive(Debug)]
pub(super) struct Nodes {
    addresses: BTreeMap<BrokerId, (String, u16)>,
    /// Leaders that are not where they begin to be, with the epoch that they have brought.
    leaders: HashMap<(Text, PartitionId), (BrokerId, LeaderEpoch)>,
    coordinators: HashMap<Text, BrokerId>,
}

impl Default for Nodes {
    fn default() -> Self {
        let addresses = BTreeMap::from([(NODE, ("fake".to_owned(), 9092))]);
        Self { addresses, leaders: HashMap::new(), coordinators: HashMap::new() }
    }
}

impl Nodes {
    pub(super) fn contains(&self, node: BrokerId) -> bool {
        self.addresses.contains_key(&node)
    }

    pub(super) fn put(&mut self, node: BrokerId, host: String, port: u16) {
        self.addresses.insert(node, (host, port));
    }

    pub(super) fn remove(&mut self, node: BrokerId) {
        self.addresses.remove(&node);
    }

    pub(super) fn lead(&mut self, topic: &str, partition: PartitionId, node: BrokerId) {
        let (_, LeaderEpoch(epoch)) = self.leader(topic, partition);
        self.leaders.insert((Text::from(topic), partition), (node, LeaderEpoch(epoch + 1)));
    }

    pub(super) fn coordinate(&mut self, group: &str, node: BrokerId) {
        self.coordinators.insert(Text::from(group), node);
    }

    /// The first one there is.
    pub(super) fn first(&self) -> BrokerId {
        self.addresses.keys().next().copied().unwrap_or(NODE)
    }

    /// Partitions begin spread over the nodes, in their order.
    pub(super) fn leader(&self, topic: &str, partition: PartitionId) -> (BrokerId, LeaderEpoch) {
        if let Some(leader) = self.leaders.get(&(Text::from(topic), partition)) {
            return *leader;
        }
        let index = usize::try_from(partition.0).unwrap_or(0) % self.addresses.len().max(1);
        let node = self.addresses.keys().nth(index).copied().unwrap_or(NODE);
        (node, LeaderEpoch(0))
    }

    fn coordinator(&self, group: &str) -> BrokerId {
        self.coordinators.get(group).copied().unwrap_or_else(|| self.first())
    }

    fn brokers(&self) -> Vec<MetadataResponseBroker> {
        let each = self.addresses.iter();
        each.map(|(node_id, (host, port))| MetadataResponseBroker {
            node_id: *node_id,
            host: Text::from(host.as_str()),
            port: i32::from(*port),
            rack: None,
        })
        .collect()
    }

    /// Why a node does not take a request, where another one should have been asked.
    pub(super) fn misplaced(&self, node: BrokerId, request: &RequestBody) -> Option<ErrorCode> {
        let leads = |topic: &str, partition| self.leader(topic, partition).0 == node;
        let is_led = match request {
            RequestBody::Produce(request) => request.topic_data.iter().all(|topic| {
                topic.partition_data.iter().all(|data| leads(&topic.name, PartitionId(data.index)))
            }),
            RequestBody::Fetch(request) => request
                .topics
                .iter()
                .all(|topic| topic.partitions.iter().all(|wanted| leads(&topic.topic, wanted.partition))),
            RequestBody::ListOffsets(request) => request.topics.iter().all(|topic| {
                topic.partitions.iter().all(|wanted| leads(&topic.name, wanted.partition_index))
            }),
            _ => true,
        };
        if !is_led {
            return Some(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let is_coordinated = group(request).is_none_or(|group| self.coordinator(group) == node);
        (!is_coordinated).then_some(ErrorCode::NOT_COORDINATOR)
    }
}

/// The group or the transactional id that a request is about, where its coordinator alone may answer.
fn group(request: &RequestBody) -> Option<&Text> {
    match request {
        RequestBody::JoinGroup(request) => Some(&request.group_id),
        RequestBody::SyncGroup(request) => Some(&request.group_id),
        RequestBody::Heartbeat(request) => Some(&request.group_id),
        RequestBody::LeaveGroup(request) => Some(&request.group_id),
        RequestBody::OffsetCommit(request) => Some(&request.group_id),
        RequestBody::OffsetFetch(request) => {
            Some(request.groups.first().map_or(&request.group_id, |group| &group.group_id))
        }
        RequestBody::OffsetDelete(request) => Some(&request.group_id),
        RequestBody::TxnOffsetCommit(request) => Some(&request.group_id),
        RequestBody::InitProducerId(request) => request.transactional_id.as_ref(),
        RequestBody::AddPartitionsToTxn(request) => Some(&request.v3_and_below_transactional_id),
        RequestBody::AddOffsetsToTxn(request) => Some(&request.transactional_id),
        RequestBody::EndTxn(request) => Some(&request.transactional_id),
        RequestBody::DescribeTransactions(request) => request.transactional_ids.first(),
        RequestBody::ConsumerGroupHeartbeat(request) => Some(&request.group_id),
        RequestBody::DeleteGroups(request) => request.groups_names.first(),
        RequestBody::DescribeGroups(request) => request.groups.first(),
        RequestBody::ConsumerGroupDescribe(request) => request.group_ids.first(),
        _ => None,
    }
}

impl State {
    pub(super) fn metadata(&mut self, request: &MetadataRequest) -> MetadataResponse {
        let named = request.topics.as_ref();
        let names: Vec<Text> = match named {
            None => self.topics.keys().cloned().collect(),
            Some(topics) => topics.iter().filter_map(|topic| topic.name.clone()).collect(),
        };
        MetadataResponse {
            brokers: self.nodes.brokers(),
            cluster_id: Some(Text::from_static("fake")),
            controller_id: self.nodes.first(),
            topics: names.into_iter().map(|name| self.topic(name)).collect(),
            ..MetadataResponse::default()
        }
    }

    fn topic(&self, name: Text) -> MetadataResponseTopic {
        let Some(logs) = self.topics.get(&name) else {
            let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            return MetadataResponseTopic { error_code, name: Some(name), ..Default::default() };
        };
        let partitions = (0..logs.len()).map(|index| {
            let partition_index = PartitionId(i32::try_from(index).unwrap_or(i32::MAX));
            let (leader_id, leader_epoch) = self.nodes.leader(&name, partition_index);
            MetadataResponsePartition {
                partition_index,
                leader_id,
                leader_epoch,
                replica_nodes: vec![leader_id],
                isr_nodes: vec![leader_id],
                ..Default::default()
            }
        });
        let (topic_id, partitions) = (topic_id(&name), partitions.collect());
        MetadataResponseTopic { name: Some(name), topic_id, partitions, ..Default::default() }
    }

    /// Up to version 3 one key is asked for, and answered in another place.
    pub(super) fn find_coordinator(&self, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
        let place = |key: &str| {
            let wanted = self.nodes.coordinator(key);
            let found = self.nodes.brokers().into_iter().find(|broker| broker.node_id == wanted);
            found.ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
        };
        if request.coordinator_keys.is_empty() {
            return match place(&request.key) {
                Ok(MetadataResponseBroker { node_id, host, port, .. }) => {
                    FindCoordinatorResponse { node_id, host, port, ..Default::default() }
                }
                Err(error_code) => FindCoordinatorResponse { error_code, ..Default::default() },
            };
        }
        let coordinators = request.coordinator_keys.into_iter().map(|key| match place(&key) {
            Ok(MetadataResponseBroker { node_id, host, port, .. }) => {
                Coordinator { key, node_id, host, port, ..Default::default() }
            }
            Err(error_code) => Coordinator { key, error_code, ..Default::default() },
        });
        FindCoordinatorResponse { coordinators: coordinators.collect(), ..Default::default() }
    }

    pub(super) fn describe_cluster(&self) -> DescribeClusterResponse {
        let brokers = self.nodes.brokers().into_iter();
        let brokers = brokers.map(|MetadataResponseBroker { node_id, host, port, rack }| {
            DescribeClusterBroker { broker_id: node_id, host, port, rack, is_fenced: false }
        });
        DescribeClusterResponse {
            cluster_id: Text::from_static("fake"),
            controller_id: self.nodes.first(),
            brokers: brokers.collect(),
            ..Default::default()
        }
    }
}
