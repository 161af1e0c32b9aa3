//! Producer and consumer allocate for batches and requests, not for records. Each allocation of this binary is counted,
//! so its tests take turns.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

#[path = "../../tests/support/allocations.rs"]
mod allocations;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use mainstem_client::{
    Compression, Consumer, ConsumerConfig, Headers, Producer, ProducerConfig, ProducerRecord, Text,
    TopicPartition,
    consumer::{OffsetReset, Polled},
    producer::Ticket,
    testing::FakeBroker,
};

/// Batches that are counted, and those before them that bring everything to its size.
const BATCHES: usize = 100;
const WARM_UP: usize = 20;

/// Records in a small batch and in a large one.
const FEW: usize = 40;
const MANY: usize = 1040;

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the same with few and with many records in each batch. A buffer that grows to be large is asked for a few
/// times more than one that stays small, so a hundredth of an allocation for each further record is let pass.
fn check(what: &str, mut count: impl AsyncFnMut(usize) -> usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (few, many) = (runtime.block_on(count(FEW)), runtime.block_on(count(MANY)));
    let records = BATCHES * (MANY - FEW);
    assert!(many < few + records / 100, "{what}: {many} allocations, {few} with {records} records less");
}

fn producer(broker: &FakeBroker, compression: Compression) -> Producer {
    let linger = Duration::from_secs(600);
    let config = ProducerConfig { compression, linger, batch_bytes: 1 << 20, ..ProducerConfig::default() };
    Producer::new(broker, config)
}

fn record() -> ProducerRecord {
    let headers = Headers::new([(b"language".as_slice(), Some(b"en".as_slice()))]).unwrap();
    // Shared bytes: what is cloned of this record takes no memory.
    let (key, value) = (Bytes::from(vec![b'k'; 10]), Bytes::from(vec![b'v'; 100]));
    ProducerRecord::new(Text::from_static("t")).key(key).value(value).headers(headers)
}

/// Sends a batch whose tickets are all asked for before it is stored, and again behind that.
async fn send_batch(producer: &Producer, record: &ProducerRecord, tickets: &mut Vec<Ticket>, records: usize) {
    for _ in 0..records {
        tickets.push(producer.send(record.clone()).await.unwrap());
    }
    assert!(tickets.iter_mut().all(|ticket| ticket.now_or_never().is_none()));
    producer.flush().await;
    for ticket in tickets.drain(..) {
        ticket.await.unwrap();
    }
}

async fn stored(compression: Compression, records: usize) -> (FakeBroker, usize) {
    let broker = FakeBroker::new();
    broker.create_topic("t", 1);
    let (producer, record) = (producer(&broker, compression), record());
    let mut tickets = Vec::with_capacity(records);
    let mut before = 0;
    for batch in 0..WARM_UP + BATCHES {
        if batch == WARM_UP {
            before = allocations::taken().calls;
        }
        send_batch(&producer, &record, &mut tickets, records).await;
    }
    let after = allocations::taken().calls;
    assert_eq!(broker.batches("t", 0).len(), WARM_UP + BATCHES);
    (broker, after - before)
}

#[test]
fn producer_allocates_nothing_for_a_record_and_its_ticket() {
    let _turn = turn();
    for compression in Compression::ALL {
        check(&format!("{compression:?}"), async |records| stored(compression, records).await.1);
    }
    assert!(allocations::taken().calls > 0, "nothing was counted");
}

fn consumer(broker: &FakeBroker) -> Consumer {
    let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    let mut consumer = Consumer::new(broker, config);
    consumer.assign([TopicPartition::new("t", 0)]);
    consumer
}

#[test]
fn consumer_that_polls_allocates_nothing_for_a_record() {
    let _turn = turn();
    for compression in Compression::ALL {
        check(&format!("{compression:?}"), async |records| {
            let broker = stored(compression, records).await.0;
            let mut consumer = consumer(&broker);
            let (mut left, mut before) = ((WARM_UP + BATCHES) * records, 0);
            while left > 0 {
                if left <= BATCHES * records && before == 0 {
                    before = allocations::taken().calls;
                }
                if let Polled::Records(taken) = consumer.poll(Duration::from_secs(60)).await.unwrap() {
                    left -= taken.iter().map(|taken| taken.records.len()).sum::<usize>();
                }
            }
            allocations::taken().calls - before
        });
    }
}

#[test]
fn consumer_that_takes_one_by_one_allocates_nothing_for_a_record() {
    let _turn = turn();
    check("next", async |records| {
        let broker = stored(Compression::None, records).await.0;
        let mut consumer = consumer(&broker);
        for _ in 0..WARM_UP * records {
            drop(consumer.next().await.unwrap());
        }
        let before = allocations::taken().calls;
        for _ in 0..BATCHES * records {
            drop(consumer.next().await.unwrap());
        }
        allocations::taken().calls - before
    });
}
