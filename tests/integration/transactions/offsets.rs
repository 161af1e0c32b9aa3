//! Offsets that are committed in transactions.

use super::*;

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
