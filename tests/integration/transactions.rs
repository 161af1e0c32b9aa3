//! Transactions over the wire, in both generations: what is committed is seen whole, what is not is never seen, and who was
//! replaced writes nothing.

mod exhausted;
mod limits;
mod offsets;
mod sequences;

use bytes::Bytes;
use mainstem::config::Config;
use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, ProducerEpoch, ProducerId, Text, TopicId,
    messages::{
        AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DeleteGroupsRequest, DeleteTopicsRequest,
        DescribeTransactionsRequest, EndTxnRequest, EndTxnResponse, FetchRequest, InitProducerIdRequest,
        ListTransactionsRequest, OffsetFetchRequest, ProduceRequest, TxnOffsetCommitRequest,
        WriteTxnMarkersRequest,
        add_partitions_to_txn::AddPartitionsToTxnTopic,
        offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponsePartitions},
        produce::{PartitionProduceData, TopicProduceData},
        txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
        write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic},
    },
    records::Records,
};
use std::time::Duration;

use crate::harness::{Client, PATIENCE, TestBroker, fetch_request, fetched, transactional_batch};

const ID: Text = Text::from_static("payments");
const GROUP: Text = Text::from_static("readers");
const TOPIC: Text = Text::from_static("orders");

/// The versions of requests that a producer uses which knows this generation.
#[derive(Clone, Copy)]
struct Generation {
    produce: i16,
    end: i16,
    offsets: i16,
}

const FIRST: Generation = Generation { produce: 11, end: 4, offsets: 4 };
const SECOND: Generation = Generation { produce: 12, end: 5, offsets: 5 };

/// A producer that does what it is told to.
struct Producer {
    client: Client,
    generation: Generation,
    id: ProducerId,
    epoch: ProducerEpoch,
    /// The next of each partition.
    sequences: [i32; 2],
}

impl Producer {
    /// Takes the transactional id; asks again while what was open is aborted.
    async fn new(broker: &TestBroker, generation: Generation) -> Self {
        let mut client = broker.connect().await;
        loop {
            let response = client.ask(4, init(60_000)).await;
            if response.error_code == ErrorCode::CONCURRENT_TRANSACTIONS {
                continue;
            }
            assert_eq!(response.error_code, ErrorCode::NONE);
            let (id, epoch) = (response.producer_id, response.producer_epoch);
            return Self { client, generation, id, epoch, sequences: [0; 2] };
        }
    }

    async fn add(&mut self, partition: i32) -> ErrorCode {
        let topic = AddPartitionsToTxnTopic { name: TOPIC, partitions: vec![PartitionId(partition)] };
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: ID,
            v3_and_below_producer_id: self.id,
            v3_and_below_producer_epoch: self.epoch,
            v3_and_below_topics: vec![topic],
            ..Default::default()
        };
        let response = self.client.ask(3, request).await;
        response.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    }

    /// Writes a record, and adds the partition before where that is not done with it.
    async fn write(&mut self, partition: i32, value: &'static str) -> ErrorCode {
        if self.generation.produce < SECOND.produce {
            assert_eq!(self.add(partition).await, ErrorCode::NONE);
        }
        self.produce(partition, value).await
    }

    async fn produce(&mut self, partition: i32, value: &'static str) -> ErrorCode {
        let sequence = &mut self.sequences[partition as usize];
        let batch = transactional_batch(self.id.0, self.epoch.0, *sequence, &[value.as_bytes()]);
        let request = produce_request(Some(ID), partition, batch);
        let response = self.client.ask(self.generation.produce, request).await;
        let error = response.responses[0].partition_responses[0].error_code;
        *sequence += i32::from(error.is_none());
        error
    }

    async fn end(&mut self, committed: bool) -> ErrorCode {
        let response = self.ask_end(committed).await;
        if response.error_code.is_none() && self.generation.end == SECOND.end {
            (self.id, self.epoch, self.sequences) = (response.producer_id, response.producer_epoch, [0; 2]);
        }
        response.error_code
    }

    /// Asks for the end, and does not go on.
    async fn ask_end(&mut self, committed: bool) -> EndTxnResponse {
        let request = EndTxnRequest {
            transactional_id: ID,
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed,
        };
        self.client.ask(self.generation.end, request).await
    }

    async fn commit_offset(&mut self, offset: i64) -> ErrorCode {
        if self.generation.offsets < SECOND.offsets {
            let request = AddOffsetsToTxnRequest {
                transactional_id: ID,
                producer_id: self.id,
                producer_epoch: self.epoch,
                group_id: GROUP,
            };
            assert_eq!(self.client.ask(3, request).await.error_code, ErrorCode::NONE);
        }
        let partition =
            TxnOffsetCommitRequestPartition { committed_offset: Offset(offset), ..Default::default() };
        let request = TxnOffsetCommitRequest {
            transactional_id: ID,
            group_id: GROUP,
            producer_id: self.id,
            producer_epoch: self.epoch,
            topics: vec![TxnOffsetCommitRequestTopic { name: TOPIC, partitions: vec![partition] }],
            ..Default::default()
        };
        let response = self.client.ask(self.generation.offsets, request).await;
        response.topics[0].partitions[0].error_code
    }
}

