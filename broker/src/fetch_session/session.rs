//! One session: the partitions that its client reads, in the order in which they are read, and what was last said of each
//! (Kafka: `FetchSession`, `CachedPartition`).

use std::collections::{BTreeMap, HashMap};

use mainstem_protocol::{
    ErrorCode, Offset, PartitionId, Text, TopicId,
    messages::fetch::{
        EpochEndOffset, FetchPartition, FetchTopic, FetchableTopicResponse, ForgottenTopic, PartitionData,
    },
    records::Records,
};

/// Bytes of memory that a partition takes in a session, about.
const PARTITION_BYTES: usize = 256;

/// A session's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionId(pub(super) i32);

/// How far a session has come: the number of the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(pub(super) i32);

/// What a session takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) partitions: usize,
    /// Bytes of memory, about.
    pub(super) bytes: usize,
}

/// A topic as the client names it: by name, or by id; the other one is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TopicKey {
    name: Text,
    id: TopicId,
}

/// A partition that is read.
#[derive(Debug)]
struct Cached {
    topic: TopicKey,
    asked: FetchPartition,
    /// As it was last told; none where an error was told.
    high_watermark: Offset,
    /// As it was last told.
    log_start: Offset,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    epoch: Epoch,
    has_ids: bool,
    /// In the order in which they are read.
    partitions: BTreeMap<u64, Cached>,
    places: HashMap<TopicKey, BTreeMap<PartitionId, u64>>,
    next_place: u64,
    /// Bytes of all names.
    name_bytes: usize,
}

impl SessionId {
    /// No session.
    pub(super) const NONE: Self = Self(0);
}

impl Epoch {
    /// Asks for a new session.
    pub(super) const INITIAL: Self = Self(0);
    /// Asks for none, and closes the one that is named.
    pub(super) const FINAL: Self = Self(-1);

    /// Whether the request that bears it names all of its partitions.
    pub(super) const fn is_full(self) -> bool {
        matches!(self, Self::INITIAL | Self::FINAL)
    }

    /// After the largest comes 1: 0 would ask for a new session.
    pub(super) const fn next(self) -> Self {
        match self.0 {
            ..0 => Self::FINAL,
            i32::MAX => Self(1),
            epoch => Self(epoch + 1),
        }
    }
}

impl Size {
    /// What a session of these partitions will take.
    pub(super) fn of(topics: &[FetchableTopicResponse]) -> Self {
        let partitions = topics.iter().map(|topic| topic.partitions.len()).sum();
        Self::new(partitions, topics.iter().map(|topic| topic.topic.len()).sum())
    }

    const fn new(partitions: usize, name_bytes: usize) -> Self {
        Self { partitions, bytes: partitions * PARTITION_BYTES + name_bytes }
    }
}

impl TopicKey {
    fn new(has_ids: bool, name: &Text, id: TopicId) -> Self {
        if has_ids { Self { name: Text::new(), id } } else { Self { name: name.clone(), id: TopicId::ZERO } }
    }

    /// With bytes of its own: those of a request would keep all of it in memory.
    fn detached(&self) -> Self {
        Self { name: Text::from(&*self.name), id: self.id }
    }
}

impl Cached {
    const fn new(topic: TopicKey, asked: FetchPartition) -> Self {
        Self { topic, asked, high_watermark: Offset::NONE, log_start: Offset::NONE }
    }

    /// Remembers what is said of the partition, and tells whether it has to be said at all (Kafka:
    /// `CachedPartition.maybeUpdateResponseData`).
    fn says(&mut self, data: &PartitionData) -> bool {
        let is_error = !data.error_code.is_none();
        let is_news = self.high_watermark != data.high_watermark || self.log_start != data.log_start_offset;
        // When the error goes away, the partition is told of again.
        self.high_watermark = if is_error { Offset::NONE } else { data.high_watermark };
        self.log_start = data.log_start_offset;
        let is_diverging = data.diverging_epoch != EpochEndOffset::default();
        is_error || is_news || is_diverging || has_records(data)
    }
}

