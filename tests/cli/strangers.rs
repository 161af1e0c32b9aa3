//! What commands say when something is at the other end that is no broker, or not theirs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::broker::{Broker, Folder};
use crate::process::{TALKING, run};

/// What is at the other end: the answer to each request, or nothing and the end.
type Answer = fn(&[u8]) -> Option<Vec<u8>>;

/// Somebody at a port, until the test is over.
fn stranger(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || converse(stream, answer));
        }
    });
    address
}

fn converse(mut stream: TcpStream, answer: Answer) {
    let mut request = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut request) {
        let Some(answer) = answer(&request[..length]) else { return };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// Every command ends by itself with exit code 1, and says what is wrong and what to try.
#[track_caller]
fn check(address: &str, wrong: &str, advice: &str) {
    // One of them may take seconds, and all of them at once take no longer.
    let (commands, at) = (TALKING.into_iter(), ["-b", address]);
    let errors: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> =
            commands.map(|args| scope.spawn(move || (args, run(&[args, &at].concat())))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for (args, said) in errors {
        let err = said.failed(1);
        assert!(err.contains(wrong) && err.contains(advice), "{args:?}: {err}");
    }
}

#[test]
fn a_web_server_is_no_broker() {
    let address = stranger(|_| Some(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec()));
    check(&address, "it answers like a web server", "name another with -b");
}

#[test]
fn garbage_is_told() {
    let address = stranger(|_| Some([&[0, 0, 0, 32][..], &[0xff; 32]].concat()));
    check(&address, "its answer is no Kafka response", "name another with -b");
}

#[test]
fn who_hangs_up_at_once_is_told() {
    check(&stranger(|_| None), "closed before the first answer", "2.1 or newer, without TLS");
}

#[test]
fn who_says_nothing_is_waited_for_no_longer_than_seconds() {
    check(&stranger(|_| Some(Vec::new())), "no broker answered within 5000 ms", "name another with -b");
}

#[test]
fn a_broker_of_another_version_is_told() {
    // Its answer to ApiVersions, in the oldest version: it knows that request alone.
    let address = stranger(|request| {
        let id = request.get(8..12)?;
        let is_oldest = request.get(6..8)? == [0, 0];
        let code = if is_oldest { [0, 0] } else { [0, 35] };
        Some([&[0, 0, 0, 16][..], id, &code, &[0, 0, 0, 1, 0, 18, 0, 0, 0, 0]].concat())
    });
    check(&address, "does not support Metadata in a version that this client speaks", "too old or too new");
}

#[test]
fn a_broker_that_names_an_address_where_nobody_is_is_told() {
    let folder = Folder::new();
    let advertised = ["--set", "advertised.listeners=PLAINTEXT://127.0.0.1:1"];
    let broker = Broker::start(&folder.path("data"), &advertised);
    let advice = format!("the broker at {} names that address to its clients", broker.kafka);
    check(&broker.kafka, "cannot connect to 127.0.0.1:1", &advice);
}
