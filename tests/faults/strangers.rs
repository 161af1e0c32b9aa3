//! Many peers that begin requests and do not end them: memory has a bound, and good clients are answered.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use mainstem_protocol::messages::{ApiVersionsRequest, ResponseBody};

use crate::{
    process::{Broker, fresh_directory},
    wire::Connection,
};

/// What a stranger announces: the largest request that is allowed.
const ANNOUNCED: i32 = 100 << 20;

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

fn is_answered(address: SocketAddr) {
    let response = Connection::open(address).call(ApiVersionsRequest::default());
    assert!(matches!(response, ResponseBody::ApiVersions(_)));
}

#[test]
fn a_thousand_announcements_take_no_memory() {
    let broker = Broker::start(&fresh_directory("announcements"), &[]);
    is_answered(broker.address);
    let before = broker.resident_kib();
    let strangers: Vec<_> = (0..1000)
        .map(|_| {
            let mut stranger = connect(broker.address);
            stranger.write_all(&ANNOUNCED.to_be_bytes()).unwrap();
            stranger
        })
        .collect();
    is_answered(broker.address);
    let grown = broker.resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB for {} connections", strangers.len());
    drop(strangers);
    is_answered(broker.address);
    broker.stop();
}

#[test]
fn halves_of_large_requests_have_a_bound_and_keep_nobody_else_waiting() {
    let broker = Broker::start(&fresh_directory("halves"), &[]);
    is_answered(broker.address);
    let before = broker.resident_kib();
    // Three times as much as may be half received, if the broker took it.
    let strangers: Vec<_> = (0..60).map(|_| half_a_request(broker.address)).collect();
    let sent: usize = strangers.iter().map(|(_, sent)| sent).sum();
    is_answered(broker.address);
    let grown = broker.resident_kib().saturating_sub(before);
    assert!(sent > 256 << 20, "the strangers sent {sent} bytes");
    // What may be half received, one request beyond it, and what a connection takes by itself.
    assert!(grown < (256 + 100 + 64) * 1024, "{grown} KiB when {sent} bytes were sent");
    drop(strangers);
    is_answered(broker.address);
    broker.stop();
}

/// Sends as much of 13 MiB as is taken, of a request that is announced as larger.
fn half_a_request(address: SocketAddr) -> (TcpStream, usize) {
    let mut stranger = connect(address);
    stranger.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    stranger.write_all(&ANNOUNCED.to_be_bytes()).unwrap();
    let (part, mut sent) = (vec![0x55; 64 * 1024], 0);
    while sent < 13 << 20 {
        match stranger.write(&part) {
            Ok(taken @ 1..) => sent += taken,
            _ => break,
        }
    }
    (stranger, sent)
}
