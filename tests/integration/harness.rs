//! A broker on a temporary directory, and a client that says exactly what it is told to.

use std::{path::Path, time::Duration};

use bytes::{Bytes, BytesMut};
use mainstem::{
    broker::Broker,
    config::Config,
    embed::{EmbeddedBroker, EmbeddedStartError},
};
use mainstem_protocol::{
    CorrelationId, ErrorCode, Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, Text, Timestamp,
    TopicId,
    header::{RequestHeader, decode_response, encode_request, peek_response},
    messages::{
        CreateTopicsRequest, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse, Request,
        ResponseBody,
        create_topics::CreatableTopic,
        fetch::{FetchPartition, FetchTopic, PartitionData},
        produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData},
    },
    records::{BatchBuilder, Compression, NewRecord, ProducerStamp, Records},
    wire::Chunk,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How long a test waits for what must come; only a failing one ever waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A broker that ends with its test, on sockets.
#[derive(Debug)]
pub(crate) struct TestBroker(EmbeddedBroker);

impl TestBroker {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::try_start_with(change).await.unwrap()
    }

    pub(crate) async fn try_start_with(change: impl FnOnce(&mut Config)) -> Result<Self, EmbeddedStartError> {
        EmbeddedBroker::builder().configure(change).listening().start().await.map(Self)
    }

    pub(crate) const fn broker(&self) -> &Broker {
        self.0.broker()
    }

    /// Stops in order and starts on the same directory, on another port.
    pub(crate) async fn restart(self) -> Self {
        Self(self.0.restart().await.unwrap())
    }

    /// As [`Self::restart`]; what is on the disk may be changed in between, on a thread that may block.
    pub(crate) async fn restart_after(self, change: impl FnOnce(&Path) + Send + 'static) -> Self {
        Self(self.0.restart_after(change).await.unwrap())
    }

    pub(crate) async fn shutdown(self) {
        self.0.shutdown().await.unwrap();
    }

    pub(crate) async fn connect(&self) -> Client {
        self.connect_to(0).await
    }

    /// Connects to one of several listeners.
    pub(crate) async fn connect_to(&self, listener: usize) -> Client {
        let (_, address) = self.broker().listeners()[listener].clone();
        Client { socket: TcpStream::connect(address).await.unwrap(), correlation_id: 0 }
    }
}

/// A client without an opinion.
pub(crate) struct Client {
    socket: TcpStream,
    correlation_id: i32,
}

impl Client {
    /// The connection itself.
    pub(crate) const fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// Sends a request and returns its number.
    pub(crate) async fn send<R: Request>(&mut self, version: i16, request: R) -> CorrelationId {
        self.correlation_id += 1;
        let correlation_id = CorrelationId(self.correlation_id);
        let client_id = Some(Text::from_static("integration"));
        let header = RequestHeader { key: R::KEY as i16, version, correlation_id, client_id };
        let frame = flat(encode_request(&header, &request.into()).unwrap());
        self.send_raw(&frame).await;
        correlation_id
    }

    /// The next reply, without its size.
    pub(crate) async fn receive_raw(&mut self) -> Bytes {
        tokio::time::timeout(PATIENCE, self.read_frame()).await.expect("a reply in time")
    }

    async fn read_frame(&mut self) -> Bytes {
        let size = self.socket.read_i32().await.unwrap();
        let mut frame = vec![0; usize::try_from(size).unwrap()];
        self.socket.read_exact(&mut frame).await.unwrap();
        frame.into()
    }

    /// The next reply, which must be that to a request `R` of `version`.
    pub(crate) async fn receive<R: Request>(&mut self, version: i16) -> (CorrelationId, R::Response) {
        let (correlation_id, rest) = peek_response(self.receive_raw().await).unwrap();
        let body: ResponseBody = decode_response(R::KEY, version, rest).unwrap();
        (correlation_id, R::Response::try_from(body).expect("the response of the request"))
    }

    pub(crate) async fn ask<R: Request>(&mut self, version: i16, request: R) -> R::Response {
        let sent = self.send(version, request).await;
        let (received, response) = self.receive::<R>(version).await;
        assert_eq!(received, sent);
        response
    }

