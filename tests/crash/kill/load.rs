//! An idempotent producer that remembers what it sent and what was acknowledged, over any number of kills.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, ErrorCode, ProducerEpoch, ProducerId, Sequence, Timestamp,
    messages::{
        ProduceRequest, RequestBody, ResponseBody,
        produce::{PartitionProduceData, TopicProduceData},
    },
    records::{BatchBuilder, Compression, NewRecord, ProducerStamp},
};

use crate::wire::Connection;

/// As many as Kafka's own producer has in flight, and as many as a broker remembers of each.
const IN_FLIGHT_MAX: usize = 5;
const RECORDS_PER_BATCH: i64 = 20;

/// What a producer knows of one partition.
#[derive(Debug, Default)]
pub(crate) struct Track {
    pub(crate) partition: i32,
    /// Records that were sent at least once: their sequences are below this.
    pub(crate) sent: i64,
    /// First sequence and base offset of each acknowledged batch.
    pub(crate) acknowledged: Vec<(i64, i64)>,
    pub(crate) unacknowledged: VecDeque<(i64, Bytes)>,
}

/// A producer of one topic.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) topic: &'static str,
    pub(crate) tracks: Vec<Track>,
    id: (ProducerId, ProducerEpoch),
}

impl Track {
    /// Records in a batch, for the check.
    pub(crate) const RECORDS: i64 = RECORDS_PER_BATCH;
}

/// The value of a record: its place in the order, padded.
pub(crate) fn value(sequence: i64) -> String {
    format!("{sequence:0>100}")
}

impl Producer {
    pub(crate) fn new(topic: &'static str, partitions: i32, id: (ProducerId, ProducerEpoch)) -> Self {
        let tracks = (0..partitions).map(|partition| Track { partition, ..Track::default() }).collect();
        Self { topic, tracks, id }
    }

    /// Sends until the broker is gone, first what was not acknowledged before, with the sequences that it had.
    pub(crate) fn run(mut self, address: SocketAddr, pressure: &Pressure) -> Self {
        // The broker may be gone before the load begins.
        if let Ok(connection) = Connection::try_open(address) {
            let gone = self.drive(connection, pressure);
            assert!(gone.is_err(), "the load ends only with the broker");
        }
        self
    }

    fn drive(&mut self, mut connection: Connection, pressure: &Pressure) -> io::Result<()> {
        let mut in_flight = VecDeque::new();
        let again: Vec<_> = (0..self.tracks.len())
            .flat_map(|track| {
                self.tracks[track].unacknowledged.iter().map(move |(_, batch)| (track, batch.clone()))
            })
            .collect();
        for (track, batch) in again {
            self.send(&mut connection, track, batch, &mut in_flight, pressure)?;
        }
        for turn in 0.. {
            while in_flight.len() >= IN_FLIGHT_MAX {
                self.receive(&mut connection, &mut in_flight, pressure)?;
            }
            let track = turn % self.tracks.len();
            let batch = self.next_batch(track);
            self.send(&mut connection, track, batch, &mut in_flight, pressure)?;
        }
        Ok(())
    }

    fn next_batch(&mut self, track: usize) -> Bytes {
        let (producer_id, producer_epoch) = self.id;
        let track = &mut self.tracks[track];
        let first = track.sent;
        let mut builder = BatchBuilder::new(Compression::None);
        for sequence in first..first + RECORDS_PER_BATCH {
            let value = value(sequence);
            let record = NewRecord {
                timestamp: Timestamp(1_700_000_000_000 + sequence),
                value: Some(value.as_bytes()),
                ..Default::default()
            };
            builder.append(&record).expect("the batch has room");
        }
        let base_sequence = Sequence(i32::try_from(first).expect("a run is short"));
        let stamp = ProducerStamp { producer_id, producer_epoch, base_sequence, transactional: false };
        let batch = builder.seal(&stamp).expect("the batch is sealed");
        track.sent += RECORDS_PER_BATCH;
        track.unacknowledged.push_back((first, batch.clone()));
        batch
    }

    fn send(
        &self,
        connection: &mut Connection,
        track: usize,
        batch: Bytes,
        in_flight: &mut VecDeque<usize>,
        pressure: &Pressure,
    ) -> io::Result<()> {
        let partition =
            PartitionProduceData { index: self.tracks[track].partition, records: Some(batch.into()) };
        let topic = TopicProduceData {
            name: self.topic.into(),
            partition_data: vec![partition],
            ..Default::default()
        };
        let request =
            ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
        connection.send(&RequestBody::from(request))?;
        in_flight.push_back(track);
        pressure.outstanding.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn receive(
        &mut self,
        connection: &mut Connection,
        in_flight: &mut VecDeque<usize>,
        pressure: &Pressure,
    ) -> io::Result<()> {
        let ResponseBody::Produce(response) = connection.receive(ApiKey::Produce)? else { unreachable!() };
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!(answer.error_code, ErrorCode::NONE, "{:?}", answer.error_message);
        let track = in_flight.pop_front().expect("an answer has its request");
        let track = &mut self.tracks[track];
        assert_eq!(answer.index, track.partition, "answers come in the order of requests");
        let (first, _) = track.unacknowledged.pop_front().expect("an answer has its batch");
        track.acknowledged.push((first, answer.base_offset.0));
        pressure.outstanding.fetch_sub(1, Ordering::SeqCst);
        pressure.acknowledge();
        Ok(())
    }
}

/// How the load goes, for whoever chooses the moment of the kill.
#[derive(Default)]
pub(crate) struct Pressure {
    outstanding: AtomicUsize,
    acknowledged: Mutex<u64>,
    rises: Condvar,
}

impl Pressure {
    fn acknowledge(&self) {
        *self.acknowledged.lock().expect("nobody fails here") += 1;
        self.rises.notify_all();
    }

    pub(crate) fn wait_for_acknowledged(&self, count: u64) {
        let acknowledged = self.acknowledged.lock().expect("nobody fails here");
        let (held, wait) = self
            .rises
            .wait_timeout_while(acknowledged, Duration::from_secs(120), |acknowledged| *acknowledged < count)
            .expect("nobody fails here");
        drop(held);
        assert!(!wait.timed_out(), "nothing is acknowledged any more");
    }

    /// Until requests wait for their answers, which under this load is nearly always.
    pub(crate) fn wait_for_outstanding(&self) {
        while self.outstanding.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
    }
}