fn init(timeout_ms: i32) -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: Some(ID),
        transaction_timeout_ms: timeout_ms,
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
    }
}

fn produce_request(id: Option<Text>, index: i32, batch: Bytes) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index, records: Some(Records::Bytes(batch)) }];
    let topic_data = vec![TopicProduceData { name: TOPIC, topic_id: TopicId::ZERO, partition_data }];
    ProduceRequest { transactional_id: id, acks: -1, timeout_ms: 30_000, topic_data }
}

async fn start() -> (TestBroker, Client) {
    start_with(|_| {}).await
}

async fn start_with(change: impl FnOnce(&mut Config)) -> (TestBroker, Client) {
    let broker = TestBroker::start_with(change).await;
    let mut client = broker.connect().await;
    client.create_topic(&TOPIC, 2, &[]).await;
    (broker, client)
}

/// How far a reader of what is committed may read, and how much it is told to pass over of what comes first.
async fn stable(client: &mut Client, partition: i32) -> (i64, usize) {
    stable_from(client, partition, 0).await
}

async fn stable_from(client: &mut Client, partition: i32, offset: i64) -> (i64, usize) {
    let request =
        FetchRequest { isolation_level: 1, max_wait_ms: 0, ..fetch_request(&TOPIC, partition, offset) };
    let found = fetched(client.ask(12, request).await);
    assert_eq!(found.error_code, ErrorCode::NONE);
    (found.last_stable_offset.0, found.aborted_transactions.unwrap_or_default().len())
}

async fn committed(client: &mut Client, require_stable: bool) -> OffsetFetchResponsePartitions {
    let topic = OffsetFetchRequestTopics {
        name: TOPIC,
        partition_indexes: vec![PartitionId(0)],
        ..Default::default()
    };
    let group = OffsetFetchRequestGroup { group_id: GROUP, topics: Some(vec![topic]), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group], require_stable, ..Default::default() };
    client.ask(8, request).await.groups[0].topics[0].partitions[0].clone()
}

#[tokio::test]
async fn transaction_is_read_when_it_is_committed_and_passed_over_when_it_is_aborted() {
    for generation in [FIRST, SECOND] {
        let (broker, mut reader) = start().await;
        let mut producer = Producer::new(&broker, generation).await;
        for partition in [0, 1] {
            assert_eq!(producer.write(partition, "kept").await, ErrorCode::NONE);
            assert_eq!(stable(&mut reader, partition).await, (0, 0));
        }
        assert_eq!(producer.end(true).await, ErrorCode::NONE);
        for partition in [0, 1] {
            assert_eq!(stable(&mut reader, partition).await, (2, 0), "a record and a marker");
        }
        assert_eq!(producer.write(0, "dropped").await, ErrorCode::NONE);
        assert_eq!(producer.end(false).await, ErrorCode::NONE);
        assert_eq!(stable_from(&mut reader, 0, 2).await, (4, 1));
    }
}