    /// Waits until the broker closes; what it says before is returned.
    pub(crate) async fn closed(mut self) -> Vec<u8> {
        let mut said = Vec::new();
        let reading = self.socket.read_to_end(&mut said);
        // A reset is a close too: bytes were left that nobody read.
        let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the connection is closed");
        said
    }

    pub(crate) async fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let response = self.ask(5, create_request(name, partitions, configs)).await;
        assert_eq!(response.topics[0].error_code, ErrorCode::NONE, "{:?}", response.topics[0].error_message);
    }

    pub(crate) async fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        records: Bytes,
    ) -> PartitionProduceResponse {
        let request = produce_request(topic, partition, -1, records);
        produced(self.ask(9, request).await)
    }

    pub(crate) async fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> PartitionData {
        fetched(self.ask(12, fetch_request(topic, partition, offset)).await)
    }
}

pub(crate) fn create_request(name: &str, partitions: i32, configs: &[(&str, &str)]) -> CreateTopicsRequest {
    let config =
        |(name, value): &(&str, &str)| mainstem_protocol::messages::create_topics::CreatableTopicConfig {
            name: Text::from(*name),
            value: Some(Text::from(*value)),
        };
    let topic = CreatableTopic {
        name: Text::from(name),
        num_partitions: partitions,
        replication_factor: -1,
        assignments: Vec::new(),
        configs: configs.iter().map(config).collect(),
    };
    CreateTopicsRequest { topics: vec![topic], ..Default::default() }
}

pub(crate) fn produce_request(topic: &str, index: i32, acks: i16, records: Bytes) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index, records: Some(Records::Bytes(records)) }];
    let topic_data =
        vec![TopicProduceData { name: Text::from(topic), topic_id: TopicId::ZERO, partition_data }];
    ProduceRequest { transactional_id: None, acks, timeout_ms: 30_000, topic_data }
}

pub(crate) fn produced(mut response: ProduceResponse) -> PartitionProduceResponse {
    response.responses.remove(0).partition_responses.remove(0)
}

/// One partition, no waiting.
pub(crate) fn fetch_request(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition: PartitionId(partition),
        fetch_offset: Offset(offset),
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let topic = FetchTopic { topic: Text::from(topic), topic_id: TopicId::ZERO, partitions: vec![partition] };
    FetchRequest { min_bytes: 1, max_bytes: 50 << 20, topics: vec![topic], ..Default::default() }
}

pub(crate) fn fetched(mut response: FetchResponse) -> PartitionData {
    response.responses.remove(0).partitions.remove(0)
}

/// A batch of these values.
pub(crate) fn batch(values: &[&[u8]]) -> Bytes {
    stamped_batch(&ProducerStamp::NONE, values)
}

/// A batch of an idempotent producer.
pub(crate) fn idempotent_batch(id: i64, epoch: i16, sequence: i32, values: &[&[u8]]) -> Bytes {
    let stamp = ProducerStamp {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
        transactional: false,
    };
    stamped_batch(&stamp, values)
}

/// A batch of a transaction.
pub(crate) fn transactional_batch(id: i64, epoch: i16, sequence: i32, values: &[&[u8]]) -> Bytes {
    let stamp = ProducerStamp {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
        transactional: true,
    };
    stamped_batch(&stamp, values)
}

fn stamped_batch(stamp: &ProducerStamp, values: &[&[u8]]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    for value in values {
        let record =
            NewRecord { timestamp: Timestamp(1_700_000_000_000), value: Some(value), ..Default::default() };
        builder.append(&record).unwrap();
    }
    builder.seal(stamp).unwrap()
}

/// A batch as the log has it: with its place and its leader's epoch.
pub(crate) fn at(batch: &Bytes, base_offset: i64) -> Bytes {
    let mut bytes = BytesMut::from(&batch[..]);
    bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
    bytes[12..16].copy_from_slice(&0_i32.to_be_bytes());
    bytes.freeze()
}

pub(crate) fn bytes_of(data: &PartitionData) -> Bytes {
    data.records.as_ref().unwrap().bytes().unwrap()
}

fn flat(chunks: Vec<Chunk>) -> Vec<u8> {
    let bytes = chunks.into_iter().map(|chunk| match chunk {
        Chunk::Bytes(bytes) => bytes,
        Chunk::Range(range) => range.bytes().unwrap(),
    });
    bytes.collect::<Vec<_>>().concat()
}
