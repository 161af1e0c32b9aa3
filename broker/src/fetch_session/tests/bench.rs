//! A made-up log, and a client that says exactly what it is told to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, Text, Timestamp, TopicId,
    messages::{
        FetchRequest, FetchResponse,
        fetch::{FetchPartition, FetchTopic, FetchableTopicResponse, ForgottenTopic, PartitionData},
    },
    records::Records,
};
use mainstem_storage::ManualClock;

use super::super::{FetchSessions, Part};
use crate::metrics::Metrics;

/// The version that the tests speak where it does not matter: with names.
pub(super) const NAMES: i16 = 12;
/// A version with ids.
pub(super) const IDS: i16 = 17;

/// A topic, by name or by one letter that makes up its id, and the number of one of its partitions.
pub(super) type Place = (&'static str, i32);

/// What a partition has to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) end: i64,
    pub(super) start: i64,
    pub(super) error: ErrorCode,
}

pub(super) struct Bench {
    pub(super) sessions: FetchSessions,
    pub(super) metrics: Metrics,
    clock: Arc<ManualClock>,
    log: Mutex<HashMap<Place, State>>,
}

/// What a request says of its session.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask<'a> {
    pub(super) id: i32,
    pub(super) epoch: i32,
    /// What is asked, from which offset.
    pub(super) partitions: &'a [(Place, i64)],
    pub(super) forgotten: &'a [Place],
}

/// An answer: the code, the session, and what is said of which partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) code: ErrorCode,
    pub(super) id: i32,
    pub(super) partitions: Vec<Place>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with_slots(1000)
    }

    pub(super) fn with_slots(slots: usize) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
        let metrics = Metrics::new(&*clock);
        let sessions = FetchSessions::new(
            slots,
            Arc::<ManualClock>::clone(&clock) as Arc<dyn mainstem_storage::Clock>,
            Arc::clone(&metrics.fetch_sessions),
        );
        Self { sessions, metrics, clock, log: Mutex::default() }
    }

    pub(super) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(super) fn set(&self, place: Place, state: State) {
        self.log.lock().unwrap().insert(place, state);
    }

    pub(super) fn state(&self, place: Place) -> State {
        self.log.lock().unwrap().get(&place).copied().unwrap_or_default()
    }

    /// A whole request and its answer.
    pub(super) fn ask(&self, version: i16, ask: &Ask<'_>) -> Told {
        told(&self.respond(version, ask))
    }

    pub(super) fn respond(&self, version: i16, ask: &Ask<'_>) -> FetchResponse {
        match self.begin(version, ask) {
            Ok((part, request)) => self.finish(version, part, request),
            Err(error_code) => FetchResponse { error_code, ..Default::default() },
        }
    }

    pub(super) fn begin(&self, version: i16, ask: &Ask<'_>) -> Result<(Part, FetchRequest), ErrorCode> {
        let mut request = request(version, ask);
        Ok((self.sessions.begin(version, &mut request)?, request))
    }

    pub(super) fn finish(&self, version: i16, part: Part, request: FetchRequest) -> FetchResponse {
        self.sessions.finish(part, request, |request| {
            let topics = request.topics.iter().map(|topic| FetchableTopicResponse {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partitions: topic.partitions.iter().map(|asked| self.read(version, topic, asked)).collect(),
            });
            FetchResponse { responses: topics.collect(), ..Default::default() }
        })
    }

    fn read(&self, version: i16, topic: &FetchTopic, asked: &FetchPartition) -> PartitionData {
        let place = place(version >= IDS, &topic.topic, topic.topic_id, asked.partition);
        let State { end, start, error } = self.state(place);
        let has_records = error.is_none() && asked.fetch_offset.0 < end;
        PartitionData {
            partition_index: asked.partition,
            error_code: error,
            high_watermark: if error.is_none() { Offset(end) } else { Offset::NONE },
            log_start_offset: if error.is_none() { Offset(start) } else { Offset::NONE },
            records: Some(if has_records {
                Records::Bytes(Bytes::from_static(b"records"))
            } else {
                Records::EMPTY
            }),
            ..Default::default()
        }
    }

    /// Begins a session and returns its id.
    pub(super) fn open(&self, version: i16, partitions: &[(Place, i64)]) -> i32 {
        let Told { code, id, .. } = self.ask(version, &Ask { partitions, ..Ask::default() });
        assert!(code.is_none() && id > 0, "{code} {id}");
        id
    }

    /// Goes on with a session.
    pub(super) fn next(&self, id: i32, epoch: i32, partitions: &[(Place, i64)]) -> Told {
        self.ask(NAMES, &Ask { id, epoch, partitions, ..Ask::default() })
    }
}

pub(super) fn told(response: &FetchResponse) -> Told {
    let partitions = response.responses.iter().flat_map(|topic| {
        let place = |data: &PartitionData| {
            let has_ids = topic.topic_id != TopicId::ZERO;
            place(has_ids, &topic.topic, topic.topic_id, data.partition_index)
        };
        topic.partitions.iter().map(place)
    });
    Told { code: response.error_code, id: response.session_id, partitions: partitions.collect() }
}

pub(super) const fn refused(code: ErrorCode) -> Told {
    Told { code, id: 0, partitions: Vec::new() }
}

/// The places that a request asks for, in order.
pub(super) fn asked(request: &FetchRequest) -> Vec<Place> {
    let topics = request.topics.iter();
    let places = topics.flat_map(|topic| {
        topic.partitions.iter().map(|asked| place(false, &topic.topic, TopicId::ZERO, asked.partition))
    });
    places.collect()
}

fn request(version: i16, ask: &Ask<'_>) -> FetchRequest {
    let named = |name: &str| match version {
        IDS.. => (Text::new(), topic_id(name)),
        _ => (Text::from(name), TopicId::ZERO),
    };
    let topics = ask.partitions.iter().map(|((topic, partition), offset)| {
        let (topic, topic_id) = named(topic);
        let partition = FetchPartition {
            partition: PartitionId(*partition),
            fetch_offset: Offset(*offset),
            ..FetchPartition::default()
        };
        FetchTopic { topic, topic_id, partitions: vec![partition] }
    });
    let forgotten = ask.forgotten.iter().map(|(topic, partition)| {
        let (topic, topic_id) = named(topic);
        ForgottenTopic { topic, topic_id, partitions: vec![PartitionId(*partition)] }
    });
    FetchRequest {
        session_id: ask.id,
        session_epoch: ask.epoch,
        topics: topics.collect(),
        forgotten_topics_data: forgotten.collect(),
        ..FetchRequest::default()
    }
}

fn topic_id(name: &str) -> TopicId {
    TopicId([name.as_bytes()[0]; 16])
}

fn place(has_ids: bool, name: &str, id: TopicId, partition: PartitionId) -> Place {
    let known = ["a", "b", "c"].into_iter().find(|known| match has_ids {
        true => topic_id(known) == id,
        false => *known == name,
    });
    (known.unwrap_or("unknown"), partition.0)
}
