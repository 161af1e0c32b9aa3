//! Transactions of both generations: begun, written in, committed, aborted, fenced; and everything at the wrong time.

use mainstem_protocol::{
    ApiKey, Offset, PartitionId, ProducerEpoch, ProducerId, Text,
    messages::{
        AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeProducersRequest,
        DescribeTransactionsRequest, EndTxnRequest, InitProducerIdRequest, ListTransactionsRequest,
        TxnOffsetCommitRequest, WriteTxnMarkersRequest,
        add_partitions_to_txn::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction},
        describe_producers::TopicRequest,
        txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
        write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic},
    },
};

use super::{offsets, records, topics};
use crate::{
    batch::{Flaw, Producer, Spec},
    plan::Plan,
    side::{Name, Side},
};

const TOPIC: Name = Name::Own("a");
const GROUP: Name = Name::Own("g");
/// From this version of Produce on a batch adds its partition to the transaction.
const ADDS_SINCE: i16 = 12;
const IDS: &[Name] = &[Name::Own("t"), Name::Own("u")];

pub(crate) fn scene(plan: &mut Plan) {
    topics::make(plan, TOPIC, 2, &[]);
    // One generation for all of a sequence, as a client has it; now and then anything.
    let is_second = plan.chance.once_in(2);
    begin(plan, 0);
    for _ in 0..plan.chance.between(10, 18) {
        match plan.chance.below(18) {
            0 => begin(plan, 0),
            1 => begin(plan, 1),
            2 | 3 => add_partitions(plan),
            4..=7 => produce(plan, is_second),
            8 => add_offsets(plan),
            9 | 10 => commit_offsets(plan, is_second),
            11..=13 => end(plan, is_second),
            14 => describe(plan),
            15 => describe_producers(plan),
            16 => offsets::fetch(plan),
            _ => records::fetch(plan),
        }
    }
    end(plan, is_second);
    records::fetch(plan);
    describe(plan);
    if plan.chance.once_in(4) {
        write_markers(plan);
    }
}

fn slot(plan: &mut Plan) -> usize {
    plan.chance.mostly(&[0], 6, &[1, 7])
}

fn id_of(slot: usize) -> Name {
    IDS.get(slot).copied().unwrap_or(Name::Own("nobody"))
}

/// Added to the epoch that the producer has.
fn epoch(plan: &mut Plan) -> i16 {
    plan.chance.mostly(&[0], 12, &[1, -1, 100])
}

fn later(epoch: ProducerEpoch, more: i16) -> ProducerEpoch {
    ProducerEpoch(epoch.0.wrapping_add(more))
}

/// A producer comes, or comes again: what an earlier one has left open is aborted.
fn begin(plan: &mut Plan, slot: usize) {
    let version = plan.version(ApiKey::InitProducerId);
    let timeout = plan.chance.mostly(&[60_000], 12, &[0, -1, i32::MAX]);
    let keeps = plan.chance.once_in(4) && version >= 3;
    let more = epoch(plan);
    plan.sequences.retain(|(of, _, _), _| *of != slot);
    plan.added.retain(|(of, _)| *of != slot);
    plan.add(version, move |side| {
        let (producer_id, producer_epoch) = side.producer(slot);
        InitProducerIdRequest {
            transactional_id: Some(side.name(id_of(slot))),
            transaction_timeout_ms: timeout,
            producer_id: if keeps { producer_id } else { ProducerId::NONE },
            producer_epoch: if keeps { later(producer_epoch, more) } else { ProducerEpoch::NONE },
        }
    })
    .slot = slot;
}

fn add_partitions(plan: &mut Plan) {
    let version = plan.version(ApiKey::AddPartitionsToTxn);
    let (slot, more) = (slot(plan), epoch(plan));
    let verify_only = plan.chance.once_in(4);
    let topic = plan.chance.mostly(&[TOPIC], 8, &[Name::Own("never-made")]);
    let partition = plan.chance.mostly(&[0, 1], 10, &[9, -1]);
    if more == 0 && !verify_only && topic == TOPIC {
        plan.added.insert((slot, partition));
    }
    plan.add(version, move |side| {
        let (producer_id, producer_epoch) = side.producer(slot);
        let (transactional_id, producer_epoch) = (side.name(id_of(slot)), later(producer_epoch, more));
        let topics = vec![AddPartitionsToTxnTopic {
            name: side.name(topic),
            partitions: vec![PartitionId(partition)],
        }];
        AddPartitionsToTxnRequest {
            transactions: vec![AddPartitionsToTxnTransaction {
                transactional_id: transactional_id.clone(),
                producer_id,
                producer_epoch,
                verify_only,
                topics: topics.clone(),
            }],
            v3_and_below_transactional_id: transactional_id,
            v3_and_below_producer_id: producer_id,
            v3_and_below_producer_epoch: producer_epoch,
            v3_and_below_topics: topics,
        }
    });
}

