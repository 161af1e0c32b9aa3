//! Follows the topic of results and shows each of them.

use std::{collections::HashMap, time::Duration};

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, Record, TopicPartition, Transport,
    consumer::{OffsetReset, Polled},
};
use tokio::sync::watch;

use super::{
    DemoError, OUTPUT_TOPIC,
    documents::{Counts, MinuteAndClass},
    screen::Screen,
};

/// How long to wait for results before looking whether there will be more.
const POLL: Duration = Duration::from_millis(100);

/// The results so far. A processor that was killed writes again what it had not committed, so that a result may be
/// there twice; it says the same each time, and is shown and added up once.
#[derive(Debug, Default)]
pub(super) struct Results {
    seen: HashMap<MinuteAndClass, Counts>,
}

impl Results {
    /// How many there are.
    pub(super) fn windows(&self) -> usize {
        self.seen.len()
    }

    /// What all of them together say.
    pub(super) fn total(&self) -> Counts {
        self.seen.values().copied().fold(Counts::default(), Counts::plus)
    }
}

/// Shows results from the first one on, those of earlier runs too, until the processor is done (`done` turns true) and
/// all of them were shown.
pub(super) async fn show(
    transport: &dyn Transport,
    screen: &Screen,
    done: watch::Receiver<bool>,
) -> Result<Results, DemoError> {
    let config = ConsumerConfig { offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    let mut consumer = Consumer::new(transport, config);
    let partition = TopicPartition::new(OUTPUT_TOPIC, 0);
    consumer.assign([partition.clone()]);
    let mut results = Results::default();
    screen.head()?;
    loop {
        // The end is looked up after the processor was seen to be done: nothing comes behind it.
        let end = if *done.borrow() { Some(end(&consumer, &partition).await?) } else { None };
        if end.is_some_and(|end| consumer.position(&partition).is_some_and(|position| position >= end)) {
            return Ok(results);
        }
        if let Polled::Records(batches) = consumer.poll(POLL).await? {
            for record in batches.iter().flat_map(|batch| &batch.records) {
                show_one(record, screen, &mut results)?;
            }
        }
    }
}

async fn end(consumer: &Consumer, partition: &TopicPartition) -> Result<Offset, DemoError> {
    let ends = consumer.end_offsets(std::slice::from_ref(partition)).await?;
    Ok(ends.get(partition).copied().unwrap_or(Offset::ZERO))
}

/// Whatever else somebody has put into the topic is passed over.
fn show_one(record: &Record, screen: &Screen, results: &mut Results) -> Result<(), DemoError> {
    let key = record.key.as_deref().and_then(|key| serde_json::from_slice::<MinuteAndClass>(key).ok());
    let value = record.value.as_deref().and_then(|value| serde_json::from_slice::<Counts>(value).ok());
    if let Some((key, counts)) = key.zip(value)
        && results.seen.get(&key) != Some(&counts)
    {
        screen.row(&key, counts)?;
        results.seen.insert(key, counts);
    }
    Ok(())
}
