//! The cuts, and what is asked of a store that comes back.

use std::{
    fmt,
    hash::{Hash, Hasher},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mainstem_protocol::{PartitionId, TopicId};
use mainstem_storage::{
    AppendGroup,
    disk::{Disk, Event, FaultyDisk},
};

use crate::{
    chance::Chance,
    image::{Image, Repeat, Value, differences},
    ledger::{Accident, Ledger},
    node::{Node, batch, restart_topic_ids, shown},
    workload::{Once, Shared, Workload},
};

/// How thorough a simulation is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// From a start to an accident; each goes on with what the one before left.
    pub(crate) lives: u64,
    /// Append groups of all lives together.
    pub(crate) groups: u64,
    /// How many of the events are cut at, in a hundred.
    pub(crate) cut_percent: u64,
    /// How many of the events of a recovery are cut at once more, in a hundred.
    pub(crate) again_percent: u64,
    /// Whether every event is printed.
    pub(crate) is_traced: bool,
}

/// What a simulation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) groups: u64,
    pub(crate) events: u64,
    pub(crate) cuts: u64,
    pub(crate) kills: u64,
    pub(crate) cuts_of_recoveries: u64,
    pub(crate) records_checked: u64,
    /// How often the journal was written from its beginning to its end.
    pub(crate) journal_rounds: u64,
    /// Every event of every life, in one number.
    pub(crate) fingerprint: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { groups, events, cuts, kills, cuts_of_recoveries, records_checked, journal_rounds, .. } =
            self;
        write!(f, "{groups} groups, {events} events, {cuts} power cuts, {kills} kills, ")?;
        write!(f, "{cuts_of_recoveries} power cuts in recoveries, {records_checked} records checked, ")?;
        write!(f, "journal recycled {journal_rounds} times")
    }
}

/// Where the next life begins: the disk after an accident, and what was known at that moment.
struct Next {
    disk: FaultyDisk,
    ledger: Ledger,
    accident: Accident,
}

/// Runs all lives of a plan. Panics where a promise was broken, and says at which seed and event.
pub(crate) fn simulate(plan: &Plan) -> Report {
    restart_topic_ids();
    let report = Arc::new(Mutex::new(Report::default()));
    let mut chance = Chance::new(plan.seed);
    let mut once = Once::default();
    let disk = FaultyDisk::new(chance.next());
    disk.forget_on_close();
    let mut next = Next { disk, ledger: Ledger::default(), accident: Accident::PowerCut };
    for life in 0..plan.lives {
        let place = format!("seed {}, life {life}", plan.seed);
        next = live(plan, next, &mut once, &mut chance, &report, &place);
    }
    let mut report = lock(&report).clone();
    report.journal_rounds = journal_rounds(&next.disk);
    report
}

fn live(
    plan: &Plan,
    from: Next,
    once: &mut Once,
    chance: &mut Chance,
    report: &Arc<Mutex<Report>>,
    place: &str,
) -> Next {
    let Next { disk, mut ledger, accident } = from;
    let node = Node::open(&disk).unwrap_or_else(|error| panic!("{place}: {error}"));
    let image = node.image().unwrap_or_else(|error| panic!("{place}: {error}"));
    let survived = ledger.check(&image, accident).unwrap_or_else(|errors| panic!("{place}: {errors:#?}"));
    ledger.survive(survived, &image);
    ledger.forget_lsn();
    let image = ledger.all();
    let shared = Shared::default();
    *shared.ledger() = ledger;
    let mut workload = Workload::new(node, shared.clone(), &image, once.clone(), chance.next());
    let next = watch(plan, &disk, &workload, shared, chance.next(), report, place);
    while workload.groups < plan.groups.div_ceil(plan.lives) {
        assert!(workload.step(), "{place}: the store failed although the disk did not");
    }
    disk.unobserve();
    lock(report).groups += workload.groups;
    lock(report).events += disk.events();
    *once = workload.once.clone();
    lock(&next).take().expect("something happened in this life")
}

