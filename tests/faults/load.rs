//! Records that are numbered, so that the acknowledged ones are found again.

use std::io;

use mainstem_protocol::{
    ApiKey, ErrorCode, TopicId,
    messages::{
        ProduceRequest, ResponseBody,
        produce::{PartitionProduceData, TopicProduceData},
    },
    records::{BatchBuilder, Compression, NewRecord, ProducerStamp, Records},
};

use crate::wire::Connection;

pub(crate) const TOPIC: &str = "numbered";

/// Who appends to partition 0 of [`TOPIC`].
pub(crate) struct Producer {
    connection: Connection,
    /// Bytes of each record; its number comes first.
    pub(crate) record_bytes: usize,
    /// Numbers that were acknowledged.
    pub(crate) acknowledged: Vec<u64>,
    next: u64,
}

impl Producer {
    pub(crate) const fn new(connection: Connection, record_bytes: usize) -> Self {
        Self { connection, record_bytes, acknowledged: Vec::new(), next: 0 }
    }

    /// Sends one record and waits for the answer.
    pub(crate) fn produce(&mut self) -> io::Result<ErrorCode> {
        let number = self.next;
        self.next += 1;
        self.connection.send(&request(number, self.record_bytes).into())?;
        let ResponseBody::Produce(response) = self.connection.receive(ApiKey::Produce)? else {
            unreachable!()
        };
        let code = response.responses[0].partition_responses[0].error_code;
        if code == ErrorCode::NONE {
            self.acknowledged.push(number);
        }
        Ok(code)
    }
}

fn request(number: u64, bytes: usize) -> ProduceRequest {
    let mut value = number.to_be_bytes().to_vec();
    value.resize(bytes.max(8), 0x55);
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(&NewRecord { value: Some(&value), ..Default::default() }).unwrap();
    let records = Some(Records::Bytes(builder.seal(&ProducerStamp::NONE).unwrap()));
    let topic = TopicProduceData {
        name: TOPIC.into(),
        topic_id: TopicId::ZERO,
        partition_data: vec![PartitionProduceData { index: 0, records }],
    };
    ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data: vec![topic] }
}

/// The numbers of all records that there are, in their order.
pub(crate) fn read_all(connection: &mut Connection) -> Vec<u64> {
    let stored = connection.read(TOPIC, 0);
    stored.iter().map(|record| u64::from_be_bytes(record.value[..8].try_into().unwrap())).collect()
}
