//! Records: produced right and wrong, fetched, looked for by time.

use std::collections::BTreeSet;

use mainstem_protocol::{
    ApiKey, BrokerId, LeaderEpoch, Offset, PartitionId, Timestamp,
    messages::{
        DeleteRecordsRequest, FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest, ProduceRequest,
        delete_records::{DeleteRecordsPartition, DeleteRecordsTopic},
        fetch::{FetchPartition, FetchTopic, ForgottenTopic},
        list_offsets::{ListOffsetsPartition, ListOffsetsTopic},
        offset_for_leader_epoch::{OffsetForLeaderPartition, OffsetForLeaderTopic},
        produce::{PartitionProduceData, TopicProduceData},
    },
};

use super::{SCENES, topics};
use crate::{
    batch::{Spec, now},
    plan::Plan,
    side::{Name, Side},
};

pub(crate) fn scene(plan: &mut Plan) {
    topics::make(plan, Name::Own("a"), 1, &[]);
    topics::make(plan, Name::Own("b"), 2, &[]);
    for _ in 0..plan.chance.between(10, 20) {
        match plan.chance.below(17) {
            0..=6 => produce(plan),
            7..=10 => fetch(plan),
            11..=13 => list_offsets(plan),
            14 => leader_epoch(plan),
            15 => delete(plan),
            _ => topics::metadata(plan),
        }
    }
    each_flaw(plan);
}

/// Two of all the things that can be wrong with a batch, so that many sequences ask them all.
fn each_flaw(plan: &mut Plan) {
    let first = plan.seed as usize / SCENES.len() * 2;
    for number in [first, first + 1] {
        let version = plan.version(ApiKey::Produce);
        let spec = Spec::flawed(number);
        let note = format!("{spec:?}");
        plan.add(version, move |side| request(side, -1, &[(Name::Own("a"), 0, spec.clone())])).note = note;
    }
    fetch(plan);
}

fn produce(plan: &mut Plan) {
    let version = plan.version(ApiKey::Produce);
    let acks = plan.chance.mostly(&[-1, -1, 1], 8, &[0, 2, -2, i16::MAX]);
    let count = plan.chance.mostly(&[1], 6, &[0, 2]);
    let mut wanted: Vec<_> =
        (0..count).map(|_| (plan.topic(), plan.partition(), Spec::any(&mut plan.chance))).collect();
    // Of a partition that is named twice, Kafka knows the last time alone.
    let mut seen = BTreeSet::new();
    wanted.retain(|(topic, partition, _)| seen.insert((*topic, *partition)));
    // Beside a batch that it cannot read, Kafka takes none.
    if let Some(at) = wanted.iter().position(|(.., spec)| spec.flaw.is_unreadable()) {
        wanted = vec![wanted.swap_remove(at)];
    }
    let spoilt = plan.spoil(25);
    let note = format!("{wanted:?}");
    let step = plan.add(version, move |side| request(side, acks, &wanted));
    (step.spoilt, step.note) = (spoilt, note);
}

/// A request with these batches.
pub(crate) fn request(side: &Side, acks: i16, wanted: &[(Name, i32, Spec)]) -> ProduceRequest {
    let topic = |(name, partition, spec): &(Name, i32, Spec)| TopicProduceData {
        name: side.name(*name),
        topic_id: side.topic_id(*name),
        partition_data: vec![PartitionProduceData {
            index: *partition,
            records: Some(spec.bytes(side).into()),
        }],
    };
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 5_000,
        topic_data: wanted.iter().map(topic).collect(),
    }
}

#[derive(Clone, Copy)]
struct Place {
    topic: Name,
    partition: i32,
    epoch: i32,
    last_epoch: i32,
    offset: i64,
    bytes: i32,
}

impl Place {
    fn any(plan: &mut Plan) -> Self {
        Self {
            topic: plan.topic(),
            partition: plan.partition(),
            epoch: plan.chance.mostly(&[-1, -1, 0], 12, &[1, 7, -2]),
            last_epoch: plan.chance.mostly(&[-1], 10, &[0, 1, -2]),
            offset: plan.chance.mostly(&[0, 0, 1, 3, 6], 8, &[-1, -2, 50, i64::MAX, i64::MIN]),
            bytes: plan.chance.mostly(&[1_000_000], 4, &[0, 1, 100, 300]),
        }
    }

    fn asked(&self) -> FetchPartition {
        FetchPartition {
            partition: PartitionId(self.partition),
            current_leader_epoch: LeaderEpoch(self.epoch),
            fetch_offset: Offset(self.offset),
            last_fetched_epoch: LeaderEpoch(self.last_epoch),
            partition_max_bytes: self.bytes,
            ..Default::default()
        }
    }
}

