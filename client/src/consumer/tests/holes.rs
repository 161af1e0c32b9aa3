//! What compaction leaves: offsets that are not there, batches without records, markers without what they end.

use mainstem_protocol::records::{Batch, Filter, Filtered, Horizon, header_alone, only_batch};

use super::*;
use crate::producer::{TransactionConfig, TransactionalProducer};

const ISOLATIONS: [IsolationLevel; 2] = [IsolationLevel::ReadUncommitted, IsolationLevel::ReadCommitted];

/// What is left of a batch whose records may go. A batch without any keeps its header, or goes as well.
fn cleaned(batch: &Batch, keeps_header: bool, mut stays: impl FnMut(i64) -> bool) -> Option<Batch> {
    if batch.header().attributes.is_control() {
        return Some(batch.clone());
    }
    let filtered =
        Filter::new().filter(batch, Horizon::Unset, |open, record| stays(open.offset(record).0)).unwrap();
    match filtered {
        Filtered::Unchanged => Some(batch.clone()),
        Filtered::Rewritten(bytes) => Some(only_batch(bytes).unwrap()),
        Filtered::Nothing => keeps_header.then(|| emptied(batch)),
    }
}

fn emptied(batch: &Batch) -> Batch {
    only_batch(header_alone(batch.header())).unwrap()
}

/// The records of a partition until there are no more, and where the consumer is then.
async fn all(broker: &FakeBroker, config: ConsumerConfig) -> (Vec<i64>, Option<Offset>) {
    let mut consumer = reader(broker, config);
    let mut all = Vec::new();
    loop {
        match consumer.poll(Duration::from_secs(2)).await.unwrap() {
            Polled::Records(records) => {
                let behind = |each: &PartitionRecords| each.records.last().unwrap().offset < each.next_offset;
                assert!(records.iter().all(behind), "{records:?}");
                all.extend(numbers(&records));
            }
            Polled::Nothing => return (all, consumer.position(&t(0))),
            _ => {}
        }
    }
}

/// Reads the partition in every way there is.
async fn check(broker: &FakeBroker, expected: &[i64], end: i64) {
    for (isolation, poll_records) in ISOLATIONS.into_iter().flat_map(|each| [(each, 1), (each, 500)]) {
        let config = ConsumerConfig { isolation, poll_records, ..earliest() };
        let found = all(broker, config).await;
        assert_eq!(found, (expected.to_vec(), Some(Offset(end))), "{isolation:?}, {poll_records} at a time");
    }
}