#[tokio::test]
async fn open_transaction_survives_a_restart_and_can_be_committed() {
    for generation in [FIRST, SECOND] {
        let (broker, _) = start().await;
        let mut producer = Producer::new(&broker, generation).await;
        assert_eq!(producer.write(0, "kept").await, ErrorCode::NONE);
        let broker = broker.restart().await;
        producer.client = broker.connect().await;
        assert_eq!(producer.write(1, "kept").await, ErrorCode::NONE);
        assert_eq!(producer.end(true).await, ErrorCode::NONE);
        let mut reader = broker.connect().await;
        assert_eq!((stable(&mut reader, 0).await, stable(&mut reader, 1).await), ((2, 0), (2, 0)));
    }
}

#[tokio::test]
async fn producer_that_was_replaced_adds_nothing() {
    for generation in [FIRST, SECOND] {
        let (broker, mut reader) = start().await;
        let mut zombie = Producer::new(&broker, generation).await;
        assert_eq!(zombie.write(0, "lost").await, ErrorCode::NONE);
        let mut producer = Producer::new(&broker, generation).await;
        assert_eq!(stable(&mut reader, 0).await, (2, 1), "what it had open is aborted");
        assert_eq!(zombie.add(1).await, ErrorCode::PRODUCER_FENCED);
        assert_eq!(zombie.produce(0, "late").await, ErrorCode::INVALID_PRODUCER_EPOCH);
        assert_eq!(zombie.ask_end(true).await.error_code, ErrorCode::PRODUCER_FENCED);
        assert_eq!(
            zombie.client.ask(1, end_of(&zombie.id, zombie.epoch)).await.error_code,
            ErrorCode::INVALID_PRODUCER_EPOCH,
            "old clients know no PRODUCER_FENCED"
        );
        assert_eq!(producer.write(0, "kept").await, ErrorCode::NONE);
        assert_eq!(producer.end(true).await, ErrorCode::NONE);
        assert_eq!(stable(&mut reader, 0).await, (4, 1));
    }
}

fn end_of(id: &ProducerId, epoch: ProducerEpoch) -> EndTxnRequest {
    EndTxnRequest { transactional_id: ID, producer_id: *id, producer_epoch: epoch, committed: true }
}

#[tokio::test]
async fn partition_that_was_not_added_takes_nothing_of_the_first_generation() {
    let (broker, _) = start().await;
    for (version, error) in [(11, ErrorCode::TRANSACTION_ABORTABLE), (10, ErrorCode::INVALID_TXN_STATE)] {
        let mut producer = Producer::new(&broker, Generation { produce: version, ..FIRST }).await;
        assert_eq!(producer.produce(0, "unasked").await, error);
    }
}

