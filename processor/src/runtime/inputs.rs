//! How a task takes its inputs: merged by time, up to their ends; and how it notices that nothing comes.

use std::time::Duration;

use mainstem_client::{
    Offset, Record, TopicPartition,
    consumer::{IsolationLevel, PartitionRecords},
};
use tokio::time::Instant;

use super::{TaskError, attempt::Attempt};
use crate::{InputEnd, caps};

impl Attempt<'_> {
    /// How long to wait for records. The end of an input may be reached without one, and is looked for between polls;
    /// so is that of an input which others wait for.
    pub(super) fn poll_limit(&self) -> Duration {
        match self.job.settings.input_end {
            _ if !self.merge.is_empty() => caps::MERGE_LOOK_INTERVAL,
            InputEnd::Unbounded => self.job.settings.idle_after.unwrap_or(caps::PATIENCE),
            InputEnd::At(_) => self.job.settings.commit_interval,
        }
    }

    /// A single input is worked off as it comes; several are merged.
    pub(super) async fn on_records(&mut self, batches: Vec<PartitionRecords>) -> Result<(), TaskError> {
        for batch in batches {
            let next_offset = self.within_bounds(batch.next_offset, &batch.partition);
            let PartitionRecords { partition, mut records, .. } = self.bounded(batch);
            if let Some(heard) = self.heard.get_mut(&partition) {
                *heard = Some(Instant::now());
            }
            if self.merge.is_needed() {
                let times = self.work.times(&partition, &records)?.iter().copied();
                self.merge.put(&partition, times.zip(records), next_offset);
            } else {
                self.work_off(&partition, &mut records, next_offset).await?;
            }
        }
        Ok(())
    }

    /// Works through what waits, as far as its order is known.
    pub(super) async fn work_through(&mut self) -> Result<(), TaskError> {
        if !self.merge.is_needed() {
            return Ok(());
        }
        let mut run = std::mem::take(&mut self.run);
        while self.is_ready().await? {
            let Some(queue) = self.merge.take(caps::BATCH_RECORDS, &mut run, self.work.now()) else { break };
            let queue = &self.merge.queues()[queue];
            let (partition, position) = (queue.partition.clone(), queue.position().unwrap_or(Offset::ZERO));
            self.work_off(&partition, &mut run, position).await?;
        }
        self.run = run;
        self.note_where_queues_are();
        self.ask_for_what_has_room();
        self.tell_what_waits();
        Ok(())
    }

    fn tell_what_waits(&mut self) {
        let buffered = self.merge.buffered();
        if std::mem::replace(&mut self.buffered, buffered) != buffered {
            self.job.settings.meter.buffered(self.id, buffered);
        }
    }

    /// Works records off, after which an input goes on at `position`.
    async fn work_off(
        &mut self,
        partition: &TopicPartition,
        records: &mut Vec<Record>,
        position: Offset,
    ) -> Result<(), TaskError> {
        self.work.work_off(partition, records)?;
        while !records.is_empty() {
            self.send_outputs().await?;
            self.work.work_off(partition, records)?;
        }
        self.positions.insert(partition.clone(), position);
        self.has_worked().await
    }

    /// Inputs may also go on without a record that anybody gets to see.
    fn note_where_queues_are(&mut self) {
        for queue in self.merge.queues() {
            let Some(position) = queue.position() else { continue };
            match self.positions.get_mut(&queue.partition) {
                Some(known) => *known = position,
                None => drop(self.positions.insert(queue.partition.clone(), position)),
            }
        }
    }

    /// What waits has a bound: no more is fetched of an input that others are waited for.
    fn ask_for_what_has_room(&mut self) {
        for (partition, is_full) in self.merge.turns() {
            if is_full { self.consumer.pause(partition) } else { self.consumer.resume(partition) }
        }
    }

    /// Whether every input of which nothing waits can be passed over. One that has ended has done so before the next
    /// record of another one is worked through, however they came in.
    async fn is_ready(&mut self) -> Result<bool, TaskError> {
        if self.merge.empty().next().is_none() {
            self.dry_since.clear();
            return Ok(true);
        }
        self.finish_inputs().await?;
        let Some(max_task_idle) = self.job.settings.max_task_idle else { return Ok(true) };
        self.note_dry_inputs();
        let is_dry = |input: &TopicPartition| {
            self.dry_since.get(input).is_some_and(|since| since.elapsed() >= max_task_idle)
        };
        Ok(self.merge.empty().all(is_dry))
    }

    fn note_dry_inputs(&mut self) {
        for queue in self.merge.queues() {
            let input = &queue.partition;
            if !(queue.is_empty() && self.is_at_end(input)) {
                self.dry_since.remove(input);
            } else if !self.dry_since.contains_key(input) {
                self.dry_since.insert(input.clone(), Instant::now());
            }
        }
    }

    /// Whether an input has no more to come, as far as its log says. An input that nobody has said anything of yet may.
    fn is_at_end(&self, input: &TopicPartition) -> bool {
        let (position, end) = (self.consumer.position(input), self.end_to_read(input));
        let is_read = position.zip(end).is_some_and(|(position, end)| position >= end);
        is_read || self.is_over(input) || self.work.time.is_finished(input)
    }

    /// Up to where records are handed out. Those of an open transaction may come much later, or never.
    fn end_to_read(&self, input: &TopicPartition) -> Option<Offset> {
        match self.job.settings.isolation_level {
            IsolationLevel::ReadCommitted => self.consumer.last_stable_offset(input),
            IsolationLevel::ReadUncommitted => self.consumer.high_watermark(input),
        }
    }

    /// Whether a log has said at that time or later that there is nothing to come: also no open transaction, whose records
    /// would be late if time went on without them. What was known before that may be old, where no broker answers.
    fn was_at_end(&self, input: &TopicPartition, at: Instant) -> bool {
        let (position, end) = (self.consumer.position(input), self.consumer.high_watermark(input));
        let is_read = position.zip(end).is_some_and(|(position, end)| position >= end);
        let is_told = self.consumer.ends_told_at(input).is_some_and(|told| told >= at);
        is_read && is_told || self.is_over(input) || self.work.time.is_finished(input)
    }

    /// An input that is read to its end, and has had nothing new for a while, is not waited for.
    pub(super) async fn look_for_idle_inputs(&mut self) -> Result<(), TaskError> {
        let Some(idle_after) = self.job.settings.idle_after else { return Ok(()) };
        let now = Instant::now();
        let due = |heard: &Option<Instant>| {
            heard.and_then(|heard| heard.checked_add(idle_after)).filter(|due| *due <= now)
        };
        let quiet = self.heard.iter().filter_map(|(input, heard)| Some((input.clone(), due(heard)?)));
        for (input, due) in quiet.collect::<Vec<_>>() {
            if self.merge.has_none_of(&input) && self.was_at_end(&input, due) {
                self.work.idle_input(&input)?;
                self.send_outputs().await?;
                self.heard.insert(input, None);
                self.commit_at.get_or_insert(now);
            }
        }
        Ok(())
    }

    /// Where all inputs are idle, time may go by the clock.
    pub(super) async fn rest(&mut self) -> Result<(), TaskError> {
        if self.merge.is_empty() && self.work.rest()? {
            self.has_worked().await?;
        }
        Ok(())
    }

    /// Leaves out what lies behind the end of a bounded input.
    fn bounded(&self, mut batch: PartitionRecords) -> PartitionRecords {
        if let Some(end) = self.end(&batch.partition) {
            batch.records.retain(|record| record.offset < end);
        }
        batch
    }

    fn within_bounds(&self, offset: Offset, partition: &TopicPartition) -> Offset {
        self.end_of_run(partition).map_or(offset, |end| offset.min(end))
    }

    /// Where a bounded input is left: never in front of where an earlier run has left it.
    pub(super) fn end_of_run(&self, partition: &TopicPartition) -> Option<Offset> {
        let position = self.positions.get(partition).copied().unwrap_or(Offset::ZERO);
        self.end(partition).map(|end| end.max(position))
    }

    /// Where an input ends, if it does. Repartition topics end where the tasks that write them say so.
    fn end(&self, partition: &TopicPartition) -> Option<Offset> {
        match &self.job.settings.input_end {
            InputEnd::At(ends) if !self.is_repartition(partition) => {
                Some(ends.get(partition).copied().unwrap_or(Offset::ZERO))
            }
            _ => None,
        }
    }

    fn is_repartition(&self, partition: &TopicPartition) -> bool {
        self.job.plan.writers.contains_key(&partition.topic)
    }

    /// Whether all inputs have been worked through to their ends.
    pub(super) async fn is_finished(&mut self) -> Result<bool, TaskError> {
        if self.job.settings.input_end == InputEnd::Unbounded {
            return Ok(false);
        }
        self.finish_inputs().await?;
        Ok(self.merge.queues().iter().all(|queue| self.work.time.is_finished(&queue.partition)))
    }

    /// Notes which inputs have ended since the last time.
    async fn finish_inputs(&mut self) -> Result<(), TaskError> {
        for index in 0..self.merge.queues().len() {
            let queue = &self.merge.queues()[index];
            let input = &queue.partition;
            if queue.is_empty() && self.is_over(input) && !self.work.time.is_finished(input) {
                let input = input.clone();
                self.work.finish_input(&input)?;
                // Others may wait to hear of it before they can end what this task waits for.
                self.commit_at.get_or_insert_with(Instant::now);
                self.send_outputs().await?;
            }
        }
        Ok(())
    }

    /// Whether a bounded input is read to its end. It may end in records that nobody gets to see, so it is the
    /// consumer's position that counts.
    fn is_over(&self, input: &TopicPartition) -> bool {
        let Some(end) = self.end(input) else { return false };
        end <= Offset::ZERO || self.consumer.position(input).is_some_and(|reached| reached >= end)
    }
}
