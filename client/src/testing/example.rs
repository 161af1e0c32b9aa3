//! What the examples of the documentation run against.

use std::error::Error;

use bytes::Bytes;
use mainstem_protocol::Timestamp;
use tokio::runtime::Builder;

use super::FakeBroker;
use crate::producer::{Producer, ProducerConfig, ProducerRecord};

/// Runs an example with a broker in memory, which is a transport too. It has the topic `greetings` of two partitions, with
/// `hello` and `world` in the first one, at the times 1000 and 2000.
///
/// # Panics
/// Where the example fails.
///
/// ```
/// mainstem_client::testing::example(async |transport| {
///     assert_eq!(transport.batches("greetings", 0).len(), 2);
///     Ok(())
/// });
/// ```
pub fn example(example: impl AsyncFnOnce(FakeBroker) -> Result<(), Box<dyn Error>>) {
    let run = async {
        let broker = FakeBroker::new();
        broker.create_topic("greetings", 2);
        greet(&broker).await?;
        example(broker).await
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run));
    assert!(result.is_ok(), "{}", result.err().map_or_else(String::new, |error| error.to_string()));
}

async fn greet(broker: &FakeBroker) -> Result<(), Box<dyn Error>> {
    let producer = Producer::new(broker, ProducerConfig::default());
    for (value, time) in [("hello", 1000), ("world", 2000)] {
        let record = ProducerRecord::new("greetings").partition(0).timestamp(Timestamp(time));
        let ticket = producer.send(record.value(Bytes::from_static(value.as_bytes()))).await?;
        producer.flush().await;
        ticket.receipt().await?;
    }
    producer.close().await;
    Ok(())
}
