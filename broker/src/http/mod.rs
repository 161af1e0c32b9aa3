//! The HTTP port: a page for people at `/`, `/metrics` for Prometheus, `/health/live` and `/health/ready` for whoever
//! runs the broker.
//!
//! It opens before recovery, so that a long recovery can be watched, and says "not ready" until the listeners accept.

mod connections;
mod headers;
mod page;
mod readiness;
mod routes;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mainstem_storage::Clock;
use tokio::net::TcpListener;

use crate::caps::HTTP_CONNECTIONS_MAX;
use crate::config::HostPort;
use crate::metrics::Metrics;
use crate::task::{OnFailure, Tasks};

use page::Page;
pub use readiness::Readiness;

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for HTTP: {source}")]
pub struct BindError {
    /// As it was configured.
    pub address: HostPort,
    /// What the system says.
    pub source: io::Error,
}

/// The HTTP port; it serves until its tasks are cancelled.
#[derive(Debug)]
pub struct Http {
    address: SocketAddr,
    readiness: Readiness,
}

impl Http {
    /// Binds and serves, not ready yet.
    ///
    /// # Errors
    /// The address is unknown, taken or forbidden.
    pub async fn start(
        address: &HostPort,
        metrics: Metrics,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Result<Self, BindError> {
        let failed = |source| BindError { address: address.clone(), source };
        let listener = TcpListener::bind((address.host.as_str(), address.port)).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let readiness = Readiness::default();
        let page = Page::start(metrics.clone(), clock, readiness.clone(), tasks);
        let router = routes::router(metrics, readiness.clone(), page);
        let serving = connections::serve(listener, router, HTTP_CONNECTIONS_MAX, tasks.clone());
        tasks.spawn("http", OnFailure::Log, serving);
        Ok(Self { address: bound, readiness })
    }

    /// Where it is bound; the port is the one picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `/health/ready` says.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::Timestamp;
    use mainstem_storage::ManualClock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn start(tasks: &Tasks) -> Http {
        let anywhere = HostPort { host: "127.0.0.1".to_owned(), port: 0 };
        start_at(&anywhere, tasks).await.unwrap()
    }

    async fn start_at(address: &HostPort, tasks: &Tasks) -> Result<Http, BindError> {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        Http::start(address, Metrics::new(&*clock), clock, tasks).await
    }

    async fn get(http: &Http, path: &str) -> String {
        ask(http, "GET", path).await
    }

    async fn ask(http: &Http, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(http.address()).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn assert_answers(answer: &str, status: &str, body: &str) {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains(body), "{answer}");
    }

    #[tokio::test]
    async fn ready_follows_the_broker() {
        let tasks = Tasks::root("test");
        let http = start(&tasks).await;
        assert_answers(&get(&http, "/health/ready").await, "503", "not ready: recovering");
        http.readiness().ready(|| None);
        assert_answers(&get(&http, "/health/ready").await, "200", "ready");
        http.readiness().not_ready("stopping");
        assert_answers(&get(&http, "/health/ready").await, "503", "not ready: stopping");
    }

    #[tokio::test]
    async fn live_is_always_true_while_it_answers() {
        let tasks = Tasks::root("test");
        assert_answers(&get(&start(&tasks).await, "/health/live").await, "200", "live");
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text() {
        let tasks = Tasks::root("test");
        let answer = get(&start(&tasks).await, "/metrics").await;
        assert_answers(&answer, "200", "text/plain; version=0.0.4");
        assert_answers(&answer, "200", "# TYPE mainstem_connections gauge");
    }

    #[tokio::test]
    async fn an_unknown_path_names_the_known_ones() {
        let tasks = Tasks::root("test");
        let answer = get(&start(&tasks).await, "/metricss").await;
        assert_answers(
            &answer,
            "404",
            "there is nothing at /metricss: try /, /metrics, /health/live or /health/ready",
        );
    }

    #[tokio::test]
    async fn the_page_and_all_that_it_names_are_in_the_binary() {
        let tasks = Tasks::root("test");
        let http = start(&tasks).await;
        let page = get(&http, "/").await;
        assert_answers(&page, "200", "content-type: text/html; charset=utf-8");
        for (path, kind) in [
            ("/page.css", "text/css"),
            ("/page.js", "text/javascript"),
            ("/icon.svg", "image/svg+xml"),
            ("/format.js", "text/javascript"),
        ] {
            assert_answers(&get(&http, path).await, "200", &format!("content-type: {kind}"));
            assert!(path == "/format.js" || page.contains(path), "{path}");
        }
        assert!(!page.contains("://"), "the page names another host");
    }

    #[tokio::test]
    async fn every_answer_keeps_browsers_from_going_elsewhere() {
        let tasks = Tasks::root("test");
        let http = start(&tasks).await;
        for path in ["/", "/live", "/metrics", "/health/ready", "/nowhere"] {
            let answer = get(&http, path).await;
            assert!(answer.contains("content-security-policy: default-src 'self'; "), "{answer}");
            assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
        }
    }

    #[tokio::test]
    async fn live_figures_and_charts_are_json() {
        let tasks = Tasks::root("test");
        let http = start(&tasks).await;
        assert_answers(&get(&http, "/live").await, "200", "\"not_ready\":\"recovering\"");
        assert_answers(&get(&http, "/live/charts/320").await, "200", "\"title\":\"Journal sync\"");
        assert_answers(&get(&http, "/live/charts/320").await, "200", "cache-control: no-store");
    }

    #[tokio::test]
    async fn a_chart_without_a_sensible_width_is_refused() {
        let tasks = Tasks::root("test");
        let http = start(&tasks).await;
        for width in ["0", "100000", "-1", "wide"] {
            let answer = get(&http, &format!("/live/charts/{width}")).await;
            let why = format!("a chart cannot be {width} pixels wide: try 160 to 2000");
            assert_answers(&answer, "400", &why);
        }
    }

    #[tokio::test]
    async fn head_has_no_body_and_other_methods_are_told_what_there_is() {
        let tasks = Tasks::root("test");
        let http = start(&tasks).await;
        let answer = ask(&http, "HEAD", "/").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
        let answer = ask(&http, "POST", "/metrics").await;
        assert_answers(&answer, "405", "allow: GET,HEAD");
        assert_answers(&answer, "405", "/metrics answers to GET and HEAD, not to POST");
    }

    #[tokio::test]
    async fn a_taken_port_is_refused_with_its_address() {
        let tasks = Tasks::root("test");
        let http = start(&tasks).await;
        let taken = HostPort { host: "127.0.0.1".to_owned(), port: http.address().port() };
        let error = start_at(&taken, &tasks).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot listen on {taken} for HTTP: ")));
    }

    #[tokio::test]
    async fn cancelled_tasks_end_it() {
        let tasks = Tasks::root("test");
        let http = start(&tasks).await;
        tasks.cancel();
        tasks.join().await;
        assert!(TcpStream::connect(http.address()).await.is_err());
    }
}
