//! Opens a socket to a broker, wherever its name leads.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};

/// A connection to whoever answers at `HOST:PORT`. A name may have several addresses, of which some lead nowhere: each
/// is given its share of the time (Kafka: `client.dns.lookup=use_all_dns_ips`).
pub(super) async fn dial(address: &str, limit: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<_> = lookup_host(address).await?.collect();
    dial_any(&addresses, limit).await
}

async fn dial_any(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(share, connect(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = too_slow(*address, share),
        }
    }
    Err(last)
}

fn too_slow(address: SocketAddr, share: Duration) -> io::Error {
    let reason = format!("{address} did not answer within {} ms", share.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, reason)
}

/// Small requests leave at once, and the system notices a peer that has gone without a word, as Kafka's clients have it
/// (`Selector.configureSocketChannel`).
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_keepalive(true)?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn an_address_where_nobody_is_leads_to_the_next_one() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let stream = dial_any(&[gone, here], SOON).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), here);
        let error = dial_any(&[gone], SOON).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(dial_any(&[], SOON).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn connections_do_not_wait_for_more_to_send() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = dial(&listener.local_addr().unwrap().to_string(), SOON).await.unwrap();
        assert!(stream.nodelay().unwrap());
    }
}
