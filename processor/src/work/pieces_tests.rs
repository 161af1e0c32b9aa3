//! Work that pauses where much is emitted: it is the same as without, and little of it is there at a time.

use bytes::{Bytes, BytesMut};
use mainstem_client::{Offset, PartitionId};

use super::*;
use crate::{
    Counters, StreamBuilder,
    graph::join::foreign::{Fingerprint, Subscription},
    serdes::Serde,
};

fn joined() -> Topology {
    let builder = StreamBuilder::new("t");
    let (orders, towns) = (builder.table::<i64, Text>("orders"), builder.table::<Text, Text>("towns"));
    let named = |_: &i64, name: &Text| Some(name.clone());
    orders.join_foreign(&towns, "shipping", named, |_, _, town| town.clone()).to("out");
    builder.build().unwrap()
}

/// The task beside the right table.
fn answering() -> Work {
    let topology = joined();
    let plan = Plan::new(&topology, ["orders", "towns"].map(|topic| (Text::from(topic), 1)).into()).unwrap();
    let answers =
        |part: &crate::topology::Part| part.stores.iter().any(|store| store == "shipping-subscriptions");
    let part = topology.parts().iter().position(answers).unwrap();
    let stores = Stores::new(topology.parts()[part].stores.iter().cloned());
    Work::new(&topology, &plan, part, 0, stores, Arc::new(Counters::default()))
}

fn record(offset: usize, key: &'static str, value: Bytes) -> Record {
    let (offset, timestamp) = (Offset(offset as i64), Timestamp(offset as i64));
    Record { offset, timestamp, key: Some(key.into()), value: Some(value), headers: Default::default() }
}

fn subscription(order: usize) -> Record {
    let asks = Some(Fingerprint::read([7; Fingerprint::BYTES]));
    let subscription = Subscription { key: order as i64, task: PartitionId(0), asks };
    record(order, "anna", subscription.encode(&mut BytesMut::new()).unwrap().unwrap())
}

/// What is emitted in the end, and how many records and bytes were there at a time.
#[derive(Default)]
struct Emissions {
    all: Vec<Emitted>,
    records_max: usize,
    bytes_max: usize,
}

impl Emissions {
    fn take(&mut self, work: &mut Work) {
        loop {
            self.records_max = self.records_max.max(work.emitted.len());
            self.bytes_max = self.bytes_max.max(work.emitted.iter().map(Emitted::size).sum());
            self.all.append(&mut work.emitted);
            if !work.go_on().unwrap() {
                return;
            }
        }
    }

    fn work_off(&mut self, work: &mut Work, topic: &str, mut records: Vec<Record>) {
        while !records.is_empty() {
            work.work_off(&TopicPartition::new(topic, 0), &mut records).unwrap();
            self.take(work);
        }
    }

    /// So many ask for a town, which has these names one behind the other; then the input ends.
    fn of(mut work: Work, orders: usize, names: &[Bytes]) -> Self {
        let mut emissions = Self::default();
        let asked = (0..orders).map(subscription).collect();
        emissions.work_off(&mut work, "t-shipping-subscription-repartition", asked);
        let names = names.iter().enumerate().map(|(at, name)| record(orders + at, "anna", name.clone()));
        emissions.work_off(&mut work, "towns", names.collect());
        work.finish_input(&TopicPartition::new("towns", 0)).unwrap();
        emissions.take(&mut work);
        work.prepare_commit().unwrap();
        emissions.take(&mut work);
        emissions
    }
}

#[test]
fn answers_come_in_pieces_and_are_the_same_in_the_same_order() {
    let names = ["Graz", "Wien"].map(Bytes::from);
    let (whole, pieces) =
        (Emissions::of(answering(), 2500, &names), Emissions::of(answering().in_pieces(), 2500, &names));
    assert!(pieces.records_max <= caps::EMITTED_MAX + caps::ANSWERS_MAX, "{}", pieces.records_max);
    let answers = whole.all.iter().filter(|emitted| emitted.topic == "t-shipping-response-repartition");
    assert!(answers.count() >= 3 * 2500);
    assert_eq!(whole.all, pieces.all);
}

#[test]
fn few_answers_come_at_once_where_they_are_large() {
    let name = Bytes::from("x".repeat(600 * 1024));
    let pieces = Emissions::of(answering().in_pieces(), 20, &[name]);
    assert!(pieces.bytes_max < 2 * caps::ANSWERS_BYTES_MAX, "{}", pieces.bytes_max);
    let large = pieces.all.iter().filter(|emitted| emitted.size() > 600 * 1024);
    assert_eq!(large.count(), 20);
}
