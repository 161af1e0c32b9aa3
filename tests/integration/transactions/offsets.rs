//! Offsets that are committed in transactions.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use mainstem_protocol::messages::{
    OffsetCommitRequest,
    offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
};

use super::*;

/// Commits an offset outside of any transaction.
async fn commit_plainly(client: &mut Client, offset: i64) -> ErrorCode {
    let partition = OffsetCommitRequestPartition { committed_offset: Offset(offset), ..Default::default() };
    let topic = OffsetCommitRequestTopic { name: TOPIC, partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: GROUP,
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    client.ask(8, request).await.topics[0].partitions[0].error_code
}

#[tokio::test]
async fn offsets_count_when_their_transaction_is_committed() {
    for generation in [FIRST, SECOND] {
        let (broker, mut reader) = start().await;
        let mut producer = Producer::new(&broker, generation).await;
        assert_eq!(producer.commit_offset(5).await, ErrorCode::NONE);
        assert_eq!(committed(&mut reader, false).await.committed_offset, Offset::NONE);
        assert_eq!(committed(&mut reader, true).await.error_code, ErrorCode::UNSTABLE_OFFSET_COMMIT);
        assert_eq!(producer.end(true).await, ErrorCode::NONE);
        assert_eq!(committed(&mut reader, true).await.committed_offset, Offset(5));
        assert_eq!(producer.commit_offset(9).await, ErrorCode::NONE);
        assert_eq!(producer.end(false).await, ErrorCode::NONE);
        assert_eq!(committed(&mut reader, true).await.committed_offset, Offset(5));
    }
}

#[tokio::test]
async fn offsets_that_their_group_refuses_leave_a_transaction_to_end_in_the_second_generation() {
    let (broker, _) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    let partition = TxnOffsetCommitRequestPartition { committed_offset: Offset(5), ..Default::default() };
    let request = TxnOffsetCommitRequest {
        transactional_id: ID,
        group_id: GROUP,
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        generation_id: 3,
        topics: vec![TxnOffsetCommitRequestTopic { name: TOPIC, partitions: vec![partition] }],
        ..Default::default()
    };
    let refused = producer.client.ask(SECOND.offsets, request).await;
    assert_eq!(refused.topics[0].partitions[0].error_code, ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(producer.end(true).await, ErrorCode::NONE, "as in Kafka");
}

#[tokio::test]
async fn offsets_of_an_open_transaction_survive_a_restart() {
    let (broker, _) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    assert_eq!(producer.commit_offset(5).await, ErrorCode::NONE);
    let broker = broker.restart().await;
    let mut reader = broker.connect().await;
    assert_eq!(committed(&mut reader, true).await.error_code, ErrorCode::UNSTABLE_OFFSET_COMMIT);
    producer.client = broker.connect().await;
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    assert_eq!(committed(&mut reader, true).await.committed_offset, Offset(5));
}

#[tokio::test]
async fn offsets_of_a_group_that_is_deleted_meanwhile_do_not_come_back() {
    let (broker, mut reader) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    assert_eq!(producer.commit_offset(5).await, ErrorCode::NONE);
    let request = DeleteGroupsRequest { groups_names: vec![GROUP] };
    assert_eq!(reader.ask(2, request).await.results[0].error_code, ErrorCode::NONE);
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    assert_eq!(committed(&mut reader, true).await.committed_offset, Offset::NONE);
    drop(broker);
}

#[tokio::test]
async fn offset_of_an_open_transaction_does_not_come_back_with_a_topic_that_is_made_anew() {
    for restarts in [false, true] {
        let (mut broker, _) = start().await;
        let mut producer = Producer::new(&broker, SECOND).await;
        assert_eq!(producer.commit_offset(5).await, ErrorCode::NONE);
        if restarts {
            broker = broker.restart().await;
            producer.client = broker.connect().await;
        }
        let mut reader = broker.connect().await;
        let request = DeleteTopicsRequest { topic_names: vec![TOPIC], ..Default::default() };
        assert_eq!(reader.ask(5, request).await.responses[0].error_code, ErrorCode::NONE);
        assert_eq!(producer.end(true).await, ErrorCode::NONE);
        reader.create_topic(&TOPIC, 2, &[]).await;
        assert_eq!(committed(&mut reader, true).await.committed_offset, Offset::NONE, "restarts: {restarts}");
    }
}

#[tokio::test]
async fn plain_commit_behind_one_in_a_transaction_counts_whenever_that_ends() {
    for committed_later in [true, false] {
        let (broker, mut reader) = start().await;
        let mut producer = Producer::new(&broker, SECOND).await;
        assert_eq!(producer.commit_offset(5).await, ErrorCode::NONE);
        assert_eq!(commit_plainly(&mut reader, 3).await, ErrorCode::NONE);
        assert_eq!(committed(&mut reader, false).await.committed_offset, Offset(3));
        assert_eq!(committed(&mut reader, true).await.error_code, ErrorCode::UNSTABLE_OFFSET_COMMIT);
        assert_eq!(producer.end(committed_later).await, ErrorCode::NONE);
        assert_eq!(
            committed(&mut reader, true).await.committed_offset,
            Offset(3),
            "the later one in the log"
        );
    }
}

#[tokio::test]
async fn offset_that_is_deleted_is_not_waited_for_any_more() {
    let (broker, mut reader) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    assert_eq!(producer.commit_offset(5).await, ErrorCode::NONE);
    let request = DeleteGroupsRequest { groups_names: vec![GROUP] };
    assert_eq!(reader.ask(2, request).await.results[0].error_code, ErrorCode::NONE);
    let stable = committed(&mut reader, true).await;
    assert_eq!((stable.error_code, stable.committed_offset), (ErrorCode::NONE, Offset::NONE));
    drop(broker);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a reader beside the writer is the test's own task")]
async fn stable_offsets_are_never_older_than_what_a_transaction_has_committed() {
    const ROUNDS: i64 = 200;
    for generation in [FIRST, SECOND] {
        let (broker, mut client) = start().await;
        let mut producer = Producer::new(&broker, generation).await;
        let least = Arc::new(AtomicI64::new(-1));
        let acknowledged = Arc::clone(&least);
        let reading = tokio::spawn(async move {
            while least.load(Ordering::Acquire) < ROUNDS {
                let least = least.load(Ordering::Acquire);
                let found = committed(&mut client, true).await;
                let is_unstable = found.error_code == ErrorCode::UNSTABLE_OFFSET_COMMIT;
                assert!(is_unstable || found.committed_offset.0 >= least, "{found:?}, {least}");
            }
        });
        for offset in 0..=ROUNDS {
            assert_eq!(producer.commit_offset(offset).await, ErrorCode::NONE);
            // From here on nobody may be told of the one before as a stable one.
            acknowledged.store(offset, Ordering::Release);
            assert_eq!(producer.end(true).await, ErrorCode::NONE);
        }
        reading.await.unwrap();
    }
}

#[tokio::test]
async fn plain_commits_that_race_with_transactions_leave_the_last_one_of_the_log() {
    let (broker, mut client) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    for round in 0..100 {
        let (even, odd) = (round * 2, round * 2 + 1);
        let plain = commit_plainly(&mut client, even);
        let (plain, transactional) = tokio::join!(plain, producer.commit_offset(odd));
        assert_eq!((plain, transactional), (ErrorCode::NONE, ErrorCode::NONE));
        let (ended, _) = tokio::join!(producer.end(true), tokio::task::yield_now());
        assert_eq!(ended, ErrorCode::NONE);
        let last = committed(&mut client, true).await.committed_offset.0;
        assert!([even, odd].contains(&last), "{last} in round {round}");
    }
    let last = committed(&mut client, true).await;
    let broker = broker.restart().await;
    assert_eq!(committed(&mut broker.connect().await, true).await, last, "as it is folded again");
}