/// Cuts and checks at the events of a life; keeps one of them as the accident that ends it.
fn watch(
    plan: &Plan,
    disk: &FaultyDisk,
    workload: &Workload,
    shared: Shared,
    seed: u64,
    report: &Arc<Mutex<Report>>,
    place: &str,
) -> Arc<Mutex<Option<Next>>> {
    let (plan, report, place) = (*plan, Arc::clone(report), place.to_owned());
    let store = Arc::clone(&workload.node.store);
    let next = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&next);
    let mut chance = Chance::new(seed);
    disk.observe(move |disk, event| {
        let place = format!("{place}, at {event:?}");
        let high =
            |topic, partition| Some(store.partition(topic, PartitionId(partition))?.high_watermark().0);
        let mut ledger = shared.ledger().clone();
        shown(&store).into_iter().for_each(|(topic, partition, shown)| ledger.show(topic, partition, shown));
        if let Some(lsn) = ledger.half_shown(high) {
            panic!("{place}: readers see half of the group at LSN {lsn}");
        }
        let seed = chance.next();
        note(&report, event);
        if plan.is_traced {
            println!("{place}");
        }
        if chance.happens(plan.cut_percent) {
            check_accidents(&plan, disk, &ledger, seed, &report, &place);
        }
        // The later, the likelier: most of a life is lived.
        if event.number == 0 || chance.below(event.number / 4 + 1) == 0 {
            let accident = if chance.happens(70) { Accident::PowerCut } else { Accident::Kill };
            *lock(&kept) = Some(Next { disk: after(disk, accident, seed), ledger, accident });
        }
    });
    next
}

fn note(report: &Mutex<Report>, event: &Event) {
    let mut report = lock(report);
    let mut hasher = std::hash::DefaultHasher::new();
    (report.fingerprint, format!("{event:?}")).hash(&mut hasher);
    report.fingerprint = hasher.finish();
}

fn after(disk: &FaultyDisk, accident: Accident, seed: u64) -> FaultyDisk {
    match accident {
        Accident::PowerCut => disk.cut(seed),
        Accident::Kill => disk.killed(seed),
    }
}

fn check_accidents(
    plan: &Plan,
    disk: &FaultyDisk,
    ledger: &Ledger,
    seed: u64,
    report: &Mutex<Report>,
    place: &str,
) {
    let accident = if seed.is_multiple_of(8) { Accident::Kill } else { Accident::PowerCut };
    let place = format!("{place}, {accident:?} with seed {seed}");
    let disk = after(disk, accident, seed);
    let again = cuts_of_recovery(plan, &disk, seed);
    let records = check(&disk, ledger, accident, seed, &place);
    disk.unobserve();
    for (event, disk) in lock(&again).drain(..) {
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
fn cuts_of_recovery(plan: &Plan, disk: &FaultyDisk, seed: u64) -> Cuts {
    let cuts = Cuts::default();
    let (kept, percent) = (Arc::clone(&cuts), plan.again_percent);
    let mut chance = Chance::new(seed);
    disk.observe(move |disk, event| {
        if chance.happens(percent) {
            lock(&kept).push((event.clone(), disk.cut(chance.next())));
        }
    });
    cuts
}

/// Starts a store on a disk after an accident and holds it to what was promised; returns how many records it looked
/// at.
fn check(disk: &FaultyDisk, ledger: &Ledger, accident: Accident, seed: u64, place: &str) -> u64 {
    let fail = |errors: Vec<String>| -> ! { panic!("{place}: {errors:#?}") };
    let node = Node::open(disk).unwrap_or_else(|error| fail(vec![error]));
    disk.unobserve();
    let image = node.image().unwrap_or_else(|error| fail(vec![error]));
    let survived = ledger.check(&image, accident).unwrap_or_else(|errors| fail(errors));
    check_epochs(&node, ledger, &image).unwrap_or_else(|error| fail(vec![error]));
    check_stays(disk, &image, seed).unwrap_or_else(|error| fail(vec![error]));
    let mut survivors = ledger.clone();
    survivors.survive(survived, &image);
    check_repeats(&node, &survivors.all()).unwrap_or_else(|error| fail(vec![error]));
    check_goes_on(node, disk, image.clone(), seed).unwrap_or_else(|error| fail(vec![error]));
    image
        .topics
        .values()
        .flat_map(|topic| &topic.partitions)
        .map(|partition| partition.records.len() as u64)
        .sum()
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

/// The number of the last journal file, in rounds.
fn journal_rounds(disk: &FaultyDisk) -> u64 {
    let files = disk.list(Path::new("journal")).unwrap_or_default();
    let numbers = files.iter().filter_map(|file| file.name.strip_suffix(".journal")?.parse::<u64>().ok());
    numbers.max().unwrap_or(0) / files.len().max(1) as u64
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