fn produce(plan: &mut Plan, is_second: bool) {
    let version = generation(plan, ApiKey::Produce, is_second, ADDS_SINCE);
    let slot = slot(plan);
    let partition = plan.chance.one_of(&[0, 0, 1]);
    let mut spec = Spec::any(&mut plan.chance).with_good_records();
    spec.flaw = Flaw::None;
    let next = plan.sequences.get(&(slot, TOPIC, partition)).copied().unwrap_or(0);
    let sequence = if plan.chance.once_in(15) { next + 3 } else { next };
    let transactional = !plan.chance.once_in(15);
    let epoch = epoch(plan);
    spec.producer = Some(Producer { slot, sequence, epoch, transactional });
    // As a client does, that counts no batch which is refused, since its partition was not added.
    let is_taken = version >= ADDS_SINCE || plan.added.contains(&(slot, partition));
    if sequence == next && epoch == 0 && is_taken {
        plan.sequences.insert((slot, TOPIC, partition), next + spec.records.len() as i32);
    }
    let has_id = !plan.chance.once_in(20);
    let note = format!("{spec:?}");
    plan.add(version, move |side| {
        let mut request = records::request(side, -1, &[(TOPIC, partition, spec.clone())]);
        request.transactional_id = has_id.then(|| side.name(id_of(slot)));
        request
    })
    .note = note;
}

/// Versions of the first generation of transactions, or of the second.
fn generation(plan: &mut Plan, key: ApiKey, is_second: bool, since: i16) -> i16 {
    let is_second = if plan.chance.once_in(15) { !is_second } else { is_second };
    let versions = key.versions();
    let (first, last) = if is_second { (since, *versions.end()) } else { (*versions.start(), since - 1) };
    plan.chance.between(first.into(), last.into()) as i16
}

fn add_offsets(plan: &mut Plan) {
    let version = plan.version(ApiKey::AddOffsetsToTxn);
    let (slot, more) = (slot(plan), epoch(plan));
    plan.add(version, move |side| {
        let (producer_id, producer_epoch) = side.producer(slot);
        AddOffsetsToTxnRequest {
            transactional_id: side.name(id_of(slot)),
            producer_id,
            producer_epoch: later(producer_epoch, more),
            group_id: side.name(GROUP),
        }
    });
}

fn commit_offsets(plan: &mut Plan, is_second: bool) {
    let version = generation(plan, ApiKey::TxnOffsetCommit, is_second, 5);
    let (slot, more) = (slot(plan), epoch(plan));
    let generation_id = plan.chance.mostly(&[-1], 8, &[3]);
    let member = plan.chance.mostly(&[""], 8, &["stranger"]);
    let (topic, partition) = (plan.topic(), plan.partition());
    let offset = plan.chance.between(0, 100);
    plan.add(version, move |side| {
        let (producer_id, producer_epoch) = side.producer(slot);
        TxnOffsetCommitRequest {
            transactional_id: side.name(id_of(slot)),
            group_id: side.name(GROUP),
            producer_id,
            producer_epoch: later(producer_epoch, more),
            generation_id,
            member_id: Text::from_static(member),
            group_instance_id: None,
            topics: vec![TxnOffsetCommitRequestTopic {
                name: side.name(topic),
                partitions: vec![TxnOffsetCommitRequestPartition {
                    partition_index: PartitionId(partition),
                    committed_offset: Offset(offset.into()),
                    ..Default::default()
                }],
            }],
        }
    });
}

fn end(plan: &mut Plan, is_second: bool) {
    let version = generation(plan, ApiKey::EndTxn, is_second, 5);
    let (slot, more) = (slot(plan), epoch(plan));
    let committed = plan.chance.once_in(2);
    plan.added.retain(|(of, _)| *of != slot);
    if version >= 5 {
        plan.sequences.retain(|(of, _, _), _| *of != slot);
    }
    plan.add(version, move |side| {
        let (producer_id, producer_epoch) = side.producer(slot);
        EndTxnRequest {
            transactional_id: side.name(id_of(slot)),
            producer_id,
            producer_epoch: later(producer_epoch, more),
            committed,
        }
    })
    .slot = slot;
    // A repeat, as after a lost answer, with what the producer knew then: the second generation gives it a new epoch.
    if plan.chance.once_in(6) {
        let again = plan.steps.last().cloned();
        plan.steps.extend(again);
    }
}

fn describe(plan: &mut Plan) {
    if plan.chance.once_in(2) {
        plan.add(0, |side: &Side| DescribeTransactionsRequest {
            transactional_ids: [IDS[0], IDS[1], Name::Own("nobody")].map(|id| side.name(id)).to_vec(),
        });
        return;
    }
    let version = plan.version(ApiKey::ListTransactions);
    let states = plan.chance.mostly(&[&[][..]], 2, &[&["Ongoing"][..], &["CompleteCommit", "nonsense"]]);
    plan.add(version, move |_| ListTransactionsRequest {
        state_filters: states.iter().copied().map(Text::from_static).collect(),
        duration_filter: -1,
        ..Default::default()
    });
}

fn describe_producers(plan: &mut Plan) {
    let (topic, partition) = (plan.chance.mostly(&[TOPIC], 8, &[Name::Own("never-made")]), plan.partition());
    plan.add(0, move |side| DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: side.name(topic),
            partition_indexes: vec![PartitionId(partition)],
        }],
    });
}

/// Markers that no coordinator has asked for.
fn write_markers(plan: &mut Plan) {
    let version = plan.version(ApiKey::WriteTxnMarkers);
    let topic = plan.chance.one_of(&[TOPIC, Name::Own("never-made")]);
    plan.add(version, move |side| {
        let (producer_id, producer_epoch) = side.producer(0);
        WriteTxnMarkersRequest {
            markers: vec![WritableTxnMarker {
                producer_id,
                producer_epoch,
                transaction_result: true,
                topics: vec![WritableTxnMarkerTopic {
                    name: side.name(topic),
                    partition_indexes: vec![PartitionId(0)],
                }],
                coordinator_epoch: 1000,
                transaction_version: 0,
            }],
        }
    });
}
