//! Futures that are dropped before they are done.

use super::{
    group::{assigned, join},
    *,
};
use crate::testing::{Hesitant, interrupted};

/// Polls, and is interrupted at the first await, the second, the third, until a poll gets through.
async fn poll_with_interruptions(consumer: &mut Consumer) -> Polled {
    for polls in 1.. {
        if let Some(polled) = interrupted(polls, consumer.poll(LONG)).await {
            return polled.unwrap();
        }
    }
    unreachable!("numbers do not end")
}

#[tokio::test(start_paused = true)]
async fn polls_that_are_dropped_lose_and_repeat_nothing() {
    let broker = broker(2);
    produce(&broker, 0, 0..50, 7).await;
    produce(&broker, 1, 50..100, 7).await;
    let config = ConsumerConfig { poll_records: 3, auto_commit_interval: Some(Duration::ZERO), ..member() };
    let mut consumer = Consumer::new(&Hesitant(broker.transport()), config);
    consumer.subscribe(["t"]).unwrap();
    let mut all = Vec::new();
    while all.len() < 100 {
        if let Polled::Records(records) = poll_with_interruptions(&mut consumer).await {
            all.extend(numbers(&records));
        }
    }
    all.sort_unstable();
    assert_eq!(all, range(0..100));
}

#[tokio::test(start_paused = true)]
async fn single_records_that_are_waited_for_in_vain_are_neither_lost_nor_repeated() {
    let broker = broker(1);
    produce(&broker, 0, 0..30, 4).await;
    let mut consumer = reader(&broker, earliest());
    let mut all = Vec::new();
    for polls in (1..5).cycle() {
        if let Some(record) = interrupted(polls, consumer.next()).await {
            all.push(record.unwrap().record.offset.0);
        }
        if all.len() == 30 {
            break;
        }
    }
    assert_eq!(all, range(0..30));
}

#[tokio::test(start_paused = true)]
async fn news_of_the_group_are_told_though_polls_are_dropped() {
    let broker = broker(2);
    produce(&broker, 0, 0..20, 10).await;
    // Commits are made before the news is told, so there is something to be interrupted at.
    let config = ConsumerConfig { auto_commit_interval: Some(Duration::from_secs(3600)), ..member() };
    let mut first = Consumer::new(&Hesitant(broker.transport()), config.clone());
    first.subscribe(["t"]).unwrap();
    assert_eq!(read(&mut first, 20).await, range(0..20));
    let mut second = join(&broker, config).await;
    let joining = crate::task::spawn("second", async move { assigned(&mut second).await });
    let mut told = Vec::new();
    while told.len() < 2 {
        match poll_with_interruptions(&mut first).await {
            Polled::Revoked(partitions) => told.push(("revoked", partitions)),
            Polled::Assigned(partitions) => told.push(("assigned", partitions)),
            _ => {}
        }
    }
    assert_eq!(told, [("revoked", vec![t(0), t(1)]), ("assigned", vec![t(0)])]);
    assert_eq!(joining.await.unwrap(), [t(1)]);
    assert_eq!(broker.committed("g", "t", 0), Some(20));
}
