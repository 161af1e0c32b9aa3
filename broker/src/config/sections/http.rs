//! Settings of `http`.

use crate::config::{HostPort, Shape, setting::settings};

settings! {
    /// The port for metrics and health checks.
    pub struct HttpSettings at http, "HTTP" {
        /// Where `/metrics`, `/health/live` and `/health/ready` are served. Port 0 picks one.
        listener: HostPort = HostPort { host: "127.0.0.1".to_owned(), port: 8080 }, "http.listener", Shape::word();
    }
}
