//! A connection that sends what it is told, right or wrong, and tells what comes back.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    ApiKey, CorrelationId,
    header::{RequestHeader, decode_response, encode_request, peek_response},
    messages::{ApiVersionsRequest, ProduceRequest, RequestBody, ResponseBody},
    wire::Chunk,
};

/// How long an answer may take; only where none comes does anything wait so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Answer(Box<ResponseBody>),
    /// None was wanted, and the connection lives.
    Silence,
    Closed,
    /// No answer within the time, or none that can be read.
    Wrong(String),
}

/// How the bytes of a request are spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoilt {
    /// The header says another version.
    Version(i16),
    /// So many bytes are missing at the end; the frame's size is right.
    Short(usize),
    /// So many bytes stand behind the request.
    Long(usize),
    /// The four bytes at this place behind the header are another number.
    Number { at: usize, value: i32 },
    /// The frame says that it has this size.
    Size(i32),
}

pub(crate) struct Socket {
    stream: TcpStream,
    sent: i32,
}

impl Socket {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_nodelay(true).expect("a socket has options");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has options");
        Self { stream, sent: 0 }
    }

    /// Sends a request. Errors show when the answer is awaited.
    pub(crate) fn send(&mut self, version: i16, body: &RequestBody, spoilt: Option<Spoilt>) {
        self.sent += 1;
        let _ = self.stream.write_all(&frame(self.sent, version, body, spoilt));
    }

    /// What becomes of the request that was sent.
    pub(crate) fn outcome(&mut self, key: ApiKey, version: i16, body: &RequestBody) -> Outcome {
        if matches!(body, RequestBody::Produce(ProduceRequest { acks: 0, .. })) {
            return self.silence();
        }
        self.receive(key, version)
    }

    /// A request behind the one without an answer shows whether the connection lives.
    fn silence(&mut self) -> Outcome {
        self.send(0, &ApiVersionsRequest::default().into(), None);
        match self.receive(ApiKey::ApiVersions, 0) {
            Outcome::Answer(_) => Outcome::Silence,
            other => other,
        }
    }

    fn receive(&mut self, key: ApiKey, version: i16) -> Outcome {
        match self.read_frame() {
            Ok(frame) => decode(frame, key, version),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Outcome::Wrong("no answer".to_owned()),
                _ => Outcome::Closed,
            },
        }
    }

    fn read_frame(&mut self) -> io::Result<Bytes> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }
}

fn decode(frame: Bytes, key: ApiKey, version: i16) -> Outcome {
    let read = peek_response(frame).and_then(|(_, rest)| {
        // Too new a version of ApiVersions is answered in version 0 (KIP-511).
        decode_response(key, version, rest.clone()).or_else(|error| match key {
            ApiKey::ApiVersions => decode_response(key, 0, rest),
            _ => Err(error),
        })
    });
    match read {
        Ok(body) => Outcome::Answer(Box::new(body)),
        Err(error) => Outcome::Wrong(format!("unreadable answer: {error}")),
    }
}

fn frame(correlation_id: i32, version: i16, body: &RequestBody, spoilt: Option<Spoilt>) -> Bytes {
    let key = body.key() as i16;
    let correlation_id = CorrelationId(correlation_id);
    let header = RequestHeader { key, version, correlation_id, client_id: Some("differential".into()) };
    let chunks = encode_request(&header, body).unwrap_or_else(|error| panic!("{error}: v{version} {body:?}"));
    let mut frame = BytesMut::new();
    for chunk in chunks {
        let Chunk::Bytes(bytes) = chunk else { unreachable!("requests are in memory") };
        frame.extend_from_slice(&bytes);
    }
    if let Some(spoilt) = spoilt {
        spoil(&mut frame, spoilt);
    }
    frame.freeze()
}

/// Size, key, version, correlation id, client id.
const BODY: usize = 4 + 2 + 2 + 4 + 2 + "differential".len();

fn spoil(frame: &mut BytesMut, spoilt: Spoilt) {
    match spoilt {
        Spoilt::Version(version) => frame[6..8].copy_from_slice(&version.to_be_bytes()),
        Spoilt::Short(bytes) => frame.truncate(frame.len().saturating_sub(bytes).max(BODY)),
        Spoilt::Long(bytes) => frame.resize(frame.len() + bytes, 0),
        Spoilt::Number { at, value } => {
            if let Some(number) = frame.get_mut(BODY + at..BODY + at + 4) {
                number.copy_from_slice(&value.to_be_bytes());
            }
        }
        Spoilt::Size(_) => {}
    }
    let size = if let Spoilt::Size(size) = spoilt { size } else { frame.len() as i32 - 4 };
    frame[..4].copy_from_slice(&size.to_be_bytes());
}
