//! What others have produced in transactions: `transactions.py` prepares the topic that `CONFORMANCE_TRANSACTIONS` names, with
//! the values 0 to 9 committed, 10 to 19 aborted, 20 to 29 committed, in partition 0.

use mainstem_client::{ConsumerConfig, TopicPartition, consumer::IsolationLevel};

use crate::scene::{Scene, earliest, numbers, take, values};

/// The topic, where there is one.
fn prepared() -> Option<String> {
    let topic = std::env::var("CONFORMANCE_TRANSACTIONS").ok();
    if topic.is_none() {
        eprintln!("SKIPPED: no topic with transactions, since CONFORMANCE_TRANSACTIONS names none");
    }
    topic
}

async fn read(topic: String, isolation: IsolationLevel, count: usize) -> Vec<String> {
    let scene = Scene::new("transactions");
    let mut reader = scene.consumer(ConsumerConfig { isolation, ..earliest() });
    reader.assign([TopicPartition::new(topic, 0)]);
    values(&take(&mut reader, count).await)
}

#[tokio::test]
async fn aborted_records_are_not_handed_out() {
    let Some(topic) = prepared() else { return };
    let committed = [numbers(0..10), numbers(20..30)].concat();
    assert_eq!(read(topic, IsolationLevel::ReadCommitted, 20).await, committed);
}

#[tokio::test]
async fn aborted_records_are_handed_out_to_who_wants_all() {
    let Some(topic) = prepared() else { return };
    assert_eq!(read(topic, IsolationLevel::ReadUncommitted, 30).await, numbers(0..30));
}
