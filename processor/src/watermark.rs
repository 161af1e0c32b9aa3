//! How far time has come: each input has come as far as its latest record, and the task as far as the input that is
//! furthest behind. The watermark never falls.

use std::collections::BTreeMap;

use mainstem_client::{Timestamp, TopicPartition};

use crate::state::{Store, SystemKey};

/// Before any record.
pub(crate) const BEGINNING: Timestamp = Timestamp(i64::MIN);

/// After every record.
pub(crate) const END: Timestamp = Timestamp(i64::MAX);

/// The time of a task.
#[derive(Debug)]
pub(crate) struct TaskTime {
    inputs: BTreeMap<TopicPartition, Timestamp>,
    watermark: Timestamp,
}

impl TaskTime {
    /// Goes on where the store says: a restart turns no clock back.
    pub(crate) fn restored(inputs: &[TopicPartition], store: &Store) -> Self {
        let time = |key: SystemKey<'_>| Timestamp(store.number(&key).unwrap_or(BEGINNING.0));
        let input = |partition: &TopicPartition| (partition.clone(), time(SystemKey::StreamTime(partition)));
        Self { inputs: inputs.iter().map(input).collect(), watermark: time(SystemKey::Watermark) }
    }

    pub(crate) const fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// The largest time that any record had.
    pub(crate) fn stream_time(&self) -> Timestamp {
        self.inputs.values().copied().filter(|time| *time != END).max().unwrap_or(BEGINNING)
    }

    /// Notes the time of a record of an input.
    pub(crate) fn advance(&mut self, partition: &TopicPartition, time: Timestamp) {
        if let Some(reached) = self.inputs.get_mut(partition) {
            *reached = (*reached).max(time);
        }
        self.raise();
    }

    /// Notes that an input has ended.
    pub(crate) fn finish(&mut self, partition: &TopicPartition) {
        self.advance(partition, END);
    }

    fn raise(&mut self) {
        let behind = self.inputs.values().copied().min().unwrap_or(BEGINNING);
        self.watermark = self.watermark.max(behind);
    }

    /// Writes down how far time has come.
    pub(crate) fn save(&self, store: &mut Store) {
        for (partition, time) in &self.inputs {
            put_if_new(store, &SystemKey::StreamTime(partition), time.0);
        }
        put_if_new(store, &SystemKey::Watermark, self.watermark.0);
    }
}

fn put_if_new(store: &mut Store, key: &SystemKey<'_>, number: i64) {
    if store.number(key) != Some(number) {
        store.put_number(key, number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> [TopicPartition; 2] {
        [TopicPartition::new("a", 0), TopicPartition::new("b", 0)]
    }

    #[test]
    fn watermark_is_that_of_the_input_furthest_behind() {
        let ([a, b], store) = (two(), Store::default());
        let mut time = TaskTime::restored(&two(), &store);
        time.advance(&a, Timestamp(10));
        assert_eq!(time.watermark(), BEGINNING);
        time.advance(&b, Timestamp(5));
        assert_eq!((time.watermark(), time.stream_time()), (Timestamp(5), Timestamp(10)));
        time.finish(&b);
        assert_eq!(time.watermark(), Timestamp(10));
        time.finish(&a);
        assert_eq!(time.watermark(), END);
    }

    #[test]
    fn watermark_never_falls_and_survives_a_restart() {
        let (inputs, mut store) = ([TopicPartition::new("a", 0)], Store::default());
        let mut time = TaskTime::restored(&inputs, &store);
        time.advance(&inputs[0], Timestamp(10));
        time.advance(&inputs[0], Timestamp(3));
        assert_eq!(time.watermark(), Timestamp(10));
        time.save(&mut store);
        assert_eq!(TaskTime::restored(&inputs, &store).watermark(), Timestamp(10));
    }
}
