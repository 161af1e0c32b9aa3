//! The nodes where records leave for a repartition topic, with the marks that say at which watermark they are seen.
//!
//! Whether a record is late must not hang on when commits are made, so it is not left to the marks of commits alone: in
//! front of a record that is behind the watermark at which it was seen its partition is told that watermark. A record
//! that is in order needs no mark, since no window that it lies in can be closed by then: input in order costs nothing,
//! and a run of late records one mark.
//!
//! Where what is written comes back to its own task in the end, by way of other tasks, the task must not wait for its own
//! news: what is told then is the time of the topics that the records themselves come from.

use std::marker::PhantomData;

use mainstem_client::{PartitionId, Text, Timestamp, producer::partition_of_key};

use super::{NodeError, behind, cx::Cx, mark::Mark, operator::Logic, sink::Write};
use crate::{
    record::{Emitted, Item},
    serdes::Serde,
    topology::Setting,
    watermark::BEGINNING,
};

/// A sink node of a repartition topic.
pub(crate) struct Repartition<K, V> {
    topic: Text,
    task: i32,
    route: Route<V>,
    /// The topics that it has its records from, where its time is theirs and not that of its task.
    upstream: Option<Vec<Text>>,
    /// The mark that each partition was told last.
    told: Vec<Option<Mark>>,
    records: PhantomData<fn(K, V)>,
}

/// How the partition of a record is chosen.
pub(crate) enum Route<V> {
    /// By its key, as every producer does. A record without one has no place then: nobody knows which task it belongs to.
    ByKey,
    /// The same, and a record without a key goes to the partition of the task's own number: it is not to meet any other.
    KeylessHere,
    /// By its value.
    ByValue(fn(&V) -> PartitionId),
}

impl<V> Clone for Route<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Route<V> {}

impl<K: Serde, V: Serde> Repartition<K, V> {
    pub(crate) fn new(topic: Text, route: Route<V>, setting: &Setting) -> Self {
        let told = (0..setting.partitions).map(|_| None).collect();
        let (task, upstream) = (setting.task, setting.upstream.clone());
        Self { topic, task, route, upstream, told, records: PhantomData }
    }

    fn put(&mut self, item: Item<K, V>, cx: &mut Cx<'_>) -> Result<(), NodeError> {
        let watermark = behind(item.watermark, cx.delay_ms);
        let routed = match self.route {
            Route::ByKey | Route::KeylessHere => None,
            Route::ByValue(route) => Some(route(&item.value)),
        };
        let record = item.write(cx)?;
        let by_key = match &record.key {
            Some(key) => partition_of_key(key, self.told.len()),
            None if matches!(self.route, Route::KeylessHere) => self.own_partition(),
            None => {
                cx.counts.errors += 1;
                return Ok(());
            }
        };
        let partition = routed.unwrap_or(by_key);
        self.tell_before(partition, record.timestamp, watermark, cx);
        cx.emit(Emitted { topic: self.topic.clone(), partition: Some(partition), record });
        Ok(())
    }

    fn own_partition(&self) -> PartitionId {
        let partitions = i32::try_from(self.told.len()).unwrap_or(i32::MAX).max(1);
        PartitionId(self.task % partitions)
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
        let is_idle = self.is_idle(cx);
        let wakes_up = told.is_some_and(|told| told.is_idle) && !is_idle;
        if is_behind || wakes_up {
            let mark = Mark { task: self.task, watermark: watermark.max(known), is_idle };
            self.tell(partition, mark, cx);
        }
    }

    fn is_idle(&self, cx: &Cx<'_>) -> bool {
        self.upstream.as_ref().map_or_else(|| cx.time.is_idle(), |topics| cx.time.is_idle_in(topics))
    }

    /// How far time has come for what is written here.
    fn mark(&self, cx: &Cx<'_>) -> Mark {
        let of = |topics: &Vec<Text>| behind(cx.time.watermark_in(topics), cx.delay_ms);
        let watermark = self.upstream.as_ref().map_or(cx.watermark, of);
        Mark { task: self.task, watermark, is_idle: self.is_idle(cx) }
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
        let mark = self.mark(cx);
        if mark.watermark != BEGINNING || mark.is_idle {
            let partitions = (0..).map(PartitionId).take(self.told.len());
            partitions.for_each(|partition| self.tell(partition, mark, cx));
        }
        Ok(())
    }
}
