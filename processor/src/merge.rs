//! The inputs of a task, merged in the order of their records' times.
//!
//! Each input has a queue. The record that is worked through next is the first one of the queue whose first record is
//! the oldest; of equal ones that of the input which was declared first. Within an input the order stays that of its
//! offsets. An empty queue is waited for while its log has more to come: whoever calls knows that from the log's end
//! (Kafka Streams: `PartitionGroup`, KIP-695). So the order follows from what is in the logs, and not from who
//! was quicker to bring it.
//!
//! Queues are bounded: one that is full is not filled further until it has been worked off.

use std::collections::VecDeque;

use mainstem_client::{Offset, Record, Timestamp, TopicPartition};

use crate::{Buffered, record::record_bytes};

/// The queues of a task's inputs.
#[derive(Debug)]
pub(crate) struct Merge {
    queues: Vec<Queue>,
    room: Room,
}

/// How much may wait in a queue before no more is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) records: usize,
    /// Bytes of keys and values.
    pub(crate) bytes: usize,
}

/// What waits of one input.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) partition: TopicPartition,
    records: VecDeque<(Timestamp, Record)>,
    bytes: usize,
    /// Where the input is read next, behind everything that waits.
    end: Option<Offset>,
    /// Whether it was said to be full, and not yet to have room again.
    is_closed: bool,
    /// Whether its records have the time at which they are taken.
    goes_by_clock: bool,
}

impl Merge {
    pub(crate) fn new(inputs: impl IntoIterator<Item = TopicPartition>, room: Room) -> Self {
        let queue = |partition| Queue {
            partition,
            records: VecDeque::new(),
            bytes: 0,
            end: None,
            is_closed: false,
            goes_by_clock: false,
        };
        Self { queues: inputs.into_iter().map(queue).collect(), room }
    }

    /// Says which inputs' records have the time at which they are taken.
    pub(crate) fn by_clock(mut self, goes_by_clock: impl Fn(&TopicPartition) -> bool) -> Self {
        self.queues.iter_mut().for_each(|queue| queue.goes_by_clock = goes_by_clock(&queue.partition));
        self
    }

    /// Whether there is anything to merge.
    pub(crate) const fn is_needed(&self) -> bool {
        self.queues.len() > 1
    }

    pub(crate) fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// Puts records with their times at the end of a queue; `end` is the offset behind them.
    pub(crate) fn put(
        &mut self,
        partition: &TopicPartition,
        records: impl IntoIterator<Item = (Timestamp, Record)>,
        end: Offset,
    ) {
        let Some(queue) = self.queues.iter_mut().find(|queue| queue.partition == *partition) else { return };
        for (time, record) in records {
            queue.bytes += record_bytes(&record);
            queue.records.push_back((time, record));
        }
        queue.end = Some(end);
    }

    /// Takes the records that come next out of the queue that they are in, at most `limit`; says which queue that is,
    /// and none where nothing is left. Whoever calls sees to it that no empty queue must be waited for, and says what the
    /// clock does.
    pub(crate) fn take(&mut self, limit: usize, run: &mut Vec<Record>, now: Timestamp) -> Option<usize> {
        let heads =
            || self.queues.iter().enumerate().filter_map(|(index, queue)| Some((queue.head(now)?, index)));
        let (_, first) = heads().min()?;
        let next = heads().filter(|(_, index)| *index != first).min();
        let queue = &mut self.queues[first];
        while let Some(time) = queue.head(now).filter(|_| run.len() < limit) {
            if next.is_some_and(|next| next < (time, first)) {
                break;
            }
            run.extend(queue.pop());
        }
        Some(first)
    }

    /// The inputs of which nothing waits. One that goes by the clock has nothing to wait for: what it brings is later than
    /// what is there.
    pub(crate) fn empty(&self) -> impl Iterator<Item = &TopicPartition> {
        let is_empty = |queue: &&Queue| queue.is_empty() && !queue.goes_by_clock;
        self.queues.iter().filter(is_empty).map(|queue| &queue.partition)
    }

    /// Whether nothing waits of an input.
    pub(crate) fn has_none_of(&self, partition: &TopicPartition) -> bool {
        self.queues.iter().all(|queue| queue.partition != *partition || queue.is_empty())
    }

