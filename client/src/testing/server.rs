//! The fake broker on a loopback socket.

use std::{io, ops::RangeInclusive};

use bytes::{Bytes, BytesMut};
use mainstem_protocol::{
    ApiKey, BrokerId, ErrorCode,
    header::{RequestHeader, encode_response},
    messages::{ApiVersionsResponse, RequestBody, ResponseBody, api_versions::ApiVersion},
    wire::Chunk,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::broadcast,
};

use super::{FakeBroker, Mishap, NODE};
use crate::task;

/// A broker that is being served. It stops listening when this is dropped; connections stay until
/// [`Served::disconnect_all`] or their own end.
#[derive(Debug)]
pub struct Served {
    /// `HOST:PORT`, to connect to.
    pub address: String,
    hang_up: broadcast::Sender<()>,
    listener: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Ends every connection there is.
    pub fn disconnect_all(&self) {
        let _ = self.hang_up.send(());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Serves a broker on a free port. `api_versions_max` is the newest version of ApiVersions that it knows;
/// -1 where it knows none that clients know.
///
/// # Errors
/// Where no port can be had.
pub async fn serve(broker: &FakeBroker, api_versions_max: i16) -> io::Result<Served> {
    serve_node(broker, NODE, api_versions_max).await
}

/// The same, as one of several nodes.
pub(super) async fn serve_node(
    broker: &FakeBroker,
    node: BrokerId,
    api_versions_max: i16,
) -> io::Result<Served> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    broker.state().nodes.put(node, address.ip().to_string(), address.port());
    let (hang_up, _) = broadcast::channel(1);
    let host = Host { broker: broker.clone(), node, api_versions_max };
    let accept = accept(listener, host, hang_up.clone());
    Ok(Served { address: address.to_string(), hang_up, listener: task::spawn("fake broker", accept) })
}

/// A node, as its connections know it.
#[derive(Clone)]
struct Host {
    broker: FakeBroker,
    node: BrokerId,
    api_versions_max: i16,
}

async fn accept(listener: TcpListener, host: Host, hang_up: broadcast::Sender<()>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (connection, mut end) = (connection(stream, host.clone()), hang_up.subscribe());
        task::spawn("fake connection", async move {
            tokio::select! {
                _ = connection => {}
                _ = end.recv() => {}
            }
        });
    }
}

/// Requests are worked through one after the other: what waits holds up what follows.
async fn connection(stream: TcpStream, host: Host) -> io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    loop {
        let size = reader.read_i32().await?;
        let mut frame = BytesMut::zeroed(usize::try_from(size).map_err(io::Error::other)?);
        reader.read_exact(&mut frame).await?;
        let (header, rest) = RequestHeader::peek(frame.freeze()).map_err(io::Error::other)?;
        host.answer(&header, rest, &mut writer).await?;
    }
}

impl Host {
    async fn answer(
        &self,
        header: &RequestHeader,
        rest: Bytes,
        writer: &mut OwnedWriteHalf,
    ) -> io::Result<()> {
        let key = ApiKey::ALL.iter().copied().find(|key| *key as i16 == header.key);
        let mishap = key.and_then(|key| self.broker.next_mishap(key));
        if header.key == ApiKey::ApiVersions as i16 {
            let (version, response) = api_versions(&self.broker, header.version, self.api_versions_max);
            return write(writer, header, version, &response.into(), mishap).await;
        }
        let request = header.body(rest).map_err(io::Error::other)?;
        if mishap == Some(Mishap::CloseBefore) {
            return Err(io::Error::other("the test wants it so"));
        }
        let silent = matches!(&request, RequestBody::Produce(produce) if produce.acks == 0);
        let answered = self.broker.answer_at(self.node, header.version, request).await;
        let response = answered.map_err(io::Error::other)?;
        if silent { Ok(()) } else { write(writer, header, header.version, &response, mishap).await }
    }
}

fn api_versions(broker: &FakeBroker, asked: i16, newest: i16) -> (i16, ApiVersionsResponse) {
    let range = |key: ApiKey, versions: RangeInclusive<i16>| ApiVersion {
        api_key: key as i16,
        min_version: *versions.start(),
        max_version: *versions.end(),
    };
    if asked > newest {
        let api_keys = vec![range(ApiKey::ApiVersions, 0..=newest)];
        let error_code = ErrorCode::UNSUPPORTED_VERSION;
        return (0, ApiVersionsResponse { error_code, api_keys, ..ApiVersionsResponse::default() });
    }
    let offered = |key: &ApiKey| {
        Some(range(*key, broker.offered(*key))).filter(|range| range.min_version <= range.max_version)
    };
    let api_keys = ApiKey::ALL.iter().filter_map(offered).collect();
    let finalized_features = broker.finalized_features();
    (asked, ApiVersionsResponse { api_keys, finalized_features, ..ApiVersionsResponse::default() })
}

async fn write(
    writer: &mut OwnedWriteHalf,
    header: &RequestHeader,
    version: i16,
    response: &ResponseBody,
    mishap: Option<Mishap>,
) -> io::Result<()> {
    let chunks = encode_response(header.correlation_id, version, response).map_err(io::Error::other)?;
    let mut frame = BytesMut::new();
    for chunk in chunks {
        if let Chunk::Bytes(bytes) = chunk {
            frame.extend_from_slice(&bytes);
        }
    }
    match mishap {
        None => writer.write_all(&frame).await,
        Some(mishap) => mishap.write(writer, frame).await,
    }
}
