//! The nodes where records leave for a repartition topic, with the marks that say at which watermark they are seen.
//!
//! Whether a record is late must not hang on when commits are made, so it is not left to the marks of commits alone: in
//! front of a record that is behind the watermark at which it was seen its partition is told that watermark. A record
//! that is in order needs no mark, since no window that it lies in can be closed by then: input in order costs nothing,
//! and a run of late records one mark.

use std::marker::PhantomData;

use mainstem_client::{PartitionId, Text, Timestamp, producer::partition_of_key};

use super::{NodeError, behind, cx::Cx, mark::Mark, operator::Logic, sink::Write};
use crate::{
    record::{Emitted, Item},
    serdes::Serde,
    watermark::BEGINNING,
};

/// A sink node of a repartition topic.
pub(crate) struct Repartition<K, V> {
    topic: Text,
    task: i32,
    /// The mark that each partition was told last.
    told: Vec<Option<Mark>>,
    records: PhantomData<fn(K, V)>,
}

impl<K: Serde, V: Serde> Repartition<K, V> {
    pub(crate) fn new(topic: Text, task: i32, partitions: i32) -> Self {
        let told = (0..partitions).map(|_| None).collect();
        Self { topic, task, told, records: PhantomData }
    }

    fn put(&mut self, item: Item<K, V>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let watermark = behind(item.watermark, cx.delay_ms);
        let record = item.write(cx)?;
        // Records without a key have no place here: nobody knows which task they belong to.
        let Some(key) = &record.key else {
            cx.counts.errors += 1;
            return Ok(());
        };
        let partition = partition_of_key(key, self.told.len());
        self.tell_before(partition, record.timestamp, watermark, cx);
        cx.emit(Emitted { topic: self.topic.clone(), partition: Some(partition), record });
        Ok(())
    }

    /// Tells a partition what it must know to judge a record of this time; also that it no longer waits in vain for a
    /// task that was idle.
    fn tell_before(
        &mut self,
        partition: PartitionId,
        time: Timestamp,
        watermark: Timestamp,
        cx: &mut Cx<'_>,
    ) {
        let told = self.told.get(partition.0 as usize).copied().flatten();
        let known = told.map_or(BEGINNING, |told| told.watermark);
        let is_behind = time < watermark && known < watermark;
        let wakes_up = told.is_some_and(|told| told.is_idle) && !cx.time.is_idle();
        if is_behind || wakes_up {
            let is_idle = cx.time.is_idle();
            let mark = Mark { task: self.task, watermark: watermark.max(known), is_idle };
            self.tell(partition, mark, cx);
        }
    }

    fn tell(&mut self, partition: PartitionId, mark: Mark, cx: &mut Cx<'_>) {
        let Some(told) = self.told.get_mut(partition.0 as usize) else { return };
        if *told != Some(mark) {
            *told = Some(mark);
            cx.emitted.push(mark.record(&self.topic, partition));
        }
    }
}

impl<K: Serde, V: Serde> Logic for Repartition<K, V> {
    type In = Item<K, V>;
    type Out = ();

    fn run(&mut self, input: &mut Vec<Item<K, V>>, (): &mut (), cx: &mut Cx<'_>) -> Result<(), NodeError> {
        input.drain(..).try_for_each(|item| self.put(item, cx))
    }

    /// A commit tells all partitions how far time has come, so that it goes on where no record is late.
    fn commit(&mut self, (): &mut (), cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let mark = Mark { task: self.task, watermark: cx.watermark, is_idle: cx.time.is_idle() };
        if mark.watermark != BEGINNING || mark.is_idle {
            let partitions = (0..).map(PartitionId).take(self.told.len());
            partitions.for_each(|partition| self.tell(partition, mark, cx));
        }
        Ok(())
    }
}