#[tokio::test]
async fn batch_in_a_transaction_needs_a_transactional_id() {
    let (broker, _) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    let batch = transactional_batch(producer.id.0, producer.epoch.0, 0, &[b"anonymous"]);
    let response = producer.client.ask(12, produce_request(None, 0, batch)).await;
    let error = response.responses[0].partition_responses[0].error_code;
    assert_eq!(error, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    let batch = transactional_batch(producer.id.0 + 1, producer.epoch.0, 0, &[b"another"]);
    let response = producer.client.ask(12, produce_request(Some(ID), 0, batch)).await;
    let error = response.responses[0].partition_responses[0].error_code;
    assert_eq!(error, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
}

#[tokio::test]
async fn partitions_that_are_not_there_keep_all_others_out() {
    let (broker, _) = start().await;
    let mut producer = Producer::new(&broker, FIRST).await;
    let topic = AddPartitionsToTxnTopic { name: TOPIC, partitions: vec![PartitionId(0), PartitionId(7)] };
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: ID,
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: vec![topic],
        ..Default::default()
    };
    let response = producer.client.ask(3, request).await;
    let results = &response.results_by_topic_v3_and_below[0].results_by_partition;
    let errors: Vec<_> = results.iter().map(|result| result.partition_error_code).collect();
    assert_eq!(errors, [ErrorCode::OPERATION_NOT_ATTEMPTED, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
}

#[tokio::test]
async fn end_that_is_repeated_is_answered_as_the_first_across_a_restart() {
    for (generation, committed) in [(FIRST, true), (FIRST, false), (SECOND, true), (SECOND, false)] {
        let (broker, mut reader) = start().await;
        let mut producer = Producer::new(&broker, generation).await;
        producer.write(0, "once").await;
        let first = producer.ask_end(committed).await;
        assert_eq!(first.error_code, ErrorCode::NONE);
        assert_eq!(producer.ask_end(committed).await, first);
        assert_eq!(stable(&mut reader, 0).await, (2, usize::from(!committed)), "one marker");
        let broker = broker.restart().await;
        producer.client = broker.connect().await;
        assert_eq!(producer.ask_end(committed).await, first);
        assert_eq!(producer.ask_end(!committed).await.error_code, ErrorCode::INVALID_TXN_STATE);
        assert_eq!(stable(&mut broker.connect().await, 0).await, (2, usize::from(!committed)));
    }
}

#[tokio::test]
async fn end_that_is_delayed_past_the_next_begin_ends_nothing() {
    let (broker, mut reader) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    producer.write(0, "first").await;
    let delayed = end_of(&producer.id, producer.epoch);
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    producer.write(0, "second").await;
    assert_eq!(producer.client.ask(5, delayed).await.error_code, ErrorCode::PRODUCER_FENCED);
    assert_eq!(stable(&mut reader, 0).await, (2, 0));
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    assert_eq!(stable(&mut reader, 0).await, (4, 0));
}

/// In the first generation the epoch does not tell one transaction from the next, in Kafka as here: KIP-890 is the mend.
#[tokio::test]
async fn delayed_end_of_the_first_generation_ends_the_next_transaction_whole() {
    let (broker, mut reader) = start().await;
    let mut producer = Producer::new(&broker, FIRST).await;
    producer.write(0, "first").await;
    let delayed = end_of(&producer.id, producer.epoch);
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    for partition in [0, 1] {
        producer.write(partition, "second").await;
    }
    assert_eq!(producer.client.ask(4, delayed).await.error_code, ErrorCode::NONE);
    assert_eq!((stable(&mut reader, 0).await, stable(&mut reader, 1).await), ((4, 0), (2, 0)));
    assert_eq!(producer.ask_end(false).await.error_code, ErrorCode::INVALID_TXN_STATE, "it is not torn");
}

/// A producer with a transaction that will soon be too late; it begins another where it was too late at once.
async fn late(broker: &TestBroker, generation: Generation) -> Producer {
    let mut client = broker.connect().await;
    loop {
        let given = client.ask(4, init(500)).await;
        if !given.error_code.is_none() {
            continue;
        }
        let (id, epoch) = (given.producer_id, given.producer_epoch);
        let mut producer = Producer { client, generation, id, epoch, sequences: [0; 2] };
        let is_added = generation.produce == SECOND.produce || producer.add(0).await.is_none();
        if is_added && producer.produce(0, "late").await.is_none() {
            return producer;
        }
        client = producer.client;
    }
}

#[tokio::test]
async fn transaction_past_its_timeout_is_aborted() {
    for generation in [FIRST, SECOND] {
        let soon = Duration::from_millis(10);
        let (broker, mut reader) = start_with(|config| config.transactions.abort_interval = soon).await;
        let mut producer = late(&broker, generation).await;
        let aborted = async {
            while stable(&mut reader, 0).await.1 == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, aborted).await.expect("it is aborted in time");
        let expected = if generation.end == SECOND.end {
            ErrorCode::INVALID_TXN_STATE
        } else {
            ErrorCode::PRODUCER_FENCED
        };
        assert_eq!(producer.ask_end(true).await.error_code, expected);
        assert_eq!(producer.produce(0, "later").await, ErrorCode::INVALID_PRODUCER_EPOCH);
    }
}

#[tokio::test]
async fn timeouts_that_cannot_be_are_refused() {
    let (broker, mut client) = start().await;
    for timeout_ms in [-1, 0, 15 * 60 * 1000 + 1] {
        let response = client.ask(4, init(timeout_ms)).await;
        assert_eq!(response.error_code, ErrorCode::INVALID_TRANSACTION_TIMEOUT);
    }
    let half = InitProducerIdRequest { producer_id: ProducerId(1), ..init(1000) };
    assert_eq!(client.ask(4, half).await.error_code, ErrorCode::INVALID_REQUEST);
    drop(broker);
}

#[tokio::test]
async fn markers_for_nothing_are_written_and_change_nothing() {
    let (broker, mut client) = start().await;
    let marker = |epoch, name| WritableTxnMarker {
        producer_id: ProducerId(99),
        producer_epoch: ProducerEpoch(epoch),
        transaction_result: false,
        topics: vec![WritableTxnMarkerTopic { name, partition_indexes: vec![PartitionId(0)] }],
        ..Default::default()
    };
    let unknown = Text::from_static("unknown");
    let markers = vec![marker(3, TOPIC), marker(2, TOPIC), marker(3, unknown)];
    let response = client.ask(1, WriteTxnMarkersRequest { markers }).await;
    let errors: Vec<_> =
        response.markers.iter().map(|marker| marker.topics[0].partitions[0].error_code).collect();
    let expected =
        [ErrorCode::NONE, ErrorCode::INVALID_PRODUCER_EPOCH, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION];
    assert_eq!(errors, expected);
    assert_eq!(stable(&mut client, 0).await, (1, 0));
    drop(broker);
}

#[tokio::test]
async fn transaction_that_somebody_ended_in_a_partition_can_still_be_ended_in_the_others() {
    let (broker, mut reader) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    for partition in [0, 1] {
        assert_eq!(producer.write(partition, "open").await, ErrorCode::NONE);
    }
    let marker = WritableTxnMarker {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        topics: vec![WritableTxnMarkerTopic { name: TOPIC, partition_indexes: vec![PartitionId(0)] }],
        coordinator_epoch: 5,
        ..Default::default()
    };
    let response = reader.ask(1, WriteTxnMarkersRequest { markers: vec![marker] }).await;
    assert_eq!(response.markers[0].topics[0].partitions[0].error_code, ErrorCode::NONE);
    assert_eq!(stable(&mut reader, 0).await, (2, 1), "aborted by hand");
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    assert_eq!(stable(&mut reader, 1).await, (2, 0));
}

#[tokio::test]
async fn transaction_ends_although_a_topic_of_it_is_gone() {
    let (broker, mut reader) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    assert_eq!(producer.write(0, "lost").await, ErrorCode::NONE);
    let request = DeleteTopicsRequest { topic_names: vec![TOPIC], ..Default::default() };
    assert_eq!(reader.ask(5, request).await.responses[0].error_code, ErrorCode::NONE);
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    drop(broker);
}

#[tokio::test]
async fn transactions_are_listed_and_described() {
    let (broker, mut client) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    producer.write(1, "open").await;
    let known = Text::from_static("unknown");
    let request = DescribeTransactionsRequest { transactional_ids: vec![ID, known, Text::new()] };
    let states = client.ask(0, request).await.transaction_states;
    let errors: Vec<_> = states.iter().map(|state| state.error_code).collect();
    let expected = [ErrorCode::NONE, ErrorCode::TRANSACTIONAL_ID_NOT_FOUND, ErrorCode::INVALID_REQUEST];
    assert_eq!(errors, expected);
    assert_eq!((&*states[0].transaction_state, states[0].producer_id), ("Ongoing", producer.id));
    assert_eq!(states[0].topics[0].partitions, [PartitionId(1)]);
    for (states, pattern, count) in [
        (vec![], None, 1),
        (vec!["Ongoing"], Some("pay.*"), 1),
        (vec!["Empty"], None, 0),
        (vec![], Some("pay"), 0),
    ] {
        let request = ListTransactionsRequest {
            state_filters: states.into_iter().map(Text::from_static).collect(),
            transactional_id_pattern: pattern.map(Text::from_static),
            ..Default::default()
        };
        assert_eq!(client.ask(2, request).await.transaction_states.len(), count);
    }
    let odd = ListTransactionsRequest { state_filters: vec![Text::from_static("Odd")], ..Default::default() };
    assert_eq!(client.ask(0, odd).await.unknown_state_filters, [Text::from_static("Odd")]);
    let pattern = Some(Text::from_static("("));
    let odd = ListTransactionsRequest { transactional_id_pattern: pattern, ..Default::default() };
    assert_eq!(client.ask(2, odd).await.error_code, ErrorCode::INVALID_REGULAR_EXPRESSION);
}
