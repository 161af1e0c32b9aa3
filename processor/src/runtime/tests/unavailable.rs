//! Records that cannot be read for a while, as while a registry of schemas is away.

use std::sync::atomic::Ordering::SeqCst;

use bytes::BytesMut;
use mainstem_client::Text;

use super::*;
use crate::{
    BadRecords, Input, Settings, StreamBuilder,
    runtime::run,
    serdes::{Serde, SerdeError},
};

/// Defines a type like `String` that refuses to be read as often as its counter says.
macro_rules! late {
    ($name:ident, $refusals:ident) => {
        static $refusals: AtomicU64 = AtomicU64::new(0);

        #[derive(Clone, Debug)]
        struct $name(String);

        impl Serde for $name {
            fn decode(bytes: Option<&Bytes>) -> Result<Self, SerdeError> {
                let refused = $refusals.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
                if refused.is_ok() {
                    return Err(SerdeError::unavailable("nobody answers"));
                }
                String::decode(bytes).map(Self)
            }

            fn encode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, SerdeError> {
                self.0.encode(buffer)
            }
        }
    };
}

fn settings(input_end: InputEnd) -> Settings {
    Settings { input_end, commit_interval: Duration::from_millis(5), ..Settings::default() }
}

async fn values(broker: &FakeBroker) -> Vec<String> {
    records(broker).await.iter().map(|record| text(record.value.as_ref().unwrap()).to_owned()).collect()
}

late!(Late, LATE);

#[tokio::test]
async fn record_that_cannot_be_read_yet_is_tried_again_whatever_is_done_with_bad_ones() {
    for bad_records in [BadRecords::Fail, BadRecords::Skip, BadRecords::DeadLetter("dead".into())] {
        let broker = broker(1);
        broker.create_topic("dead", 1);
        produce(&broker, [(1, "k", "a"), (2, "k", "b"), (3, "k", "c")]).await;
        let builder = StreamBuilder::new("p");
        builder.stream_with::<Text, Late>("in", Input::new().on_bad_record(bad_records)).to("out");
        LATE.store(2, SeqCst);
        let topology = builder.build().unwrap();
        run(topology, settings(until(3)), broker.transport()).await.unwrap().ended().await.unwrap();
        assert_eq!(values(&broker).await, ["a", "b", "c"]);
        assert!(records_of(&broker, "dead").await.is_empty());
    }
}

late!(LateTime, LATE_TIME);

#[tokio::test]
async fn time_that_cannot_be_read_yet_is_waited_for_before_records_are_merged_by_it() {
    let broker = broker(1);
    broker.create_topic("other", 1);
    produce(&broker, [(100, "k", "1")]).await;
    let producer = Producer::new(&broker, ProducerConfig::default());
    let record = ProducerRecord::new("other").timestamp(Timestamp(50)).key("k").value("50");
    drop(producer.send(record).await.unwrap());
    producer.close().await;
    let builder = StreamBuilder::new("p");
    let input = Input::<Text, LateTime>::new().event_time(|_, time, _| Timestamp(time.0.parse().unwrap()));
    let first = builder.stream_with("in", input).map_values(|time| time.0);
    first.merge(&builder.stream::<Text, String>("other")).to("out");
    LATE_TIME.store(1, SeqCst);
    let ends = ["in", "other"].map(|topic| (TopicPartition::new(topic, 0), Offset(1)));
    let settings = settings(InputEnd::At(ends.into()));
    run(builder.build().unwrap(), settings, broker.transport()).await.unwrap().ended().await.unwrap();
    assert_eq!(values(&broker).await, ["1", "50"]);
}
