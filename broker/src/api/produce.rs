//! Produce, key 0: one batch per partition goes into the log (Kafka: `KafkaApis.handleProduceRequest`).
//!
//! Versions 3 to 12 name topics, 13 gives their ids. Zstd is refused before version 7. With `acks=0` there is no response
//! at all: an error closes the connection, so that the client asks for metadata again. `acks=1` waits like `acks=all`.
//!
//! A batch of a transaction goes through the transaction's coordinator: up to version 11 its partition must have been added
//! before, since 12 it is added with the batch (KIP-890).

use std::sync::Arc;

use mainstem_protocol::{
    ApiKey, ErrorCode, Offset, PartitionId, Text, Timestamp, TopicId,
    messages::{
        ProduceRequest, ProduceResponse,
        produce::{
            BatchIndexAndErrorMessage, PartitionProduceData, PartitionProduceResponse, TopicProduceData,
            TopicProduceResponse,
        },
    },
    records::Batch,
    wire::Wire as _,
};
use mainstem_storage::{
    NotCommitted, Partition,
    store::{AppendError, Topic},
};

use super::topic_name;
use crate::{
    dispatch::{Answer, Context, Started},
    node::Node,
    partition::{
        append,
        check::{Rejected, Terms, check},
    },
    transaction::{InPlace, InTransaction, NotPlaced, Verification},
};

/// The first version with topic ids instead of names.
const IDS_SINCE: i16 = 13;

/// From this version on a batch adds its partition to the transaction.
const ADDS_SINCE: i16 = 12;
/// From this version on clients know TRANSACTION_ABORTABLE.
const ABORTABLE_SINCE: i16 = 11;

/// Who calls itself so may write to internal topics (Kafka: `AdminUtils.ADMIN_CLIENT_ID`).
const ADMIN_CLIENT: &str = "__admin_client";

/// Resolves once each batch that is accepted has its place in the journal.
pub(crate) async fn start(node: &Arc<Node>, context: &Context, request: ProduceRequest) -> Started {
    let acks = request.acks;
    let sender = Sender { acks, transaction: Transaction::of(&request, context.version) };
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        topics.push(place_topic(node, context, &sender, topic).await);
    }
    Started::Placed(Box::pin(acknowledge(Arc::clone(node), acks, topics)))
}

/// Who sends the batches.
struct Sender {
    acks: i16,
    transaction: Transaction,
}

/// What there is to know of the transaction of a request, where one of its batches is in one.
enum Transaction {
    Of { id: Text, verification: Verification },
    Refused(Rejected),
}

impl Transaction {
    fn of(request: &ProduceRequest, version: i16) -> Self {
        let Some(id) = request.transactional_id.clone() else {
            let code = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
            return Self::Refused(Rejected::new(code, "batches in a transaction need a transactional id"));
        };
        let verification = match version {
            ADDS_SINCE.. => Verification::Adds,
            ABORTABLE_SINCE.. => Verification::Abortable,
            _ => Verification::Plain,
        };
        Self::Of { id, verification }
    }
}

/// The batches of a topic, placed or refused.
struct PlacedTopic {
    name: Text,
    topic_id: TopicId,
    partitions: Vec<(i32, Result<Placed, Rejected>)>,
}

/// A batch that has its place.
struct Placed {
    place: InPlace,
    topic: Arc<Topic>,
    partition: Arc<Partition>,
    records: u64,
    bytes: u64,
}

async fn place_topic(
    node: &Arc<Node>,
    context: &Context,
    sender: &Sender,
    data: TopicProduceData,
) -> PlacedTopic {
    let TopicProduceData { name, topic_id, partition_data } = data;
    let topic = find(node, context, &name, topic_id);
    let mut partitions = Vec::with_capacity(partition_data.len());
    for data in partition_data {
        let index = data.index;
        let placed = match (&topic, sender.acks) {
            (_, ..-1 | 2..) => {
                Err(Rejected::new(ErrorCode::INVALID_REQUIRED_ACKS, "acks must be 0, 1 or -1"))
            }
            (Err(rejected), _) => Err(rejected.clone()),
            (Ok(topic), _) => place(node, context, sender, topic, data).await,
        };
        partitions.push((index, placed));
    }
    PlacedTopic { name, topic_id, partitions }
}

