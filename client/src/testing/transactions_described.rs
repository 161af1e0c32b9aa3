//! What the fake broker tells of its transactions, and how they are ended past their coordinator.

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, ProducerEpoch, ProducerId, Timestamp,
    messages::{
        DeleteRecordsRequest, DeleteRecordsResponse, DescribeProducersRequest, DescribeProducersResponse,
        DescribeTransactionsRequest, DescribeTransactionsResponse, ListTransactionsRequest,
        ListTransactionsResponse, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
        delete_records::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
        describe_producers::{PartitionResponse, ProducerState, TopicResponse},
        describe_transactions::{self, TopicData},
        list_transactions,
        write_txn_markers::{
            WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
        },
    },
    records::EndTxnMarker,
};

use super::{State, log::Log};

impl State {
    pub(super) fn list_transactions(&self, request: &ListTransactionsRequest) -> ListTransactionsResponse {
        let passes = |state: &list_transactions::TransactionState| {
            let (states, ids) = (&request.state_filters, &request.producer_id_filters);
            (states.is_empty() || states.contains(&state.transaction_state))
                && (ids.is_empty() || ids.contains(&state.producer_id))
        };
        let states = self.transactions.iter().map(|(id, known)| list_transactions::TransactionState {
            transactional_id: id.clone(),
            producer_id: known.identity.0,
            transaction_state: known.name(),
        });
        ListTransactionsResponse { transaction_states: states.filter(passes).collect(), ..Default::default() }
    }

    pub(super) fn describe_transactions(
        &self,
        request: DescribeTransactionsRequest,
    ) -> DescribeTransactionsResponse {
        let states = request.transactional_ids.into_iter().map(|transactional_id| {
            let Some(known) = self.transactions.get(&transactional_id) else {
                let error_code = ErrorCode::TRANSACTIONAL_ID_NOT_FOUND;
                return describe_transactions::TransactionState {
                    error_code,
                    transactional_id,
                    ..Default::default()
                };
            };
            let topic = |(topic, partition): &(_, _)| TopicData {
                topic: Clone::clone(topic),
                partitions: vec![*partition],
            };
            describe_transactions::TransactionState {
                error_code: ErrorCode::NONE,
                transactional_id,
                transaction_state: known.name(),
                transaction_timeout_ms: 60_000,
                transaction_start_time_ms: if known.is_open() { Timestamp(0) } else { Timestamp::NONE },
                producer_id: known.identity.0,
                producer_epoch: known.identity.1,
                topics: known.partitions.iter().map(topic).collect(),
            }
        });
        DescribeTransactionsResponse { transaction_states: states.collect(), ..Default::default() }
    }

    pub(super) fn describe_producers(&self, request: DescribeProducersRequest) -> DescribeProducersResponse {
        let topics = request.topics.into_iter().map(|topic| TopicResponse {
            partitions: topic
                .partition_indexes
                .into_iter()
                .map(|partition_index| match self.log(&topic.name, partition_index) {
                    Some(log) => PartitionResponse {
                        partition_index,
                        active_producers: active(log),
                        ..Default::default()
                    },
                    None => PartitionResponse {
                        partition_index,
                        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                        ..Default::default()
                    },
                })
                .collect(),
            name: topic.name,
        });
        DescribeProducersResponse { topics: topics.collect(), ..Default::default() }
    }

    pub(super) fn write_txn_markers(&mut self, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
        let markers = request.markers.into_iter().map(|marker| {
            let wanted = EndTxnMarker {
                committed: marker.transaction_result,
                coordinator_epoch: marker.coordinator_epoch,
            };
            let by = (marker.producer_id, marker.producer_epoch);
            let topics = marker.topics.into_iter().map(|topic| WritableTxnMarkerTopicResult {
                partitions: topic
                    .partition_indexes
                    .into_iter()
                    .map(|partition_index| WritableTxnMarkerPartitionResult {
                        partition_index,
                        error_code: self.mark(&topic.name, partition_index, wanted, by),
                    })
                    .collect(),
                name: topic.name,
            });
            WritableTxnMarkerResult { topics: topics.collect(), producer_id: by.0 }
        });
        WriteTxnMarkersResponse { markers: markers.collect() }
    }

    fn mark(
        &mut self,
        topic: &str,
        partition: PartitionId,
        marker: EndTxnMarker,
        (id, epoch): (ProducerId, ProducerEpoch),
    ) -> ErrorCode {
        match self.log_mut(topic, partition) {
            Some(log) => {
                log.mark(marker, id, epoch);
                ErrorCode::NONE
            }
            None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        }
    }

    pub(super) fn delete_records(&mut self, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
        let topics = request.topics.into_iter().map(|topic| DeleteRecordsTopicResult {
            partitions: topic
                .partitions
                .into_iter()
                .map(|wanted| {
                    let log = self.log_mut(&topic.name, wanted.partition_index);
                    let trimmed = log.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
                    let trimmed = trimmed.and_then(|log| trim(log, wanted.offset));
                    DeleteRecordsPartitionResult {
                        partition_index: wanted.partition_index,
                        low_watermark: trimmed.unwrap_or(Offset::NONE),
                        error_code: trimmed.err().unwrap_or_default(),
                    }
                })
                .collect(),
            name: topic.name,
        });
        DeleteRecordsResponse { topics: topics.collect(), ..Default::default() }
    }
}

fn trim(log: &mut Log, before: Offset) -> Result<Offset, ErrorCode> {
    let before = if before == Offset::NONE { log.end } else { before.0 };
    if before > log.end {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    if before > log.start {
        log.trim(before);
    }
    Ok(Offset(log.start))
}

/// The producers of a log, as its batches show them.
fn active(log: &Log) -> Vec<ProducerState> {
    let mut found: Vec<ProducerState> = Vec::new();
    for header in
        log.batches.iter().map(|batch| *batch.header()).filter(|header| header.producer_id.is_some())
    {
        let place = found.iter().position(|known| known.producer_id == header.producer_id);
        let place = place.unwrap_or_else(|| {
            let coordinator_epoch = -1;
            found.push(ProducerState {
                producer_id: header.producer_id,
                coordinator_epoch,
                ..Default::default()
            });
            found.len() - 1
        });
        let Some(known) = found.get_mut(place) else { continue };
        known.producer_epoch = i32::from(header.producer_epoch.0);
        known.last_timestamp = header.max_timestamp;
        match (header.attributes.is_control(), header.attributes.is_transactional()) {
            (true, _) => known.current_txn_start_offset = Offset::NONE,
            (false, true) if known.current_txn_start_offset == Offset::NONE => {
                known.current_txn_start_offset = header.base_offset;
            }
            _ => {}
        }
        if !header.attributes.is_control() {
            known.last_sequence = header.last_sequence().0;
        }
    }
    found
}