pub(crate) fn fetch(plan: &mut Plan) {
    let version = plan.version(ApiKey::Fetch);
    let count = plan.chance.mostly(&[1, 1, 2], 8, &[0, 3]);
    let mut places: Vec<_> = (0..count).map(|_| Place::any(plan)).collect();
    // Of a partition that is named twice, Kafka's answer is the one of the last time.
    let mut seen = BTreeSet::new();
    places.retain(|place| seen.insert((place.topic, place.partition)));
    let min_bytes = plan.chance.mostly(&[0, 1], 8, &[-1, 1_000_000, i32::MAX]);
    let max_bytes = plan.chance.mostly(&[1_000_000], 6, &[0, 1, 100, i32::MAX]);
    let max_wait_ms = plan.chance.mostly(&[0, 10], 12, &[-1]);
    let isolation_level = plan.chance.one_of(&[0, 1]);
    let session_epoch = plan.chance.mostly(&[-1], 6, &[0, 0, 1, 2, -2]);
    let is_forgetful = plan.chance.once_in(10);
    plan.add(version, move |side| {
        let topic = |place: &Place| FetchTopic {
            topic: side.name(place.topic),
            topic_id: side.topic_id(place.topic),
            partitions: vec![place.asked()],
        };
        let forgotten = |place: &Place| ForgottenTopic {
            topic: side.name(place.topic),
            topic_id: side.topic_id(place.topic),
            partitions: vec![PartitionId(place.partition)],
        };
        FetchRequest {
            replica_id: BrokerId::NONE,
            max_wait_ms,
            min_bytes,
            max_bytes,
            isolation_level,
            session_id: if session_epoch > 0 { side.session(0) } else { 0 },
            session_epoch,
            topics: places.iter().map(topic).collect(),
            forgotten_topics_data: if is_forgetful {
                places.iter().map(forgotten).collect()
            } else {
                Vec::new()
            },
            ..Default::default()
        }
    });
}

pub(crate) fn list_offsets(plan: &mut Plan) {
    let version = plan.version(ApiKey::ListOffsets);
    let count = plan.chance.mostly(&[1, 1, 2], 10, &[0, 3]);
    let mut asked: Vec<_> = (0..count)
        .map(|_| {
            let named = plan.chance.one_of(&[-1, -2, -1, -2, -3, -4, -5, -6, -7, i64::MIN]);
            let timed = now() + plan.chance.one_of(&[0, 1, 5, -1, -59_000, -100_000, 100_000]);
            let epoch = plan.chance.mostly(&[-1, -1, 0], 12, &[1, -2]);
            (plan.topic(), plan.partition(), if plan.chance.once_in(2) { named } else { timed }, epoch)
        })
        .collect();
    if plan.chance.once_in(12) {
        asked.extend(asked.first().copied());
    }
    let isolation_level = plan.chance.one_of(&[0, 1]);
    let replica_id = plan.chance.mostly(&[-1], 20, &[-2, 5]);
    let spoilt = plan.spoil(40);
    plan.add(version, move |side| {
        let topic = |(name, partition, timestamp, epoch): &(Name, i32, i64, i32)| ListOffsetsTopic {
            name: side.name(*name),
            partitions: vec![ListOffsetsPartition {
                partition_index: PartitionId(*partition),
                current_leader_epoch: LeaderEpoch(*epoch),
                timestamp: Timestamp(*timestamp),
            }],
        };
        let topics = asked.iter().map(topic).collect();
        ListOffsetsRequest { replica_id: BrokerId(replica_id), isolation_level, topics, timeout_ms: 10_000 }
    })
    .spoilt = spoilt;
}

/// What lies before an offset goes.
fn delete(plan: &mut Plan) {
    let version = plan.version(ApiKey::DeleteRecords);
    let (topic, partition) = (plan.topic(), plan.partition());
    let offset = plan.chance.mostly(&[0, 1, 2, -1], 5, &[-2, 1000, i64::MAX]);
    plan.add(version, move |side| {
        let partitions =
            vec![DeleteRecordsPartition { partition_index: PartitionId(partition), offset: Offset(offset) }];
        let topics = vec![DeleteRecordsTopic { name: side.name(topic), partitions }];
        DeleteRecordsRequest { topics, timeout_ms: 10_000 }
    });
}

fn leader_epoch(plan: &mut Plan) {
    let version = plan.version(ApiKey::OffsetForLeaderEpoch);
    let count = plan.chance.mostly(&[1, 1, 2], 10, &[0, 3]);
    let asked: Vec<_> = (0..count)
        .map(|_| {
            let current = plan.chance.mostly(&[-1, 0], 8, &[1, -2]);
            let wanted = plan.chance.mostly(&[0], 3, &[-1, -2, 1, i32::MAX]);
            (plan.topic(), plan.partition(), current, wanted)
        })
        .collect();
    plan.add(version, move |side| {
        let topic = |(name, partition, current, wanted): &(Name, i32, i32, i32)| OffsetForLeaderTopic {
            topic: side.name(*name),
            partitions: vec![OffsetForLeaderPartition {
                partition: PartitionId(*partition),
                current_leader_epoch: LeaderEpoch(*current),
                leader_epoch: LeaderEpoch(*wanted),
            }],
        };
        OffsetForLeaderEpochRequest { replica_id: BrokerId::NONE, topics: asked.iter().map(topic).collect() }
    });
}
