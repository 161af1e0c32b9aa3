//! The transactions of the fake broker, in both generations (Kafka: `TransactionCoordinator`).

use std::collections::BTreeMap;

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, ProducerEpoch, ProducerId, Text,
    messages::{
        AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
        AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, InitProducerIdRequest,
        InitProducerIdResponse, RequestBody, ResponseBody, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
        api_versions::FinalizedFeatureKey, produce::PartitionProduceData,
    },
    records::EndTxnMarker,
};

use super::{FakeBroker, State, refusal};

/// The first versions of the second generation (KIP-890).
const PRODUCE_THAT_ADDS: i16 = 12;
const COMMIT_THAT_ADDS: i16 = 5;
const END_THAT_BUMPS: i16 = 5;

/// The transactions of one transactional id.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) identity: (ProducerId, ProducerEpoch),
    /// The identity that the last transaction ended under, where that was another one.
    before: Option<(ProducerId, ProducerEpoch)>,
    state: Stand,
    pub(super) partitions: Vec<(Text, PartitionId)>,
    groups: Vec<Text>,
    /// Offsets that are committed with the transaction.
    offsets: BTreeMap<(Text, Text, PartitionId), Offset>,
}

/// How the coordinator sees the last transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Empty,
    Ongoing,
    Ended { committed: bool },
}

impl Transaction {
    fn new(identity: (ProducerId, ProducerEpoch)) -> Self {
        Self {
            identity,
            before: None,
            state: Stand::Empty,
            partitions: Vec::new(),
            groups: Vec::new(),
            offsets: BTreeMap::new(),
        }
    }

    /// Kafka's name of its state.
    pub(super) fn name(&self) -> Text {
        Text::from_static(match self.state {
            Stand::Empty => "Empty",
            Stand::Ongoing => "Ongoing",
            Stand::Ended { committed: true } => "CompleteCommit",
            Stand::Ended { committed: false } => "CompleteAbort",
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == Stand::Ongoing
    }

    fn bump(&mut self) {
        self.before = Some(self.identity);
        self.identity.1.0 += 1;
    }

    fn check(&self, id: ProducerId, epoch: ProducerEpoch) -> Result<(), ErrorCode> {
        match self.identity {
            (ours, _) if ours != id => Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING),
            (_, ours) if ours != epoch => Err(ErrorCode::PRODUCER_FENCED),
            _ => Ok(()),
        }
    }

    fn add(&mut self, topic: &Text, partition: PartitionId) {
        self.state = Stand::Ongoing;
        let place = (topic.clone(), partition);
        if !self.partitions.contains(&place) {
            self.partitions.push(place);
        }
    }

    /// What EndTxn says where it has been heard before, or there is nothing to end.
    fn ended(&self, request: &EndTxnRequest, version: i16) -> Option<Result<(), ErrorCode>> {
        let is_repeat = self.before == Some((request.producer_id, request.producer_epoch));
        let same = self.state == (Stand::Ended { committed: request.committed });
        if version >= END_THAT_BUMPS && is_repeat {
            return Some(if same { Ok(()) } else { Err(ErrorCode::PRODUCER_FENCED) });
        }
        match self.state {
            Stand::Ongoing => None,
            _ if version >= END_THAT_BUMPS && !request.committed => None,
            Stand::Ended { .. } if same && version < END_THAT_BUMPS => Some(Ok(())),
            _ => Some(Err(ErrorCode::INVALID_TXN_STATE)),
        }
    }
}

impl FakeBroker {
    pub(super) fn finalized_features(&self) -> Vec<FinalizedFeatureKey> {
        self.state().finalized_features()
    }

    /// The epoch of a transactional id, where there is one.
    #[must_use]
    pub fn transactional_epoch(&self, id: &str) -> Option<i16> {
        self.state().transactions.get(id).map(|transaction| transaction.identity.1.0)
    }

    /// Whether a transaction is open.
    #[must_use]
    pub fn is_ongoing(&self, id: &str) -> bool {
        self.state().transactions.get(id).is_some_and(|known| known.state == Stand::Ongoing)
    }

    /// Aborts a transaction as brokers do whose time is over: its producer is fenced.
    pub fn time_out(&self, id: &str) {
        self.change(|state| {
            let Some(transaction) = state.transactions.get_mut(id) else { return };
            transaction.bump();
            // What the producer asks next is no repeat.
            transaction.before = None;
            state.finish(id, false);
        });
    }

