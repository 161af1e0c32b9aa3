//! Lives of a data directory, one after the other; accidents at the events of each.

use std::{
    collections::BTreeSet,
    fmt,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use mainstem_protocol::PartitionId;
use mainstem_storage::disk::{Disk, Event, EventKind, FaultyDisk};

use crate::{
    accident::{after, look_at},
    chance::Chance,
    ledger::{Accident, Ledger},
    lock,
    node::{How, Node, restart_topic_ids, shown},
    tally::Tally,
    workers::{Jobs, Workers},
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
    pub(crate) tally: Tally,
    pub(crate) events: u64,
    pub(crate) cuts: u64,
    pub(crate) kills: u64,
    pub(crate) cuts_of_recoveries: u64,
    pub(crate) records_checked: u64,
    /// Segments that followed another one.
    pub(crate) rolls: BTreeSet<PathBuf>,
    /// Lives whose segments were written through a mapping.
    pub(crate) mapped_lives: u64,
    /// How often the journal was written from its beginning to its end.
    pub(crate) journal_rounds: u64,
    /// Every event of every life, in one number.
    pub(crate) fingerprint: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, events, cuts, kills, cuts_of_recoveries, records_checked, rolls, .. } = self;
        write!(f, "{tally}, {} rolls, {events} events, {cuts} power cuts, {kills} kills, ", rolls.len())?;
        write!(f, "{cuts_of_recoveries} power cuts in recoveries, {records_checked} records checked, ")?;
        write!(f, "{} lives with mapped segments, ", self.mapped_lives)?;
        write!(f, "journal recycled {} times", self.journal_rounds)
    }
}

impl Report {
    /// What of a complete run it lacks.
    pub(crate) fn lacks(&self) -> Vec<String> {
        let mut lacking = self.tally.lacks();
        let least = [
            ("rolls", self.rolls.len() as u64, 50),
            ("journal rounds", self.journal_rounds, 3),
            ("power cuts", self.cuts, 1),
            ("power cuts in recoveries", self.cuts_of_recoveries, 1),
        ];
        let few = least.iter().filter(|(_, found, least)| found < least);
        lacking.extend(few.map(|(what, found, least)| format!("{found} {what} of {least}")));
        lacking
    }

    fn note(&mut self, event: &Event) {
        let mut hasher = std::hash::DefaultHasher::new();
        (self.fingerprint, format!("{event:?}")).hash(&mut hasher);
        self.fingerprint = hasher.finish();
        let name = event.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if event.kind == EventKind::Name
            && name.ends_with(".log")
            && !name.starts_with("00000000000000000000")
        {
            self.rolls.insert(event.path.clone());
        }
    }
}

/// Where the next life begins: the disk after an accident, and what was known at that moment.
struct Next {
    disk: FaultyDisk,
    ledger: Arc<Ledger>,
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
    let mut next = Next { disk, ledger: Arc::default(), accident: Accident::PowerCut };
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
    let Next { disk, ledger, accident } = from;
    let mut ledger = Ledger::clone(&ledger);
    let how = if chance.happens(50) { How::Map } else { How::Write };
    let node = Node::open_with(&disk, how).unwrap_or_else(|error| panic!("{place}: {error}"));
    let image = node.image().unwrap_or_else(|error| panic!("{place}: {error}"));
    let survived = ledger.check(&image, accident).unwrap_or_else(|errors| panic!("{place}: {errors:#?}"));
    ledger.survive(survived, &image);
    ledger.forget_lsn();
    let image = ledger.all();
    let shared = Shared::default();
    *shared.ledger() = ledger;
    let mut workload = Workload::new(node, shared.clone(), &image, once.clone(), chance.next());
    let workers = Workers::new();
    let next = watch(plan, &disk, &workload, shared, chance.next(), report, (place, workers.jobs()));
    while workload.tally.groups < plan.groups.div_ceil(plan.lives) {
        assert!(workload.step(), "{place}: the store failed although the disk did not");
        workers.check();
    }
    disk.unobserve();
    workers.finish();
    let mut report = lock(report);
    report.tally += workload.tally;
    report.events += disk.events();
    report.mapped_lives += u64::from(how == How::Map);
    *once = workload.once.clone();
    lock(&next).take().expect("something happened in this life")
}

/// Cuts at the events of a life and has the cuts looked at; keeps one of them as the accident that ends it.
fn watch(
    plan: &Plan,
    disk: &FaultyDisk,
    workload: &Workload,
    shared: Shared,
    seed: u64,
    report: &Arc<Mutex<Report>>,
    (place, jobs): (&str, Jobs),
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
        let (seed, ledger) = (chance.next(), Arc::new(ledger));
        lock(&report).note(event);
        if plan.is_traced {
            println!("{place}");
        }
        if chance.happens(plan.cut_percent) {
            let accident = if seed.is_multiple_of(8) { Accident::Kill } else { Accident::PowerCut };
            let (left, ledger, report) =
                (after(disk, accident, seed), Arc::clone(&ledger), Arc::clone(&report));
            jobs.give(move || look_at(&left, &ledger, (accident, seed), plan.again_percent, &report, &place));
        }
        // The later, the likelier: most of a life is lived.
        if event.number == 0 || chance.below(event.number / 4 + 1) == 0 {
            let accident = if chance.happens(70) { Accident::PowerCut } else { Accident::Kill };
            *lock(&kept) = Some(Next { disk: after(disk, accident, seed), ledger, accident });
        }
    });
    next
}

/// The number of the last journal file, in rounds.
fn journal_rounds(disk: &FaultyDisk) -> u64 {
    let files = disk.list(Path::new("journal")).unwrap_or_default();
    let numbers = files.iter().filter_map(|file| file.name.strip_suffix(".journal")?.parse::<u64>().ok());
    numbers.max().unwrap_or(0) / files.len().max(1) as u64
}