impl Session {
    /// A session that begins with these partitions, and with what was said of them: topic by topic of the same shape.
    pub(super) fn new(has_ids: bool, asked: &[Vec<FetchPartition>], said: &[FetchableTopicResponse]) -> Self {
        let mut session = Self {
            epoch: Epoch::INITIAL.next(),
            has_ids,
            partitions: BTreeMap::new(),
            places: HashMap::new(),
            next_place: 0,
            name_bytes: 0,
        };
        for (asked, said) in asked.iter().zip(said) {
            let topic = TopicKey::new(has_ids, &said.topic, said.topic_id);
            for (asked, said) in asked.iter().zip(&said.partitions) {
                session.ask(&topic, asked);
                session.find(&topic, asked.partition).map(|cached| cached.says(said));
            }
        }
        session
    }

    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) const fn next_epoch(&mut self) {
        self.epoch = self.epoch.next();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    pub(super) fn size(&self) -> Size {
        Size::new(self.partitions.len(), self.name_bytes)
    }

    /// Whether a request of this epoch is the next one.
    pub(super) fn check(&self, epoch: Epoch, has_ids: bool) -> Result<(), ErrorCode> {
        if self.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if self.has_ids != has_ids {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        Ok(())
    }

    /// Takes over what has changed. What is forgotten and was never asked for is no error.
    pub(super) fn update(&mut self, topics: &[FetchTopic], forgotten: &[ForgottenTopic]) {
        for topic in topics {
            let key = TopicKey::new(self.has_ids, &topic.topic, topic.topic_id);
            topic.partitions.iter().for_each(|asked| self.ask(&key, asked));
        }
        for topic in forgotten {
            let key = TopicKey::new(self.has_ids, &topic.topic, topic.topic_id);
            topic.partitions.iter().for_each(|partition| self.forget(&key, *partition));
        }
    }

    fn ask(&mut self, topic: &TopicKey, asked: &FetchPartition) {
        match self.find(topic, asked.partition) {
            Some(cached) => cached.asked = asked.clone(),
            None => self.add(topic, asked),
        }
    }

    fn add(&mut self, topic: &TopicKey, asked: &FetchPartition) {
        if !self.places.contains_key(topic) {
            self.name_bytes += topic.name.len();
            self.places.insert(topic.detached(), BTreeMap::new());
        }
        // The names of all partitions of a topic are the same bytes.
        let known = self.places.get_key_value(topic).map_or_else(|| topic.detached(), |(key, _)| key.clone());
        self.push(Cached::new(known, asked.clone()));
    }

    fn push(&mut self, cached: Cached) {
        if let Some(places) = self.places.get_mut(&cached.topic) {
            places.insert(cached.asked.partition, self.next_place);
        }
        self.partitions.insert(self.next_place, cached);
        self.next_place += 1;
    }

    fn forget(&mut self, topic: &TopicKey, partition: PartitionId) {
        let Some(places) = self.places.get_mut(topic) else { return };
        if let Some(place) = places.remove(&partition) {
            self.partitions.remove(&place);
        }
        if places.is_empty() {
            self.places.remove(topic);
            self.name_bytes -= topic.name.len();
        }
    }

    fn place(&self, topic: &TopicKey, partition: PartitionId) -> Option<u64> {
        self.places.get(topic)?.get(&partition).copied()
    }

    fn find(&mut self, topic: &TopicKey, partition: PartitionId) -> Option<&mut Cached> {
        let place = self.place(topic, partition)?;
        self.partitions.get_mut(&place)
    }

    /// All partitions, as a request would name them: a topic comes again where others came in between.
    pub(super) fn asked(&self) -> Vec<FetchTopic> {
        let mut topics = Vec::<FetchTopic>::new();
        for Cached { topic: TopicKey { name, id }, asked, .. } in self.partitions.values() {
            match topics.last_mut() {
                Some(last) if last.topic_id == *id && last.topic == *name => {
                    last.partitions.push(asked.clone());
                }
                _ => topics.push(FetchTopic {
                    topic: name.clone(),
                    topic_id: *id,
                    partitions: vec![asked.clone()],
                }),
            }
        }
        topics
    }

    /// Remembers what is said, and leaves out what was said before. What has records is read last the next time, so that
    /// none of the others starves where there is not room for all.
    pub(super) fn leave_out(&mut self, topics: &mut Vec<FetchableTopicResponse>) {
        for FetchableTopicResponse { topic, topic_id, partitions } in topics.iter_mut() {
            let key = TopicKey::new(self.has_ids, topic, *topic_id);
            partitions.retain(|data| self.has_to_say(&key, data));
        }
        topics.retain(|topic| !topic.partitions.is_empty());
    }

    fn has_to_say(&mut self, topic: &TopicKey, data: &PartitionData) -> bool {
        let says = self.find(topic, data.partition_index).is_none_or(|cached| cached.says(data));
        if has_records(data) {
            self.move_back(topic, data.partition_index);
        }
        says
    }

    fn move_back(&mut self, topic: &TopicKey, partition: PartitionId) {
        let place = self.place(topic, partition);
        if let Some(cached) = place.and_then(|place| self.partitions.remove(&place)) {
            self.push(cached);
        }
    }
}

fn has_records(data: &PartitionData) -> bool {
    data.records.as_ref().is_some_and(|records| !Records::is_empty(records))
}
