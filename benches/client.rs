//! Produces or consumes with our client and says what that cost its own process, for `benches/librdkafka/run.sh`,
//! which runs librdkafka with the same settings in turn.
//!
//! `cargo bench -p mainstem-client --bench client -- produce BOOTSTRAP TOPIC RECORDS BYTES`
//! `cargo bench -p mainstem-client --bench client -- consume BOOTSTRAP TOPIC RECORDS PARTITIONS`

#[path = "support/measure.rs"]
mod measure;

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use mainstem_client::{
    Consumer, ConsumerConfig, Producer, ProducerConfig, ProducerRecord, TcpConfig, TcpTransport, Text,
    TopicPartition,
    consumer::{OffsetReset, Polled},
};

/// Tickets that are kept before the oldest is looked at: more records than the producer's buffer has room for.
const TICKETS_MAX: usize = 400_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [way, bootstrap, topic, records, number] = words.as_slice() else {
        println!(
            "usage: produce|consume BOOTSTRAP TOPIC RECORDS BYTES|PARTITIONS (see benches/librdkafka/run.sh)"
        );
        return;
    };
    let (records, number): (usize, usize) =
        (records.parse().expect("a number of records"), number.parse().expect("a number"));
    let transport = TcpTransport::new(TcpConfig::bootstrap(bootstrap));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("threads can be started");
    let (wall, ()) = measure::time(|| match way.as_str() {
        "produce" => runtime.block_on(produce(transport, Text::from(topic.as_str()), records, number)),
        _ => runtime.block_on(consume(transport, topic.clone(), records, number)),
    });
    let (cpu, wall) = (measure::cpu_seconds(), wall.as_secs_f64());
    let rate = records as f64 / cpu;
    println!(
        "records {records} cpu_seconds {cpu:.3} wall_seconds {wall:.3} records_per_cpu_second {rate:.0}"
    );
}

async fn produce(transport: TcpTransport, topic: Text, records: usize, bytes: usize) {
    let config = ProducerConfig { batch_bytes: 128 * 1024, ..ProducerConfig::default() };
    let producer = Producer::new(&transport, config);
    let payload: Bytes = (0..bytes).map(|index| b'a' + (index % 26) as u8).collect();
    let mut tickets = VecDeque::with_capacity(TICKETS_MAX);
    for _ in 0..records {
        if tickets.len() == TICKETS_MAX {
            stored(tickets.pop_front()).await;
        }
        let record = ProducerRecord::new(topic.clone()).value(payload.clone());
        tickets.push_back(producer.send(record).await.expect("the record is taken"));
    }
    producer.flush().await;
    while !tickets.is_empty() {
        stored(tickets.pop_front()).await;
    }
}

async fn stored(ticket: Option<mainstem_client::producer::Ticket>) {
    if let Some(ticket) = ticket {
        ticket.receipt().await.expect("the record is stored");
    }
}

async fn consume(transport: TcpTransport, topic: String, records: usize, partitions: usize) {
    let config = ConsumerConfig {
        offset_reset: OffsetReset::Earliest,
        poll_records: 10_000,
        ..ConsumerConfig::default()
    };
    let mut consumer = Consumer::new(&transport, config);
    consumer.assign((0..partitions as i32).map(|id| TopicPartition::new(topic.as_str(), id)));
    let (mut seen, mut sum) = (0, 0);
    while seen < records {
        if let Polled::Records(batches) = consumer.poll(Duration::from_secs(1)).await.expect("records come") {
            for record in batches.iter().flat_map(|batch| &batch.records) {
                seen += 1;
                sum += record.value.as_ref().map_or(0, Bytes::len);
            }
        }
    }
    eprintln!("{sum} bytes");
}
