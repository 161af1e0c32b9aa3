//! A connection that speaks the protocol and nothing else: no retries, no metadata, so that the test alone decides.

#![allow(dead_code, reason = "each test and benchmark uses what it needs")]

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::Bytes;
use mainstem_protocol::{
    ApiKey, BrokerId, CorrelationId, ErrorCode, Offset, PartitionId, ProducerEpoch, ProducerId,
    header::{RequestHeader, decode_response, encode_request, peek_response},
    messages::{
        CreateTopicsRequest, FetchRequest, InitProducerIdRequest, RequestBody, ResponseBody,
        create_topics::{CreatableTopic, CreatableTopicConfig},
        fetch::{FetchPartition, FetchTopic},
    },
    records::{Decompressor, Tail, batches},
    wire::Chunk,
};

/// The versions that are spoken here.
const fn version(key: ApiKey) -> i16 {
    match key {
        ApiKey::Produce | ApiKey::JoinGroup | ApiKey::OffsetCommit => 9,
        ApiKey::Fetch => 12,
        ApiKey::CreateTopics | ApiKey::SyncGroup => 5,
        ApiKey::ConsumerGroupHeartbeat | ApiKey::WriteTxnMarkers => 1,
        ApiKey::InitProducerId | ApiKey::DescribeConfigs => 4,
        ApiKey::Metadata => 9,
        _ => 0,
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) offset: i64,
    pub(crate) value: Bytes,
}

/// A connection to the broker.
pub(crate) struct Connection {
    stream: TcpStream,
    sent: i32,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::try_open(address).expect("the broker listens")
    }

    pub(crate) fn try_open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream, sent: 0 })
    }

    pub(crate) fn send(&mut self, body: &RequestBody) -> io::Result<()> {
        self.sent += 1;
        let header = RequestHeader {
            key: body.key() as i16,
            version: version(body.key()),
            correlation_id: CorrelationId(self.sent),
            client_id: Some("test".into()),
        };
        for chunk in encode_request(&header, body).expect("the request can be written") {
            let Chunk::Bytes(bytes) = chunk else { unreachable!("requests are in memory") };
            self.stream.write_all(&bytes)?;
        }
        Ok(())
    }

    pub(crate) fn receive(&mut self, key: ApiKey) -> io::Result<ResponseBody> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut frame)?;
        let (_, rest) = peek_response(frame.into()).expect("a response begins with its id");
        Ok(decode_response(key, version(key), rest).expect("the response can be read"))
    }

    pub(crate) fn call(&mut self, body: impl Into<RequestBody>) -> ResponseBody {
        let body = body.into();
        self.send(&body).expect("the broker takes requests");
        self.receive(body.key()).expect("the broker answers")
    }

    pub(crate) fn create_topic(&mut self, name: &'static str, partitions: i32, configs: &[(&str, &str)]) {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
        };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let response = self.call(CreateTopicsRequest { topics: vec![topic], ..Default::default() });
        let ResponseBody::CreateTopics(response) = response else { panic!("{response:?}") };
        assert_eq!(response.topics[0].error_code, ErrorCode::NONE);
    }

    pub(crate) fn init_producer(&mut self) -> (ProducerId, ProducerEpoch) {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        let ResponseBody::InitProducerId(response) = self.call(request) else { panic!("wrong response") };
        assert_eq!(response.error_code, ErrorCode::NONE);
        (response.producer_id, response.producer_epoch)
    }

    /// Reads a partition from its first record to its end.
    pub(crate) fn read(&mut self, topic: &'static str, partition: i32) -> Vec<Stored> {
        let mut records = Vec::new();
        let mut next = Offset::ZERO;
        loop {
            let end = self.read_some(topic, partition, &mut next, &mut records);
            if next >= end {
                return records;
            }
        }
    }

    /// Reads on, and returns where the partition ends.
    fn read_some(
        &mut self,
        topic: &'static str,
        partition: i32,
        next: &mut Offset,
        records: &mut Vec<Stored>,
    ) -> Offset {
        let ResponseBody::Fetch(response) = self.call(fetch(topic, partition, *next)) else {
            panic!("wrong response")
        };
        let data = &response.responses[0].partitions[0];
        assert_eq!(data.error_code, ErrorCode::NONE);
        let bytes = data.records.clone().unwrap_or_default().bytes().expect("records are in memory");
        for batch in batches(bytes, Tail::Report) {
            let batch = batch.expect("only whole batches come");
            assert!(batch.is_intact(), "a batch has a wrong checksum");
            let open = batch.open(&mut Decompressor::new(), usize::MAX).expect("the batch opens");
            for record in open.records() {
                let record = record.expect("the record can be read");
                let value = record.value.expect("every record has a value");
                records.push(Stored { offset: record.offset.0, value });
            }
            *next = batch.header().next_offset();
        }
        data.high_watermark
    }
}

fn fetch(topic: &'static str, partition: i32, offset: Offset) -> FetchRequest {
    FetchRequest {
        replica_id: BrokerId::NONE,
        min_bytes: 1,
        max_bytes: 8 * 1024 * 1024,
        topics: vec![FetchTopic {
            topic: topic.into(),
            partitions: vec![FetchPartition {
                partition: PartitionId(partition),
                fetch_offset: offset,
                partition_max_bytes: 8 * 1024 * 1024,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}
