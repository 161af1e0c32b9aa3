//! Sequences of batches in transactions: gaps, repeats, and what comes behind the last number.

use super::*;

impl Producer {
    /// Writes a batch of these values with this sequence, whatever comes next.
    async fn write_at(&mut self, sequence: i32, values: &[&[u8]]) -> (ErrorCode, Offset) {
        let batch = transactional_batch(self.id.0, self.epoch.0, sequence, values);
        let response = self.client.ask(self.generation.produce, produce_request(Some(ID), 0, batch)).await;
        let answer = &response.responses[0].partition_responses[0];
        (answer.error_code, answer.base_offset)
    }
}

const GAP: (ErrorCode, Offset) = (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, Offset::NONE);

const fn at(offset: i64) -> (ErrorCode, Offset) {
    (ErrorCode::NONE, Offset(offset))
}

#[tokio::test]
async fn gap_in_the_sequence_is_refused_and_the_transaction_goes_on_without_it() {
    for generation in [FIRST, SECOND] {
        let (broker, mut reader) = start().await;
        let mut producer = Producer::new(&broker, generation).await;
        assert_eq!(producer.write(0, "first").await, ErrorCode::NONE);
        assert_eq!(producer.write_at(2, &[b"too early"]).await, GAP);
        assert_eq!(producer.write(0, "second").await, ErrorCode::NONE);
        assert_eq!(producer.end(true).await, ErrorCode::NONE);
        assert_eq!(stable(&mut reader, 0).await, (3, 0), "two records and a marker");
    }
}

#[tokio::test]
async fn transaction_of_the_second_generation_begins_with_sequence_zero() {
    let (broker, mut reader) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    assert_eq!(producer.write_at(1, &[b"its predecessor was lost"]).await, GAP);
    assert_eq!(producer.write(0, "first").await, ErrorCode::NONE);
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    assert_eq!(producer.write_at(1, &[b"of the transaction before"]).await, GAP);
    assert_eq!(producer.end(false).await, ErrorCode::NONE);
    assert_eq!(stable(&mut reader, 0).await.0, 3, "a record and its marker, and the marker of no record");
}

#[tokio::test]
async fn partition_whose_first_batch_is_refused_is_in_the_transaction_of_the_second_generation() {
    let (broker, mut reader) = start().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    assert_eq!(producer.write_at(1, &[b"its predecessor was lost"]).await, GAP);
    assert_eq!(producer.end(true).await, ErrorCode::NONE, "there is a transaction to end, as in Kafka");
    assert_eq!(stable(&mut reader, 0).await, (1, 0), "its marker alone");
    assert_eq!(producer.write(0, "first").await, ErrorCode::NONE);
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    assert_eq!(stable(&mut reader, 0).await, (3, 0));
}

#[tokio::test]
async fn repeats_are_known_within_the_last_five_batches_alone() {
    for generation in [FIRST, SECOND] {
        let (broker, mut reader) = start().await;
        let mut producer = Producer::new(&broker, generation).await;
        for _ in 0..7 {
            assert_eq!(producer.write(0, "once").await, ErrorCode::NONE);
        }
        for sequence in 2..7 {
            assert_eq!(producer.write_at(sequence, &[b"once"]).await, at(i64::from(sequence)));
        }
        for sequence in [0, 1] {
            assert_eq!(producer.write_at(sequence, &[b"once"]).await, GAP);
        }
        assert_eq!(producer.end(true).await, ErrorCode::NONE);
        assert_eq!(stable(&mut reader, 0).await, (8, 0), "seven records and a marker");
    }
}

#[tokio::test]
async fn sequence_goes_on_with_zero_behind_the_last_number() {
    let (broker, mut reader) = start().await;
    let mut producer = Producer::new(&broker, FIRST).await;
    assert_eq!(producer.add(0).await, ErrorCode::NONE);
    // Of an unknown producer of the first generation every sequence is taken.
    assert_eq!(producer.write_at(i32::MAX - 3, &[b"a", b"b"]).await, at(0));
    assert_eq!(producer.write_at(0, &[b"two too early"]).await, GAP);
    assert_eq!(producer.write_at(i32::MAX - 1, &[b"c", b"d", b"e"]).await, at(2));
    assert_eq!(producer.write_at(i32::MAX - 1, &[b"c", b"d", b"e"]).await, at(2), "a repeat across the end");
    assert_eq!(producer.write_at(0, &[b"e"]).await, GAP);
    assert_eq!(producer.write_at(1, &[b"f"]).await, at(5));
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    assert_eq!(stable(&mut reader, 0).await, (7, 0), "six records and a marker");
}

#[tokio::test]
async fn sequence_that_ends_with_the_last_number_is_followed_by_zero() {
    let (broker, _) = start().await;
    let mut producer = Producer::new(&broker, FIRST).await;
    assert_eq!(producer.add(0).await, ErrorCode::NONE);
    assert_eq!(producer.write_at(i32::MAX, &[b"last"]).await, at(0));
    assert_eq!(producer.write_at(1, &[b"one too far"]).await, GAP);
    let broker = broker.restart().await;
    producer.client = broker.connect().await;
    assert_eq!(producer.write_at(1, &[b"one too far"]).await, GAP);
    assert_eq!(producer.write_at(0, &[b"first"]).await, at(1));
}
