//! What holds for every message in every version, proved over all of them.

mod golden;
mod hostile;
mod oracle;
mod recorded;
mod schema;

use bytes::Bytes;

use super::*;
use crate::{
    api_key,
    specimen::{Random, Specimen},
};

/// One of the two messages of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
}

/// What a test does with each message.
trait Visit {
    fn visit<M, O>(&mut self, key: ApiKey, kind: Kind)
    where
        M: Message + Specimen + PartialEq + std::fmt::Debug,
        O: oracle::Oracle;
}

macro_rules! visit_all {
    ($($name:ident = $key:literal: $request:ident, $response:ident;)*) => {
        fn visit_all(visitor: &mut impl Visit) {$(
            visitor.visit::<$request, kafka_protocol::messages::$request>(ApiKey::$name, Kind::Request);
            visitor.visit::<$response, kafka_protocol::messages::$response>(ApiKey::$name, Kind::Response);
        )*}
    };
}

api_key::table!(visit_all);

fn encode(message: &impl Message, version: i16) -> Bytes {
    bytes(&message.encode(version).unwrap())
}

fn bytes(chunks: &[Chunk]) -> Bytes {
    chunks
        .iter()
        .flat_map(|chunk| match chunk {
            Chunk::Bytes(bytes) => bytes.clone(),
            Chunk::Range(range) => range.bytes().unwrap(),
        })
        .collect()
}