#[tokio::test(start_paused = true)]
async fn holes_are_passed_over_wherever_they_are() {
    let patterns: [fn(i64) -> bool; 6] = [
        |offset| offset % 2 == 0,
        |offset| offset % 10 == 9,
        |offset| offset % 10 == 0,
        |offset| !(5..45).contains(&offset),
        |offset| (20..30).contains(&offset),
        |offset| offset / 10 % 2 == 1,
    ];
    for stays in patterns {
        for keeps_headers in [false, true] {
            let broker = broker(1);
            produce(&broker, 0, 0..50, 10).await;
            broker.compact("t", 0, |batch| cleaned(batch, keeps_headers, stays));
            let kept: Vec<_> = (0..50).filter(|offset| stays(*offset)).collect();
            let last = broker.batches("t", 0).last().unwrap().header().next_offset();
            check(&broker, &kept, last.0).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn next_passes_over_holes_and_reads_on_behind_them() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 10).await;
    broker.compact("t", 0, |batch| cleaned(batch, true, |offset| offset % 7 == 3));
    for isolation in ISOLATIONS {
        let mut consumer = reader(&broker, ConsumerConfig { isolation, ..earliest() });
        for number in [3, 10, 17, 24] {
            assert_eq!(consumer.next().await.unwrap().record.offset, Offset(number));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn position_within_a_hole_leads_to_the_next_record() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 10).await;
    broker.compact("t", 0, |batch| cleaned(batch, false, |offset| offset == 2 || offset == 27));
    for isolation in ISOLATIONS {
        for offset in 3..28 {
            let mut consumer = reader(&broker, ConsumerConfig { isolation, ..earliest() });
            consumer.seek(&t(0), Offset(offset));
            assert_eq!(read(&mut consumer, 1).await, [27], "from {offset} on");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn batches_without_records_lead_to_the_end() {
    let broker = broker(1);
    produce(&broker, 0, 0..50, 10).await;
    broker.compact("t", 0, |batch| Some(emptied(batch)));
    check(&broker, &[], 50).await;
    broker.compact("t", 0, |batch| Some(batch.clone()).filter(|batch| batch.header().base_offset.0 == 40));
    check(&broker, &[], 50).await;
}

/// Kafka keeps the header of the last batch. Where somebody has not, a reader stays where it is until something comes.
#[tokio::test(start_paused = true)]
async fn gap_at_the_end_is_passed_over_with_what_comes_behind_it() {
    for isolation in ISOLATIONS {
        let broker = broker(1);
        produce(&broker, 0, 0..30, 10).await;
        broker.compact_away("t", 0, 20);
        let mut consumer = reader(&broker, ConsumerConfig { isolation, ..earliest() });
        assert_eq!(read(&mut consumer, 20).await, range(0..20));
        let asked = broker.asked(ApiKey::Fetch);
        assert!(matches!(consumer.poll(LONG).await, Ok(Polled::Nothing)));
        assert!(broker.asked(ApiKey::Fetch) - asked < 100, "it asks no more often than it may wait");
        assert_eq!(consumer.position(&t(0)), Some(Offset(20)));
        produce(&broker, 0, 30..40, 10).await;
        assert_eq!(read(&mut consumer, 10).await, range(30..40));
        assert_eq!(consumer.position(&t(0)), Some(Offset(40)));
    }
}

/// Transactions of a record each, which are committed or not: records at the even offsets, markers at the odd ones.
async fn transactions(broker: &FakeBroker, outcomes: &[bool]) {
    let producer = TransactionalProducer::new(broker, ProducerConfig::default(), TransactionConfig::new("x"));
    producer.init_transactions().await.unwrap();
    for (number, committed) in outcomes.iter().enumerate() {
        producer.begin().unwrap();
        let record = ProducerRecord::new("t").partition(0).value((2 * number).to_string());
        drop(producer.send(record).await.unwrap());
        producer.flush().await;
        if *committed { producer.commit().await } else { producer.abort().await }.unwrap();
    }
    producer.close().await;
}

#[tokio::test(start_paused = true)]
async fn markers_alone_are_no_records_and_lead_to_the_end() {
    let broker = broker(1);
    transactions(&broker, &[true, false, true]).await;
    broker.compact("t", 0, |batch| cleaned(batch, false, |_| false));
    assert!(broker.batches("t", 0).iter().all(|batch| batch.header().attributes.is_control()));
    check(&broker, &[], 6).await;
}

#[tokio::test(start_paused = true)]
async fn markers_of_which_the_headers_alone_are_left_lead_to_the_end() {
    let broker = broker(1);
    transactions(&broker, &[false, true, true]).await;
    broker.compact("t", 0, |batch| Some(emptied(batch)));
    check(&broker, &[], 6).await;
}

#[tokio::test(start_paused = true)]
async fn committed_records_are_told_from_aborted_ones_whatever_compaction_has_left() {
    let outcomes = [false, true, false, false, true, false];
    // What is left of the records of aborted transactions: all, the headers, nothing.
    let rests: [fn(&Batch) -> Option<Batch>; 3] =
        [|batch| Some(batch.clone()), |batch| Some(emptied(batch)), |_| None];
    for (kind, rest) in rests.into_iter().enumerate() {
        let broker = broker(1);
        transactions(&broker, &outcomes).await;
        broker.compact("t", 0, |batch| {
            let header = batch.header();
            let is_aborted = !outcomes[header.base_offset.0 as usize / 2];
            if is_aborted && !header.attributes.is_control() { rest(batch) } else { Some(batch.clone()) }
        });
        for isolation in ISOLATIONS {
            let sees_all = kind == 0 && isolation == IsolationLevel::ReadUncommitted;
            let expected = if sees_all { vec![0, 2, 4, 6, 8, 10] } else { vec![2, 8] };
            let found = all(&broker, ConsumerConfig { isolation, ..earliest() }).await;
            assert_eq!(found, (expected, Some(Offset(12))), "{kind}, {isolation:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn markers_are_passed_over_once_and_not_fetched_over_and_over() {
    let broker = broker(1);
    transactions(&broker, &[false, false]).await;
    let mut consumer =
        reader(&broker, ConsumerConfig { isolation: IsolationLevel::ReadCommitted, ..earliest() });
    assert!(matches!(consumer.poll(LONG).await, Ok(Polled::Nothing)));
    let asked = broker.asked(ApiKey::Fetch);
    assert!(matches!(consumer.poll(Duration::from_secs(10)).await, Ok(Polled::Nothing)));
    assert!(broker.asked(ApiKey::Fetch) - asked < 40, "nothing is fetched over and over");
    assert_eq!(consumer.position(&t(0)), Some(Offset(4)));
}

#[tokio::test(start_paused = true)]
async fn open_transaction_is_the_end_for_those_who_read_what_was_committed() {
    let broker = broker(1);
    produce(&broker, 0, 0..2, 10).await;
    let producer =
        TransactionalProducer::new(&broker, ProducerConfig::default(), TransactionConfig::new("x"));
    producer.init_transactions().await.unwrap();
    producer.begin().unwrap();
    drop(producer.send(ProducerRecord::new("t").partition(0).value("2")).await.unwrap());
    producer.flush().await;
    produce(&broker, 0, 3..4, 10).await;
    for (isolation, end) in ISOLATIONS.into_iter().zip([4, 2]) {
        let mut consumer = reader(&broker, ConsumerConfig { isolation, ..earliest() });
        assert_eq!(read(&mut consumer, end as usize).await, range(0..end));
        assert!(matches!(consumer.poll(LONG).await.unwrap(), Polled::Nothing));
        let ends = (consumer.high_watermark(&t(0)), consumer.last_stable_offset(&t(0)));
        assert_eq!(ends, (Some(Offset(4)), Some(Offset(2))));
        assert_eq!(consumer.end_offsets(&[t(0)]).await.unwrap()[&t(0)], Offset(end));
    }
    let mut consumer = reader(&broker, ConsumerConfig { isolation: ISOLATIONS[1], ..earliest() });
    assert_eq!(read(&mut consumer, 2).await, range(0..2));
    producer.abort().await.unwrap();
    assert_eq!(read(&mut consumer, 1).await, [3]);
    assert_eq!(consumer.last_stable_offset(&t(0)), Some(Offset(5)));
}