    /// Whether nothing waits at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.iter().all(Queue::is_empty)
    }

    /// How much waits in all queues.
    pub(crate) fn buffered(&self) -> Buffered {
        let records = self.queues.iter().map(|queue| queue.records.len() as u64).sum();
        Buffered { records, bytes: self.queues.iter().map(|queue| queue.bytes as u64).sum() }
    }

    /// Queues that have become full since this was last asked, and others that are no longer.
    pub(crate) fn turns(&mut self) -> impl Iterator<Item = (&TopicPartition, bool)> {
        let room = self.room;
        self.queues.iter_mut().filter_map(move |queue| {
            let is_full = queue.records.len() > room.records || queue.bytes > room.bytes;
            let was_closed = std::mem::replace(&mut queue.is_closed, is_full);
            (was_closed != is_full).then_some((&queue.partition, is_full))
        })
    }
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn head(&self, now: Timestamp) -> Option<Timestamp> {
        self.records.front().map(|(time, _)| if self.goes_by_clock { now } else { *time })
    }

    fn pop(&mut self) -> Option<Record> {
        let (_, record) = self.records.pop_front()?;
        self.bytes -= record_bytes(&record);
        Some(record)
    }

    /// Where to go on once everything that was taken is committed: at the first record that waits, else behind the
    /// last; none where the input has brought nothing yet.
    pub(crate) fn position(&self) -> Option<Offset> {
        self.records.front().map(|(_, record)| record.offset).or(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> [TopicPartition; 2] {
        ["a", "b"].map(|topic| TopicPartition::new(topic, 0))
    }

    fn merge() -> Merge {
        Merge::new(inputs(), Room { records: 3, bytes: 100 })
    }

    fn record(offset: i64, time: i64) -> (Timestamp, Record) {
        let (offset, timestamp) = (Offset(offset), Timestamp(time));
        (
            timestamp,
            Record {
                offset,
                timestamp,
                key: None,
                value: Some("ten bytes.".into()),
                headers: Default::default(),
            },
        )
    }

    fn put(merge: &mut Merge, input: usize, times: &[i64]) {
        let before = merge.queues[input].end.map_or(0, |end| end.0);
        let records = times.iter().zip(before..).map(|(time, offset)| record(offset, *time));
        merge.put(&inputs()[input], records, Offset(before + times.len() as i64));
    }

    /// Everything that can be taken, run by run: the input, and the times.
    fn take(merge: &mut Merge, is_dry: bool) -> Vec<(usize, Vec<i64>)> {
        let mut runs = Vec::new();
        loop {
            let mut run = Vec::new();
            let is_ready = is_dry || merge.empty().next().is_none();
            let now = Timestamp(5);
            let Some(input) = is_ready.then(|| merge.take(10, &mut run, now)).flatten() else { return runs };
            runs.push((input, run.iter().map(|record| record.timestamp.0).collect()));
        }
    }

    #[test]
    fn oldest_record_goes_first_and_of_equal_ones_that_of_the_first_input() {
        let mut merge = merge();
        put(&mut merge, 0, &[1, 4, 3, 9]);
        put(&mut merge, 1, &[2, 4, 8]);
        let runs = take(&mut merge, true);
        let expected: [(usize, &[i64]); 5] = [(0, &[1]), (1, &[2]), (0, &[4, 3]), (1, &[4, 8]), (0, &[9])];
        assert_eq!(runs, expected.map(|(input, times)| (input, times.to_vec())));
    }

    #[test]
    fn queue_that_goes_by_the_clock_is_behind_what_was_and_before_what_will_be_and_not_waited_for() {
        let mut merge = merge().by_clock(|partition| *partition == inputs()[0]);
        put(&mut merge, 0, &[1, 2]);
        put(&mut merge, 1, &[4, 5, 6]);
        let expected: [(usize, &[i64]); 3] = [(1, &[4]), (0, &[1, 2]), (1, &[5, 6])];
        assert_eq!(take(&mut merge, false), expected.map(|(input, times)| (input, times.to_vec())));
    }

    #[test]
    fn empty_queue_is_waited_for_unless_it_is_dry() {
        let mut merge = merge();
        put(&mut merge, 0, &[1, 2]);
        assert_eq!(take(&mut merge, false), []);
        put(&mut merge, 1, &[1]);
        assert_eq!(take(&mut merge, false), [(0, vec![1]), (1, vec![1])]);
        assert_eq!(take(&mut merge, true), [(0, vec![2])]);
        assert_eq!(take(&mut merge, true), []);
    }

    #[test]
    fn position_is_that_of_the_first_record_that_waits() {
        let mut merge = merge();
        assert_eq!(merge.queues()[0].position(), None);
        put(&mut merge, 0, &[1, 2]);
        put(&mut merge, 1, &[1]);
        take(&mut merge, false);
        assert_eq!(merge.queues()[0].position(), Some(Offset(1)));
        assert_eq!(merge.queues()[1].position(), Some(Offset(1)));
        assert!(!merge.is_empty() && merge.has_none_of(&inputs()[1]));
        assert_eq!(merge.buffered(), Buffered { records: 1, bytes: 10 });
    }

    /// Trap 55.
    #[test]
    fn queue_is_full_by_records_or_by_bytes_until_it_has_room_again() {
        for (records, bytes) in [(3, 1000), (1000, 30)] {
            let mut merge = Merge::new(inputs(), Room { records, bytes });
            let turns = |merge: &mut Merge| merge.turns().map(|(_, is_full)| is_full).collect::<Vec<_>>();
            put(&mut merge, 0, &[1, 2, 3]);
            assert_eq!(turns(&mut merge), [false; 0]);
            put(&mut merge, 0, &[4]);
            assert_eq!((turns(&mut merge), turns(&mut merge)), (vec![true], vec![]));
            put(&mut merge, 1, &[1]);
            take(&mut merge, false);
            assert_eq!(turns(&mut merge), [false]);
        }
    }
}
