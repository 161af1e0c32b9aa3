//! Idempotent producers: gaps, repeats within and beyond the five remembered batches, epochs, the wrap of the sequence.

use mainstem_protocol::{ApiKey, ProducerEpoch, ProducerId, messages::InitProducerIdRequest};

use super::{records, topics};
use crate::{
    batch::{Flaw, Producer, Spec},
    plan::Plan,
    side::Name,
};

const TOPIC: Name = Name::Own("a");

pub(crate) fn scene(plan: &mut Plan) {
    topics::make(plan, TOPIC, 2, &[]);
    identify(plan, 0);
    for _ in 0..plan.chance.between(10, 22) {
        match plan.chance.below(20) {
            0 => identify(plan, 0),
            1 => identify(plan, 1),
            2 => odd_identity(plan),
            3 => records::fetch(plan),
            4 => start_anew(plan),
            _ => produce(plan),
        }
    }
    records::fetch(plan);
}

/// A new producer.
pub(crate) fn identify(plan: &mut Plan, slot: usize) {
    let version = plan.version(ApiKey::InitProducerId);
    plan.sequences.retain(|(of, _, _), _| *of != slot);
    plan.add(version, |_| InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
    })
    .slot = slot;
}

fn odd_identity(plan: &mut Plan) {
    let version = plan.version_since(ApiKey::InitProducerId, 3);
    let (slot, is_own) = (plan.chance.below(2), plan.chance.once_in(2));
    let id = plan.chance.one_of(&[-1, -2, 5, i64::MAX]);
    let epoch = plan.chance.one_of(&[-1, 0, 1, i16::MAX]);
    let timeout = plan.chance.one_of(&[60_000, 0, -1, i32::MAX]);
    // What an answer gives is kept nowhere: the producers go on as they are.
    plan.add(version, move |side| InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: timeout,
        producer_id: if is_own { side.producer(slot).0 } else { ProducerId(id) },
        producer_epoch: ProducerEpoch(epoch),
    })
    .slot = 9;
}

/// A new producer in the same place, whose first sequence is near the wrap.
fn start_anew(plan: &mut Plan) {
    identify(plan, 1);
    for partition in 0..2 {
        let first = plan.chance.one_of(&[i32::MAX, i32::MAX - 1, i32::MAX - 3, 0]);
        plan.sequences.insert((1, TOPIC, partition), first);
    }
}

fn produce(plan: &mut Plan) {
    let version = plan.version(ApiKey::Produce);
    let slot = plan.chance.mostly(&[0, 0, 1], 30, &[5]);
    let partition = plan.chance.one_of(&[0, 0, 0, 1]);
    let mut spec = Spec::any(&mut plan.chance);
    spec.flaw = plan.chance.mostly(
        &[Flaw::None],
        12,
        &[Flaw::Twice, Flaw::Checksum, Flaw::NoRecords, Flaw::Count(1)],
    );
    let next = plan.sequences.get(&(slot, TOPIC, partition)).copied().unwrap_or(0);
    let count = spec.records.len() as i32;
    let step = plan.chance.mostly(&[0], 3, &[-1, -2, -4, -7, -12, 1, 2, 1000]);
    let sequence = if step == 0 { next } else { next.wrapping_add(step).max(-1) };
    let epoch = plan.chance.mostly(&[0], 10, &[1, 2, i16::MAX]);
    let transactional = false;
    spec.producer = Some(Producer { slot, sequence, epoch, transactional });
    if step == 0 && epoch == 0 && spec.flaw == Flaw::None && !transactional {
        let after = if next > i32::MAX - count { count - (i32::MAX - next) - 1 } else { next + count };
        plan.sequences.insert((slot, TOPIC, partition), after);
    }
    let note = format!("{spec:?}");
    plan.add(version, move |side| records::request(side, -1, &[(TOPIC, partition, spec.clone())])).note =
        note;
    // The same once more: a repeat is told where the first one went.
    if plan.chance.once_in(5) {
        repeat(plan);
    }
}

fn repeat(plan: &mut Plan) {
    if let Some(last) = plan.steps.last().cloned() {
        plan.push(last);
    }
}
