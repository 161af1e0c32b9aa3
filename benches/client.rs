//! Produces or consumes with our client and says what that cost its own process, for `benches/clients/run.sh`, which
//! runs librdkafka and Kafka's own client with the same settings in turn.
//!
//! ```text
//! cargo bench -p mainstem-client --bench client -- produce BOOTSTRAP TOPIC RECORDS BYTES CODEC PAYLOADS
//! cargo bench -p mainstem-client --bench client -- latency BOOTSTRAP TOPIC RECORDS BYTES CODEC PAYLOADS PER_MILLISECOND
//! cargo bench -p mainstem-client --bench client -- consume BOOTSTRAP TOPIC RECORDS PARTITIONS
//! ```
//!
//! PAYLOADS is a file whose text is cut into values. The first quarter of the records warms up and is not counted.

#[path = "support/measure.rs"]
mod measure;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::FutureExt;
use mainstem_client::{
    Compression, Consumer, ConsumerConfig, Producer, ProducerConfig, ProducerRecord, TcpConfig, TcpTransport,
    Text, TopicPartition,
    consumer::{OffsetReset, Polled},
    producer::Ticket,
};
use tokio::time::{MissedTickBehavior, interval};

/// Tickets that are kept before the oldest is looked at: more records than the producer's buffer has room for.
const TICKETS_MAX: usize = 400_000;

#[expect(clippy::disallowed_methods, reason = "the load is a task of its own")]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [way, bootstrap, topic, records, rest @ ..] = words.as_slice() else {
        println!("usage: produce|latency|consume BOOTSTRAP TOPIC RECORDS ... (see benches/clients/run.sh)");
        return;
    };
    let transport = TcpTransport::new(TcpConfig::bootstrap(bootstrap));
    // A load that one thread carries does not need others that wake one another.
    let mut runtime = match way.as_str() {
        "latency" => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(2).enable_all().build().expect("threads can be started");
    let (topic, records) = (Text::from(topic.as_str()), number(records));
    runtime.block_on(async {
        match way.as_str() {
            "produce" => produce(Load::new(&transport, topic, records, rest)).await,
            "latency" => {
                // As applications have it: what `block_on` waits for itself is woken by a system call each time.
                let load = Load::new(&transport, topic, records, rest);
                let measured = tokio::spawn(latency(load, number(&rest[3])));
                measured.await.expect("every record is stored");
            }
            _ => consume(&transport, &topic, records, number(&rest[0])).await,
        }
    });
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

/// Processor time since a moment, and the records that it went into.
struct Cost(f64);

impl Cost {
    fn begin() -> Self {
        Self(measure::cpu_seconds())
    }

    fn report(&self, records: usize) {
        let cpu = measure::cpu_seconds() - self.0;
        let rate = records as f64 / cpu;
        println!("records {records} cpu_seconds {cpu:.3} records_per_cpu_second {rate:.0}");
    }
}

/// What is to be sent.
struct Load {
    producer: Producer,
    topic: Text,
    records: usize,
    values: Vec<Bytes>,
}

impl Load {
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads its payloads")]
    fn new(transport: &TcpTransport, topic: Text, records: usize, words: &[String]) -> Self {
        let compression = match words[1].as_str() {
            "lz4" => Compression::Lz4,
            _ => Compression::None,
        };
        let linger = Duration::from_millis(5);
        let config =
            ProducerConfig { batch_bytes: 128 * 1024, linger, compression, ..ProducerConfig::default() };
        let text = Bytes::from(std::fs::read(&words[2]).expect("the payloads are there"));
        let bytes = number(&words[0]);
        let values = (0..text.len() / bytes).map(|at| text.slice(at * bytes..(at + 1) * bytes)).collect();
        Self { producer: Producer::new(transport, config), topic, records, values }
    }

    fn warm_up(&self) -> usize {
        self.records / 4
    }

    async fn send(&self, at: usize) -> Ticket {
        let value = self.values[at % self.values.len()].clone();
        let record = ProducerRecord::new(self.topic.clone()).value(value);
        self.producer.send(record).await.expect("the record is taken")
    }
}

async fn produce(load: Load) {
    let mut tickets = VecDeque::with_capacity(TICKETS_MAX);
    let mut cost = Cost::begin();
    for at in 0..load.records {
        if at == load.warm_up() {
            cost = Cost::begin();
        }
        if tickets.len() == TICKETS_MAX {
            stored(tickets.pop_front()).await;
        }
        tickets.push_back(load.send(at).await);
    }
    load.producer.flush().await;
    while !tickets.is_empty() {
        stored(tickets.pop_front()).await;
    }
    cost.report(load.records - load.warm_up());
}

async fn stored(ticket: Option<Ticket>) {
    if let Some(ticket) = ticket {
        ticket.receipt().await.expect("the record is stored");
    }
}

/// Sends so many records each millisecond, and says how long each took from then until it was stored.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn latency(load: Load, per_millisecond: usize) {
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut waiting = VecDeque::with_capacity(TICKETS_MAX);
    let mut micros = Vec::with_capacity(load.records);
    let (mut sent, mut cost) = (0, Cost::begin());
    while micros.len() < load.records {
        tokio::select! {
            biased;
            () = all_stored(&mut waiting, &mut micros), if !waiting.is_empty() => {}
            _ = ticks.tick(), if sent < load.records => {
                for at in sent..sent + per_millisecond {
                    if at == load.warm_up() {
                        cost = Cost::begin();
                    }
                    let started = Instant::now();
                    waiting.push_back((started, load.send(at).await));
                }
                sent += per_millisecond;
            }
        }
    }
    cost.report(load.records - load.warm_up());
    let counted = &mut micros[load.warm_up()..];
    counted.sort_unstable();
    println!("p50_us {} p99_us {}", counted[counted.len() / 2], counted[counted.len() * 99 / 100]);
}

/// Takes out the records that are stored, once the oldest is; those of one batch are all at once.
async fn all_stored(waiting: &mut VecDeque<(Instant, Ticket)>, micros: &mut Vec<u128>) {
    let Some((_, oldest)) = waiting.front_mut() else { return };
    oldest.await.expect("the record is stored");
    while let Some(stored) = waiting.front_mut().and_then(|(_, ticket)| ticket.now_or_never()) {
        stored.expect("the record is stored");
        micros.extend(waiting.pop_front().map(|(started, _)| started.elapsed().as_micros()));
    }
}

async fn consume(transport: &TcpTransport, topic: &Text, records: usize, partitions: usize) {
    let config = ConsumerConfig {
        offset_reset: OffsetReset::Earliest,
        poll_records: 10_000,
        ..ConsumerConfig::default()
    };
    let mut consumer = Consumer::new(transport, config);
    consumer.assign((0..partitions as i32).map(|id| TopicPartition::new(topic.clone(), id)));
    let (mut seen, mut sum) = (0, 0);
    let mut begun: Option<(usize, Cost)> = None;
    while seen < records {
        if seen >= records / 4 {
            begun.get_or_insert_with(|| (seen, Cost::begin()));
        }
        if let Polled::Records(batches) = consumer.poll(Duration::from_secs(1)).await.expect("records come") {
            for record in batches.iter().flat_map(|batch| &batch.records) {
                seen += 1;
                sum += record.value.as_ref().map_or(0, Bytes::len);
            }
        }
    }
    let (before, cost) = begun.expect("the first poll does not bring everything");
    cost.report(seen - before);
    eprintln!("{sum} bytes");
}
