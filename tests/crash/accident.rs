//! What is asked of a store that comes back after an accident.

use std::sync::{Arc, Mutex};

use mainstem_protocol::{PartitionId, TopicId};
use mainstem_storage::{
    AppendGroup,
    disk::{Event, FaultyDisk},
};

use crate::{
    chance::Chance,
    image::{Image, Repeat, Value, differences},
    ledger::{Accident, Ledger},
    lock,
    node::{How, Node, batch},
    simulation::Report,
};

/// Of the disks that a second power cut leaves, one in so many is asked everything; the others are asked what is there.
const THOROUGH_EACH: u64 = 8;

pub(crate) fn after(disk: &FaultyDisk, accident: Accident, seed: u64) -> FaultyDisk {
    match accident {
        Accident::PowerCut => disk.cut(seed),
        Accident::Kill => disk.killed(seed),
    }
}

/// Starts on what an accident left, and on what a second one leaves during that start.
pub(crate) fn look_at(
    disk: &FaultyDisk,
    ledger: &Ledger,
    (accident, seed): (Accident, u64),
    again_percent: u64,
    report: &Mutex<Report>,
    place: &str,
) {
    let place = format!("{place}, {accident:?} with seed {seed}");
    let again = cuts_of_recovery(again_percent, disk, seed);
    let records = check(disk, ledger, accident, Some(seed), &place);
    disk.unobserve();
    let mut again = std::mem::take(&mut *lock(&again));
    for (event, disk) in again.drain(..) {
        let seed = event.number.is_multiple_of(THOROUGH_EACH).then_some(seed);
        let place = format!("{place}, then in the recovery at {event:?}");
        check(&disk, ledger, Accident::PowerCut, seed, &place);
        lock(report).cuts_of_recoveries += 1;
    }
    let mut report = lock(report);
    report.records_checked += records;
    match accident {
        Accident::PowerCut => report.cuts += 1,
        Accident::Kill => report.kills += 1,
    }
}

type Cuts = Arc<Mutex<Vec<(Event, FaultyDisk)>>>;

/// Collects the disks that a second power cut leaves, at the events of the recovery that follows.
fn cuts_of_recovery(percent: u64, disk: &FaultyDisk, seed: u64) -> Cuts {
    let cuts = Cuts::default();
    let kept = Arc::clone(&cuts);
    let mut chance = Chance::new(seed);
    disk.observe(move |disk, event| {
        if chance.happens(percent) {
            lock(&kept).push((event.clone(), disk.cut(chance.next())));
        }
    });
    cuts
}

/// Starts a store on a disk after an accident and holds it to what was promised; with a seed, also to what it does
/// then. Returns how many records it looked at.
fn check(disk: &FaultyDisk, ledger: &Ledger, accident: Accident, seed: Option<u64>, place: &str) -> u64 {
    let fail = |errors: Vec<String>| -> ! { panic!("{place}: {errors:#?}") };
    let how = if seed.is_some_and(|seed| seed.is_multiple_of(3)) { How::Map } else { How::Write };
    let node = Node::open_with(disk, how).unwrap_or_else(|error| fail(vec![error]));
    disk.unobserve();
    let image = node.image().unwrap_or_else(|error| fail(vec![error]));
    let survived = ledger.check(&image, accident).unwrap_or_else(|errors| fail(errors));
    check_epochs(&node, ledger, &image).unwrap_or_else(|error| fail(vec![error]));
    let records = image.records();
    if let Some(seed) = seed {
        check_stays(disk, &image, seed).unwrap_or_else(|error| fail(vec![error]));
        let mut survivors = ledger.clone();
        survivors.survive(survived, &image);
        check_repeats(&node, &survivors.all()).unwrap_or_else(|error| fail(vec![error]));
        check_goes_on(node, disk, image, seed).unwrap_or_else(|error| fail(vec![error]));
    }
    records
}

/// A partition that lost records which readers had seen is led anew (durability 18).
fn check_epochs(node: &Node, ledger: &Ledger, image: &Image) -> Result<(), String> {
    for (topic, partition, shown) in ledger.truncated(image) {
        let found = node.store.partition(topic, PartitionId(partition)).ok_or("a partition went away")?;
        let epoch = found.leader_epoch().0;
        if epoch <= shown.leader_epoch {
            return Err(format!("{topic:?}-{partition} lost records, but its leader epoch stayed {epoch}"));
        }
    }
    Ok(())
}

/// What a recovery shows is durable: it survives the next power cut too (durability 17).
fn check_stays(disk: &FaultyDisk, image: &Image, seed: u64) -> Result<(), String> {
    let node = Node::open(&disk.cut(seed ^ 1))?;
    let differences = differences(image, &node.image()?);
    if differences.is_empty() { Ok(()) } else { Err(format!("it did not stay: {differences:#?}")) }
}

/// A repeat of what survived is known as one, and nothing is appended twice.
fn check_repeats(node: &Node, image: &Image) -> Result<(), String> {
    for (id, topic) in &image.topics {
        for (index, partition) in (0..).zip(&topic.partitions) {
            for (producer, batches) in &partition.producers {
                let repeats = batches.iter().filter(|repeat| repeat.base_offset >= partition.log_start);
                repeats
                    .into_iter()
                    .try_for_each(|repeat| check_repeat(node, *id, index, *producer, repeat))?;
            }
        }
    }
    Ok(())
}

fn check_repeat(
    node: &Node,
    topic: TopicId,
    partition: i32,
    producer: i64,
    repeat: &Repeat,
) -> Result<(), String> {
    let batch = batch(&repeat.values, 10, Some((producer, repeat.base_sequence)));
    let group = AppendGroup::single(topic, PartitionId(partition), batch);
    let ticket = node.append(group).map_err(|error| format!("the repeat {repeat:?} is refused: {error}"))?;
    let place = ticket.places().first().ok_or("a group without a place")?;
    let is_known = place.is_duplicate && place.base_offset.0 == repeat.base_offset;
    if is_known {
        Ok(())
    } else {
        Err(format!("{repeat:?} of producer {producer} was appended again: {place:?}"))
    }
}

/// What is appended after a start is what the next one finds, and nothing of what was lost comes back with it
/// (durability 7).
fn check_goes_on(node: Node, disk: &FaultyDisk, mut image: Image, seed: u64) -> Result<(), String> {
    let Some((id, topic)) = image.topics.iter_mut().nth(seed as usize % 3) else { return Ok(()) };
    let value = Value(u64::MAX);
    let group = AppendGroup::single(*id, PartitionId(0), batch(&[value], 10, None));
    let ticket = node.append(group).map_err(|error| error.to_string())?;
    let base_offset = ticket.places().first().ok_or("a group without a place")?.base_offset.0;
    if !node.round() {
        return Err("the journal fails".to_owned());
    }
    topic.partitions[0].append(base_offset, &[value]);
    let killed = disk.killed(seed);
    drop(node);
    let differences = differences(&image, &Node::open(&killed)?.image()?);
    if differences.is_empty() { Ok(()) } else { Err(format!("it does not go on: {differences:#?}")) }
}
