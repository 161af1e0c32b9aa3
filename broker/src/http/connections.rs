//! Connections of the HTTP port: so many at once, and none for ever.
//!
//! Descriptors are the log's and the Kafka listeners' first. A connection here therefore has a time for each request's
//! head, which runs while it is idle too, and a time for its life, which also ends those that do not read their answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::caps::{
    ACCEPT_REST, HTTP_BUFFER_BYTES_MAX, HTTP_CONNECTION_LIFE_MAX, HTTP_DRAIN_MAX, HTTP_HEAD_WAIT_MAX,
};
use crate::task::{Cancel, OnFailure, Tasks};

/// Accepts until the owner of the tasks is cancelled; what is above `connections_max` is closed at once.
pub(super) async fn serve(listener: TcpListener, router: Router, connections_max: usize, tasks: Tasks) {
    let mut cancel = tasks.cancel_token();
    tokio::select! {
        () = cancel.cancelled() => {}
        () = accept(listener, router, Arc::new(Semaphore::new(connections_max)), tasks) => {}
    }
}

async fn accept(listener: TcpListener, router: Router, places: Arc<Semaphore>, tasks: Tasks) {
    loop {
        match (listener.accept().await, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let (router, cancel) = (router.clone(), tasks.cancel_token());
                tasks.spawn("http connection", OnFailure::Log, async move {
                    answer(stream, router, cancel).await;
                    drop(place);
                });
            }
            (Ok((_, peer)), Err(_)) => debug!(%peer, "too many HTTP connections: one was closed"),
            (Err(error), _) => {
                warn!(%error, "HTTP connection was not accepted");
                sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// What has begun when its time is over, or when the broker stops, has a moment to come to its end.
async fn answer(stream: TcpStream, router: Router, mut cancel: Cancel) {
    let service = TowerToHyperService::new(router);
    let mut connection = std::pin::pin!(builder().serve_connection(TokioIo::new(stream), service));
    let moment: Duration = tokio::select! {
        _ = connection.as_mut() => return,
        () = sleep(HTTP_CONNECTION_LIFE_MAX) => HTTP_HEAD_WAIT_MAX,
        () = cancel.cancelled() => HTTP_DRAIN_MAX,
    };
    connection.as_mut().graceful_shutdown();
    // A peer that went or was too slow is no news.
    let _ = timeout(moment, connection).await;
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_HEAD_WAIT_MAX)
        .max_buf_size(HTTP_BUFFER_BYTES_MAX);
    builder
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{pause, resume};

    use super::*;

    /// More than a socket's buffers take.
    const HUGE: usize = 64 * 1024 * 1024;

    async fn start(connections_max: usize, tasks: &Tasks) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/small", get(|| async { "small" }))
            .route("/huge", get(|| async { vec![b'x'; HUGE] }));
        let serving = serve(listener, router, connections_max, tasks.clone());
        tasks.spawn("http", OnFailure::Log, serving);
        address
    }

    async fn connect(address: SocketAddr, said: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        stream
    }

    const SMALL: &str = "GET /small HTTP/1.1\r\nHost: here\r\n\r\n";

    /// Reads until an answer has come; the connection stays open.
    async fn assert_answered(stream: &mut TcpStream) {
        let mut answer = String::new();
        while !answer.ends_with("small") {
            let mut piece = [0; 256];
            let count = stream.read(&mut piece).await.unwrap();
            assert!(count > 0, "closed after {answer}");
            answer.push_str(std::str::from_utf8(&piece[..count]).unwrap());
        }
    }

    /// Closed, orderly or not, before so much of the clock's time is over.
    async fn assert_closes_within(stream: &mut TcpStream, time: Duration) {
        let read = timeout(time, stream.read_to_end(&mut Vec::new())).await;
        assert!(read.is_ok(), "still open after {time:?}");
    }

    #[tokio::test]
    async fn half_a_request_and_an_idle_connection_are_closed() {
        let tasks = Tasks::root("test");
        let address = start(8, &tasks).await;
        let time = 2 * HTTP_HEAD_WAIT_MAX;
        let mut silent = connect(address, "").await;
        let mut half = connect(address, "GET /small HTTP/1.1\r\nHost:").await;
        let mut idle = connect(address, SMALL).await;
        assert_answered(&mut idle).await;
        pause();
        for stream in [&mut silent, &mut half, &mut idle] {
            assert_closes_within(stream, time).await;
        }
    }

    #[tokio::test]
    async fn a_connection_that_does_not_read_its_answer_gives_its_place_back() {
        let tasks = Tasks::root("test");
        let address = start(1, &tasks).await;
        let mut stuck = connect(address, "GET /huge HTTP/1.1\r\nHost: here\r\n\r\n").await;
        stuck.read_exact(&mut [0]).await.unwrap();
        pause();
        sleep(HTTP_CONNECTION_LIFE_MAX + 2 * HTTP_HEAD_WAIT_MAX).await;
        resume();
        assert_answered(&mut connect(address, SMALL).await).await;
    }

    #[tokio::test]
    async fn a_connection_above_the_cap_is_closed_and_the_others_go_on() {
        let tasks = Tasks::root("test");
        let address = start(2, &tasks).await;
        let (mut one, mut two) = (connect(address, SMALL).await, connect(address, SMALL).await);
        assert_answered(&mut one).await;
        assert_answered(&mut two).await;
        let mut above = connect(address, "").await;
        assert_eq!(above.read(&mut [0]).await.unwrap(), 0);
        for stream in [&mut one, &mut two] {
            stream.write_all(SMALL.as_bytes()).await.unwrap();
            assert_answered(stream).await;
        }
    }

    #[tokio::test]
    async fn idle_connections_do_not_hold_up_the_end() {
        let tasks = Tasks::root("test");
        let address = start(2, &tasks).await;
        let mut idle = connect(address, SMALL).await;
        assert_answered(&mut idle).await;
        tasks.cancel();
        tasks.join().await;
        assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    }
}