    /// Forgets a transactional id, as brokers do that has not been used for long.
    pub fn forget_transactional_id(&self, id: &str) {
        self.change(|state| {
            if let Some(transaction) = state.transactions.get_mut(id) {
                transaction.identity = (ProducerId(transaction.identity.0.0 + 1000), ProducerEpoch(0));
                transaction.state = Stand::Empty;
            }
        });
    }
}

impl State {
    pub(super) fn finalized_features(&self) -> Vec<FinalizedFeatureKey> {
        let feature = |level| FinalizedFeatureKey {
            name: Text::from_static("transaction.version"),
            max_version_level: level,
            min_version_level: level,
        };
        Some(self.transaction_version).filter(|level| *level > 0).map(feature).into_iter().collect()
    }

    pub(super) fn init_producer_id(&mut self, request: &InitProducerIdRequest) -> InitProducerIdResponse {
        if let Some(id) = &request.transactional_id {
            return self.init_transactional(id, request);
        }
        if request.producer_id.is_some() {
            return InitProducerIdResponse {
                producer_id: request.producer_id,
                producer_epoch: ProducerEpoch(request.producer_epoch.0 + 1),
                ..Default::default()
            };
        }
        self.next_producer_id += 1;
        InitProducerIdResponse { producer_id: ProducerId(self.next_producer_id), ..Default::default() }
    }

    fn init_transactional(&mut self, id: &Text, request: &InitProducerIdRequest) -> InitProducerIdResponse {
        let asked = (request.producer_id, request.producer_epoch);
        let Some(known) = self.transactions.get_mut(id) else {
            self.next_producer_id += 1;
            let identity = (ProducerId(self.next_producer_id), ProducerEpoch(0));
            self.transactions.insert(id.clone(), Transaction::new(identity));
            return identified(identity);
        };
        if asked.0.is_some() && known.identity != asked {
            let error_code = ErrorCode::PRODUCER_FENCED;
            return InitProducerIdResponse { error_code, ..Default::default() };
        }
        known.bump();
        known.before = None;
        if known.state == Stand::Ongoing {
            self.finish(id, false);
            let error_code = ErrorCode::CONCURRENT_TRANSACTIONS;
            return InitProducerIdResponse { error_code, ..Default::default() };
        }
        known.state = Stand::Empty;
        identified(known.identity)
    }

    fn transaction(
        &mut self,
        id: &Text,
        identity: (ProducerId, ProducerEpoch),
    ) -> Result<&mut Transaction, ErrorCode> {
        let known = self.transactions.get_mut(id).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        known.check(identity.0, identity.1).map(|()| known)
    }

    pub(super) fn add_partitions_to_txn(
        &mut self,
        request: &AddPartitionsToTxnRequest,
    ) -> AddPartitionsToTxnResponse {
        let identity = (request.v3_and_below_producer_id, request.v3_and_below_producer_epoch);
        let found = self.transaction(&request.v3_and_below_transactional_id, identity);
        let code = found.map(|transaction| {
            for topic in &request.v3_and_below_topics {
                topic.partitions.iter().for_each(|partition| transaction.add(&topic.name, *partition));
            }
        });
        let body = RequestBody::AddPartitionsToTxn(request.clone());
        match refusal(&body, code.err().unwrap_or_default()) {
            Some(ResponseBody::AddPartitionsToTxn(response)) => response,
            _ => AddPartitionsToTxnResponse::default(),
        }
    }

    pub(super) fn add_offsets_to_txn(&mut self, request: &AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
        let identity = (request.producer_id, request.producer_epoch);
        let found = self.transaction(&request.transactional_id, identity);
        let code = found.map(|transaction| {
            transaction.state = Stand::Ongoing;
            transaction.groups.push(request.group_id.clone());
        });
        AddOffsetsToTxnResponse { error_code: code.err().unwrap_or_default(), ..Default::default() }
    }

    pub(super) fn txn_offset_commit(
        &mut self,
        version: i16,
        request: TxnOffsetCommitRequest,
    ) -> TxnOffsetCommitResponse {
        let code = self.take_offsets(version, &request).err().unwrap_or_default();
        match refusal(&RequestBody::TxnOffsetCommit(request), code) {
            Some(ResponseBody::TxnOffsetCommit(response)) => response,
            _ => TxnOffsetCommitResponse::default(),
        }
    }

