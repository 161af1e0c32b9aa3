//! As many of something as there may be, and one more: refused by name, and nothing is torn.

use mainstem_protocol::messages::produce::PartitionProduceResponse;

use super::*;

/// The smallest journal there is: a transaction may have so many partitions that its end fits into one append group.
const JOURNAL_BYTES: u64 = 1 << 20;
const MOST: i32 = 84;

async fn add(producer: &mut Producer, partitions: std::ops::Range<i32>) -> Vec<ErrorCode> {
    let topic =
        AddPartitionsToTxnTopic { name: TOPIC, partitions: partitions.clone().map(PartitionId).collect() };
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: ID,
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: vec![topic],
        ..Default::default()
    };
    let response = producer.client.ask(3, request).await;
    let results = &response.results_by_topic_v3_and_below[0].results_by_partition;
    let mut codes: Vec<_> = results.iter().map(|result| result.partition_error_code).collect();
    codes.dedup();
    codes
}

async fn produce(producer: &mut Producer, partition: i32) -> PartitionProduceResponse {
    let batch = transactional_batch(producer.id.0, producer.epoch.0, 0, &[b"value"]);
    let response =
        producer.client.ask(producer.generation.produce, produce_request(Some(ID), partition, batch));
    response.await.responses.remove(0).partition_responses.remove(0)
}

async fn small() -> (TestBroker, Client) {
    let broker = TestBroker::start_with(|config| config.storage.journal_bytes = JOURNAL_BYTES).await;
    let mut client = broker.connect().await;
    client.create_topic(&TOPIC, MOST + 2, &[]).await;
    (broker, client)
}

#[tokio::test]
async fn partitions_that_cannot_be_ended_together_do_not_come_into_a_transaction() {
    let (broker, mut reader) = small().await;
    let mut producer = Producer::new(&broker, FIRST).await;
    assert_eq!(add(&mut producer, 0..MOST + 1).await, [ErrorCode::POLICY_VIOLATION]);
    assert_eq!(add(&mut producer, 0..MOST).await, [ErrorCode::NONE]);
    assert_eq!(add(&mut producer, MOST..MOST + 1).await, [ErrorCode::POLICY_VIOLATION]);
    let refused = produce(&mut producer, MOST).await;
    assert_eq!((refused.error_code, refused.base_offset), (ErrorCode::TRANSACTION_ABORTABLE, Offset::NONE));
    for partition in [0, MOST - 1] {
        assert_eq!(produce(&mut producer, partition).await.error_code, ErrorCode::NONE);
    }
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    for partition in [0, MOST - 1] {
        assert_eq!(stable(&mut reader, partition).await, (2, 0), "a record and a marker");
    }
    assert_eq!(stable(&mut reader, MOST).await, (0, 0));
}

#[tokio::test]
async fn batch_whose_partition_is_one_too_many_is_refused_and_the_transaction_can_be_ended() {
    let (broker, mut reader) = small().await;
    let mut producer = Producer::new(&broker, SECOND).await;
    for partition in 0..MOST {
        assert_eq!(produce(&mut producer, partition).await.error_code, ErrorCode::NONE);
    }
    let refused = produce(&mut producer, MOST).await;
    assert_eq!((refused.error_code, refused.base_offset), (ErrorCode::POLICY_VIOLATION, Offset::NONE));
    assert_eq!(producer.end(true).await, ErrorCode::NONE);
    for partition in 0..MOST {
        assert_eq!(stable(&mut reader, partition).await, (2, 0), "a record and a marker");
    }
    assert_eq!(stable(&mut reader, MOST).await, (0, 0));
}

#[tokio::test]
async fn markers_that_are_asked_for_make_no_more_producers_known_than_there_may_be() {
    let (broker, mut client) = start_with(|config| config.storage.producers_per_partition = 2).await;
    let marker = |id, partition| WritableTxnMarker {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(0),
        topics: vec![WritableTxnMarkerTopic { name: TOPIC, partition_indexes: vec![PartitionId(partition)] }],
        ..Default::default()
    };
    let markers = vec![marker(1, 0), marker(2, 0), marker(3, 0), marker(3, 1), marker(2, 0)];
    let response = client.ask(1, WriteTxnMarkersRequest { markers }).await;
    let errors: Vec<_> =
        response.markers.iter().map(|marker| marker.topics[0].partitions[0].error_code).collect();
    let (written, refused) = (ErrorCode::NONE, ErrorCode::POLICY_VIOLATION);
    assert_eq!(errors, [written, written, refused, written, written]);
    assert_eq!((stable(&mut client, 0).await, stable(&mut client, 1).await), ((3, 0), (1, 0)));
    drop(broker);
}
