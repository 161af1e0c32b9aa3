//! Acknowledged records per second at one partition and at a hundred, with the default durability: one sync serves
//! all partitions, so both are as fast. Printed beside what a sync takes in the same run.
//!
//! `cargo bench -p mainstem --bench produce`

#[path = "support/measure.rs"]
mod measure;
#[path = "../tests/support/process.rs"]
mod process;
#[path = "../tests/support/wire.rs"]
mod wire;

use std::{net::SocketAddr, thread};

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, ErrorCode, Timestamp,
    messages::{
        ProduceRequest, RequestBody, ResponseBody,
        produce::{PartitionProduceData, TopicProduceData},
    },
    records::{BatchBuilder, Compression, NewRecord, ProducerStamp},
};
use measure::{Spread, sync_millis, time};
use process::Broker;
use wire::Connection;

const CONNECTIONS: i32 = 4;
const IN_FLIGHT: usize = 5;
const BATCHES_PER_CONNECTION: i32 = 2000;
const RECORDS_PER_BATCH: i32 = 16;
const RECORD_BYTES: usize = 1024;
const ROUNDS: usize = 5;

fn main() {
    let data = process::fresh_directory("bench-produce");
    let sync = sync_millis(&data);
    let broker = Broker::start(&data, &["log.retention.bytes=67108864", "log.segment.bytes=67108864"]);
    let mut connection = Connection::open(broker.address);
    connection.create_topic("one", 1, &[]);
    connection.create_topic("hundred", 100, &[]);
    let batch = batch();
    let (mut one, mut hundred) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        one.push(rate(broker.address, "one", 1, &batch));
        hundred.push(rate(broker.address, "hundred", 100, &batch));
    }
    let ratios = one.iter().zip(&hundred).map(|(one, hundred)| hundred / one).collect();
    println!("a write of 4 KiB and its sync: {sync} ms");
    println!(
        "records of {RECORD_BYTES} B per second, {CONNECTIONS} connections, {IN_FLIGHT} batches of {RECORDS_PER_BATCH} in flight each:"
    );
    println!("  1 partition:     {}", Spread::of(one));
    println!("  100 partitions:  {}", Spread::of(hundred));
    println!("  100 against 1:   {}", Spread::of(ratios));
    broker.stop();
}

/// Records per second that are acknowledged.
fn rate(address: SocketAddr, topic: &'static str, partitions: i32, batch: &Bytes) -> f64 {
    let (elapsed, ()) = time(|| {
        let load = |first: i32| {
            let batch = batch.clone();
            thread::spawn(move || produce(address, topic, partitions, first, &batch))
        };
        let running: Vec<_> = (0..CONNECTIONS).map(load).collect();
        running.into_iter().for_each(|thread| thread.join().expect("the load runs"));
    });
    f64::from(CONNECTIONS * BATCHES_PER_CONNECTION * RECORDS_PER_BATCH) / elapsed.as_secs_f64()
}

fn produce(address: SocketAddr, topic: &'static str, partitions: i32, first: i32, batch: &Bytes) {
    let mut connection = Connection::open(address);
    let mut in_flight = 0;
    for turn in 0..BATCHES_PER_CONNECTION {
        if in_flight == IN_FLIGHT {
            acknowledged(&mut connection);
            in_flight -= 1;
        }
        let partition = (first + turn * CONNECTIONS) % partitions;
        connection.send(&request(topic, partition, batch)).expect("the broker takes requests");
        in_flight += 1;
    }
    (0..in_flight).for_each(|_| acknowledged(&mut connection));
}

fn acknowledged(connection: &mut Connection) {
    let response = connection.receive(ApiKey::Produce).expect("the broker answers");
    let ResponseBody::Produce(response) = response else { unreachable!("produce is answered by produce") };
    assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
}

fn request(topic: &'static str, partition: i32, batch: &Bytes) -> RequestBody {
    let partition = PartitionProduceData { index: partition, records: Some(batch.clone().into()) };
    let topic =
        TopicProduceData { name: topic.into(), partition_data: vec![partition], ..Default::default() };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }.into()
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = vec![b'x'; RECORD_BYTES];
    for n in 0..RECORDS_PER_BATCH {
        let timestamp = Timestamp(1_700_000_000_000 + i64::from(n));
        let record = NewRecord { timestamp, value: Some(&value), ..Default::default() };
        builder.append(&record).expect("the batch has room");
    }
    builder.seal(&ProducerStamp::NONE).expect("the batch is sealed")
}