fn find(node: &Node, context: &Context, name: &str, id: TopicId) -> Result<Arc<Topic>, Rejected> {
    let (found, unknown) = match context.version {
        IDS_SINCE.. => (node.topic_of_id(id), ErrorCode::UNKNOWN_TOPIC_ID),
        _ => (node.topic(name, TopicId::ZERO), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    };
    let topic = found.ok_or_else(|| Rejected::new(unknown, "this server does not host this topic"))?;
    let may_be_internal = context.client_id.as_deref() == Some(ADMIN_CLIENT);
    if topic_name::is_internal(&topic.name) && !may_be_internal {
        let message = "internal topics are written by the broker alone";
        return Err(Rejected::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
    }
    Ok(topic)
}

async fn place(
    node: &Arc<Node>,
    context: &Context,
    sender: &Sender,
    topic: &Arc<Topic>,
    data: PartitionProduceData,
) -> Result<Placed, Rejected> {
    let PartitionProduceData { index, records } = data;
    let unknown = || Rejected::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "there is no such partition");
    let partition = Arc::clone(topic.partition(PartitionId(index)).ok_or_else(unknown)?);
    let terms = Terms { version: context.version, now: node.clock.now(), config: Arc::clone(&topic.config) };
    let batch = check(records.unwrap_or_default(), terms).await?;
    let (records, bytes) = (batch.header().record_count.unsigned_abs().into(), batch.bytes().len() as u64);
    let place = if batch.header().attributes.is_transactional() {
        place_in_transaction(node, &sender.transaction, topic, PartitionId(index), batch).await?
    } else {
        let placing = append::place(&node.store, topic.id, PartitionId(index), batch);
        InPlace::Alone(placing.await.map_err(|error| rejected(&error))?)
    };
    Ok(Placed { place, topic: Arc::clone(topic), partition, records, bytes })
}

async fn place_in_transaction(
    node: &Node,
    transaction: &Transaction,
    topic: &Topic,
    partition: PartitionId,
    batch: Batch,
) -> Result<InPlace, Rejected> {
    let (id, verification) = match transaction {
        Transaction::Of { id, verification } => (id, *verification),
        Transaction::Refused(rejected) => return Err(rejected.clone()),
    };
    let placed = node.transactions.produce(InTransaction { id, verification, topic, partition, batch }).await;
    placed.map_err(|error| match error {
        NotPlaced::Refused(code) => {
            Rejected::new(code, "the coordinator of the transaction refuses the batch")
        }
        NotPlaced::Append(error) => rejected(&error),
    })
}

async fn acknowledge(node: Arc<Node>, acks: i16, topics: Vec<PlacedTopic>) -> Answer {
    let mut responses = Vec::with_capacity(topics.len());
    for PlacedTopic { name, topic_id, partitions } in topics {
        let mut partition_responses = Vec::with_capacity(partitions.len());
        for (index, placed) in partitions {
            partition_responses.push(acknowledge_batch(&node, index, placed).await);
        }
        responses.push(TopicProduceResponse { name, topic_id, partition_responses });
    }
    let response = ProduceResponse { responses, ..Default::default() };
    // Here rather than where other responses are counted: with `acks=0` nobody sees this one.
    response.each_error(&mut |error| node.metrics.requests.failed(ApiKey::Produce, error));
    answer(acks, response)
}

fn answer(acks: i16, response: ProduceResponse) -> Answer {
    let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    match acks {
        0 if partitions.any(|partition| !partition.error_code.is_none()) => {
            Answer::Close("a batch was refused, and its producer wants no answer (acks=0)")
        }
        0 => Answer::Silence,
        _ => response.into(),
    }
}

async fn acknowledge_batch(
    node: &Node,
    index: i32,
    placed: Result<Placed, Rejected>,
) -> PartitionProduceResponse {
    let Placed { place, topic, partition, records, bytes } = match placed {
        Ok(placed) => placed,
        Err(rejected) => return refused(index, rejected),
    };
    // The record that may have come with it is before it.
    let place = match place.fate().await {
        Ok(committed) => committed.places.last().copied(),
        Err(error) => return refused(index, Rejected::new(not_committed(error), error.to_string())),
    };
    if place.is_none_or(|place| !place.is_duplicate) {
        node.metrics.topics.of(&topic.name).produced(records, bytes);
    }
    PartitionProduceResponse {
        index,
        base_offset: place.map_or(Offset::NONE, |place| place.base_offset),
        log_append_time_ms: place.map_or(Timestamp::NONE, |place| place.log_append_time),
        log_start_offset: partition.log_start(),
        ..Default::default()
    }
}

fn refused(index: i32, rejected: Rejected) -> PartitionProduceResponse {
    let Rejected { code, message, records } = rejected;
    let record_error = |(batch_index, message): (i32, String)| BatchIndexAndErrorMessage {
        batch_index,
        batch_index_error_message: Some(message.into()),
    };
    PartitionProduceResponse {
        index,
        error_code: code,
        base_offset: Offset::NONE,
        record_errors: records.into_iter().map(record_error).collect(),
        error_message: Some(message.into()),
        ..Default::default()
    }
}

/// The codes for what may keep a batch from its place.
fn rejected(error: &AppendError) -> Rejected {
    let code = match error {
        AppendError::UnknownPartition { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        AppendError::TooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        AppendError::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        AppendError::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        AppendError::InvalidTransactionState { .. } => ErrorCode::INVALID_TXN_STATE,
        AppendError::CoordinatorFenced { .. } => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
        AppendError::TooManyProducers { .. } | AppendError::TooManyAborted { .. } => {
            ErrorCode::POLICY_VIOLATION
        }
        AppendError::Empty => ErrorCode::INVALID_RECORD,
        AppendError::OffsetOutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        AppendError::NoRoom | AppendError::DiskFull | AppendError::Storage(_) | AppendError::Poisoned(_) => {
            ErrorCode::KAFKA_STORAGE_ERROR
        }
    };
    Rejected::new(code, error.to_string())
}

/// The codes for a batch that lost its place: after either, its producer looks for the leader again and repeats it.
const fn not_committed(error: NotCommitted) -> ErrorCode {
    match error {
        NotCommitted::Superseded => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        NotCommitted::Failed => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}