    fn take_offsets(&mut self, version: i16, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
        if let Some(group) = self.groups.get(&request.group_id) {
            group.check_commit(&request.member_id, request.generation_id)?;
        }
        let identity = (request.producer_id, request.producer_epoch);
        let transaction = self.transaction(&request.transactional_id, identity)?;
        if version >= COMMIT_THAT_ADDS {
            transaction.state = Stand::Ongoing;
            transaction.groups.push(request.group_id.clone());
        }
        if !transaction.groups.contains(&request.group_id) {
            return Err(ErrorCode::INVALID_TXN_STATE);
        }
        for topic in &request.topics {
            for partition in &topic.partitions {
                let place = (request.group_id.clone(), topic.name.clone(), partition.partition_index);
                transaction.offsets.insert(place, partition.committed_offset);
            }
        }
        Ok(())
    }

    /// Whether a batch may be appended: of a transaction, to a partition that is in it.
    pub(super) fn check_transaction(
        &mut self,
        version: i16,
        id: Option<&Text>,
        topic: &Text,
        data: &PartitionProduceData,
    ) -> Result<(), ErrorCode> {
        let Some(transaction) = id.and_then(|id| self.transactions.get_mut(id)) else { return Ok(()) };
        let header = data.records.as_ref().and_then(|records| records.bytes().ok());
        let header = header.and_then(|bytes| mainstem_protocol::records::BatchHeader::parse(&bytes).ok());
        let header = header.ok_or(ErrorCode::CORRUPT_MESSAGE)?;
        if transaction.check(header.producer_id, header.producer_epoch).is_err() {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        let partition = PartitionId(data.index);
        if version >= PRODUCE_THAT_ADDS {
            transaction.add(topic, partition);
        }
        match transaction.partitions.contains(&(topic.clone(), partition)) {
            true => Ok(()),
            false => Err(ErrorCode::INVALID_TXN_STATE),
        }
    }

    pub(super) fn end_txn(&mut self, version: i16, request: &EndTxnRequest) -> EndTxnResponse {
        let refused = |error_code| EndTxnResponse { error_code, ..Default::default() };
        let Some(known) = self.transactions.get_mut(&request.transactional_id) else {
            return refused(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        };
        let checked = known.check(request.producer_id, request.producer_epoch);
        let ended = match known.ended(request, version) {
            // A repeat comes from the identity before.
            Some(Ok(())) if version >= END_THAT_BUMPS => Some(Ok(())),
            ended => checked.map_or_else(|code| Some(Err(code)), |()| ended),
        };
        match ended {
            Some(Err(code)) => return refused(code),
            Some(Ok(())) => {}
            None => {
                if version >= END_THAT_BUMPS {
                    known.bump();
                }
                self.finish(&request.transactional_id, request.committed);
            }
        }
        let identity = self.transactions.get(&request.transactional_id).map(|known| known.identity);
        match identity.filter(|_| version >= END_THAT_BUMPS) {
            Some((producer_id, producer_epoch)) => {
                EndTxnResponse { producer_id, producer_epoch, ..Default::default() }
            }
            None => EndTxnResponse::default(),
        }
    }

    /// Ends a transaction: markers in all its partitions, and its offsets with them.
    fn finish(&mut self, id: &str, committed: bool) {
        let Some(transaction) = self.transactions.get_mut(id) else { return };
        transaction.state = Stand::Ended { committed };
        let (producer_id, epoch) = transaction.identity;
        transaction.groups.clear();
        let (partitions, offsets) =
            (std::mem::take(&mut transaction.partitions), std::mem::take(&mut transaction.offsets));
        for (topic, partition) in partitions {
            if let Some(log) = self.log_mut(&topic, partition) {
                log.mark(EndTxnMarker { committed, coordinator_epoch: 0 }, producer_id, epoch);
            }
        }
        for ((group, topic, partition), offset) in offsets.into_iter().filter(|_| committed) {
            self.groups.entry(group).or_default().offsets.insert((topic, partition), offset);
        }
    }
}

fn identified((producer_id, producer_epoch): (ProducerId, ProducerEpoch)) -> InitProducerIdResponse {
    InitProducerIdResponse { producer_id, producer_epoch, ..Default::default() }
}
