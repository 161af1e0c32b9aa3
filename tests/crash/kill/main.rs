//! Kill -9 and power cuts on the real binary, again and again, under an idempotent load and changes of topics: what was
//! acknowledged is there after each start, once, in order. Each with both ways to append to segments (`log.append`).
//!
//! `KILLS` says how often (default 5), `SEED` repeats the choice of moments. The power cuts need
//! root and loop devices, and say so where there are none.

mod administrator;
mod check;
mod load;
mod loop_device;
#[path = "../../support/process.rs"]
mod process;
#[path = "../../support/wire.rs"]
mod wire;

use std::{path::PathBuf, sync::Arc, thread, time::Duration};

use administrator::Administrator;
use chance::Chance;
use load::{Pressure, Producer};
use loop_device::LoopDevice;
use process::Broker;
use wire::Connection;

const TOPICS: [(&str, &str); 2] = [("synced", "1"), ("written", "9223372036854775807")];
const PARTITIONS: i32 = 3;
/// So small that it is recycled many times in a run.
const JOURNAL: &str = "journal.bytes=1048576";
/// Segments are written in either way, and a start finds what the other one left.
const BY_WRITES: [&str; 2] = [JOURNAL, "log.append=write"];
const THROUGH_MAPS: [&str; 2] = [JOURNAL, "log.append=map"];

#[test]
fn acknowledged_records_survive_kill_9() {
    survive_kills("kill", &BY_WRITES);
}

#[test]
fn acknowledged_records_of_mapped_segments_survive_kill_9() {
    survive_kills("kill-map", &THROUGH_MAPS);
}

#[test]
fn acknowledged_records_survive_power_cuts_of_a_loop_device() {
    survive_power_cuts("power-cut", &BY_WRITES);
}

#[test]
fn acknowledged_records_of_mapped_segments_survive_power_cuts_of_a_loop_device() {
    survive_power_cuts("power-cut-map", &THROUGH_MAPS);
}

fn survive_kills(directory: &str, settings: &[&str]) {
    let (kills, mut chance) = (kills(), chance());
    let data = process::fresh_directory(directory);

    let mut broker = Broker::start(&data, settings);
    // Whether acknowledgements wait for syncs makes no difference to a kill.
    let mut load = prepare(&broker, &TOPICS, &["synced", "written"]);
    let mut checked = 0;
    for kill in 1..=kills {
        load = interrupted(load, &broker, &mut chance, Broker::kill);
        broker = Broker::start(&data, settings);
        let changes;
        (checked, changes) = verify(&broker, &mut load);
        println!("kill {kill}: {checked} acknowledged records and {changes} changes checked");
    }
    broker.stop();
    let recycled = process::last_journal_file(&data);
    println!("{kills} kills, {checked} acknowledged records, journal files up to number {recycled}");
    assert!(checked > 0);
    if kills >= 5 {
        assert!(recycled >= 10, "the journal was not recycled ten times: its last file is {recycled}");
    }
}

fn survive_power_cuts(directory: &str, settings: &[&str]) {
    let directory = process::fresh_directory(directory);
    let device = match LoopDevice::new(&directory) {
        Ok(device) => device,
        Err(why) => return println!("skipped: no file system on a loop device here: {why}"),
    };
    let (cuts, mut chance) = (kills(), chance());
    let data = device.mount.join("data");
    let mut broker = Broker::start(&data, settings);
    // What is only written may be lost here; so only what is synced is promised.
    let mut load = prepare(&broker, &TOPICS[..1], &[]);
    let mut checked = 0;
    for cut in 1..=cuts {
        let mut medium = PathBuf::new();
        load = interrupted(load, &broker, &mut chance, |broker| {
            broker.freeze();
            medium = device.snapshot();
            broker.kill();
        });
        device.restore(&medium);
        broker = Broker::start(&data, settings);
        let changes;
        (checked, changes) = verify(&broker, &mut load);
        println!("power cut {cut}: {checked} acknowledged records and {changes} changes checked");
    }
    broker.stop();
    assert!(checked > 0);
}

/// Those who use the broker.
struct Load {
    producers: Vec<Producer>,
    administrator: Administrator,
}

fn prepare(broker: &Broker, topics: &[(&'static str, &str)], toggled: &'static [&'static str]) -> Load {
    let mut connection = Connection::open(broker.address);
    for (topic, flush_messages) in topics {
        connection.create_topic(
            topic,
            PARTITIONS,
            &[("flush.messages", flush_messages), ("retention.ms", "-1")],
        );
    }
    let producer =
        |(topic, _): &(&'static str, &str)| Producer::new(topic, PARTITIONS, connection.init_producer());
    let producers = topics.iter().map(producer).collect();
    Load { producers, administrator: Administrator::new(&mut connection, toggled) }
}

/// Loads the broker and ends it while acknowledgements are outstanding.
fn interrupted(load: Load, broker: &Broker, chance: &mut Chance, end: impl FnOnce(&Broker)) -> Load {
    let pressure = Arc::new(Pressure::default());
    let address = broker.address;
    let Load { producers, administrator } = load;
    let changing = thread::spawn(move || administrator.run(address));
    let running: Vec<_> = producers
        .into_iter()
        .map(|producer| {
            let pressure = Arc::clone(&pressure);
            thread::spawn(move || producer.run(address, &pressure))
        })
        .collect();
    pressure.wait_for_acknowledged(1 + chance.below(150));
    // Not to wait for anything: to hit any moment between two acknowledgements.
    thread::sleep(Duration::from_micros(chance.below(4000)));
    pressure.wait_for_outstanding();
    end(broker);
    let producers =
        running.into_iter().map(|producer| producer.join().expect("the load has failed")).collect();
    Load { producers, administrator: changing.join().expect("the changes have failed") }
}

/// Returns how many acknowledged records and how many changes were found.
fn verify(broker: &Broker, load: &mut Load) -> (usize, i64) {
    let mut connection = Connection::open(broker.address);
    let mut checked = 0;
    for producer in &load.producers {
        for track in &producer.tracks {
            let records = connection.read(producer.topic, track.partition);
            match check::check(&records, track) {
                Ok(count) => checked += count,
                Err(violation) => panic!("{}-{}: {violation:?}", producer.topic, track.partition),
            }
        }
    }
    (checked, load.administrator.verify(&mut connection))
}

fn kills() -> u64 {
    number("KILLS").unwrap_or(5)
}

fn chance() -> Chance {
    let seed = number("SEED").unwrap_or_else(chance::seed);
    println!("seed {seed}: SEED={seed} KILLS={} repeats this run", kills());
    Chance::new(seed)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

mod chance {
    use std::hash::{BuildHasher, RandomState};

    /// A small generator: the same seed, the same choices (xorshift64*).
    pub(super) struct Chance(u64);

    impl Chance {
        pub(super) fn new(seed: u64) -> Self {
            Self(seed.max(1))
        }

        pub(super) fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % limit
        }
    }

    pub(super) fn seed() -> u64 {
        RandomState::new().hash_one(0) >> 16
    }
}
