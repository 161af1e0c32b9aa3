//! How long a start takes until the first answer, and how much memory an idle broker has: empty, with a thousand
//! written partitions, and after a kill -9 with five thousand.
//!
//! `cargo bench -p mainstem --bench start`

#[path = "support/measure.rs"]
mod measure;
#[path = "../tests/support/process.rs"]
mod process;
#[path = "../tests/support/wire.rs"]
mod wire;

use std::path::Path;

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, ErrorCode, Timestamp,
    messages::{
        ApiVersionsRequest, ProduceRequest, RequestBody, ResponseBody,
        produce::{PartitionProduceData, TopicProduceData},
    },
    records::{BatchBuilder, Compression, NewRecord, ProducerStamp},
};
use measure::{Spread, time};
use process::Broker;
use wire::Connection;

const STARTS: usize = 7;

fn main() {
    let data = process::fresh_directory("bench-start");
    report("empty", &data);
    write("thousand", 1000, &data);
    report("1,000 written partitions", &data);
    write("more", 4000, &data);
    report("5,000 written partitions", &data);
    report_recovery(&data);
}

fn report(what: &str, data: &Path) {
    let (mut millis, mut kib) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (elapsed, broker) = time(|| started(data));
        millis.push(elapsed.as_secs_f64() * 1000.0);
        kib.push(broker.resident_kib() as f64 / 1024.0);
        broker.stop();
    }
    println!("{what}: first answer after {} ms, resident {} MiB", Spread::of(millis), Spread::of(kib));
}

fn report_recovery(data: &Path) {
    let mut millis = Vec::new();
    for _ in 0..STARTS {
        let broker = started(data);
        produce(&broker, "more", 4000);
        broker.kill();
        let (elapsed, broker) = time(|| started(data));
        millis.push(elapsed.as_secs_f64() * 1000.0);
        broker.stop();
    }
    println!(
        "5,000 partitions, 4,000 of them written since the last stop, kill -9: first answer after {} ms",
        Spread::of(millis)
    );
}

/// A broker that has answered a request.
fn started(data: &Path) -> Broker {
    let broker = Broker::start(data, &[]);
    let response = Connection::open(broker.address).call(ApiVersionsRequest::default());
    let ResponseBody::ApiVersions(response) = response else { unreachable!("versions are asked for") };
    assert_eq!(response.error_code, ErrorCode::NONE);
    broker
}

fn write(topic: &'static str, partitions: i32, data: &Path) {
    let broker = started(data);
    Connection::open(broker.address).create_topic(topic, partitions, &[("retention.ms", "-1")]);
    produce(&broker, topic, partitions);
    broker.stop();
}

/// One record into each partition.
fn produce(broker: &Broker, topic: &'static str, partitions: i32) {
    let mut connection = Connection::open(broker.address);
    let batch = batch();
    for first in (0..partitions).step_by(100) {
        let data = |index| PartitionProduceData { index, records: Some(batch.clone().into()) };
        let topic = TopicProduceData {
            name: topic.into(),
            partition_data: (first..partitions.min(first + 100)).map(data).collect(),
            ..Default::default()
        };
        let request =
            ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
        connection.send(&RequestBody::from(request)).expect("the broker takes requests");
        let response = connection.receive(ApiKey::Produce).expect("the broker answers");
        let ResponseBody::Produce(response) = response else {
            unreachable!("produce is answered by produce")
        };
        for answer in response.responses.iter().flat_map(|topic| &topic.partition_responses) {
            assert_eq!(answer.error_code, ErrorCode::NONE);
        }
    }
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    let record =
        NewRecord { timestamp: Timestamp(1_700_000_000_000), value: Some(b"value"), ..Default::default() };
    builder.append(&record).expect("the batch has room");
    builder.seal(&ProducerStamp::NONE).expect("the batch is sealed")
}
