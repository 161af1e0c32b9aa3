//! What each path answers.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Readiness;
use crate::metrics::Metrics;

/// The text format that `prometheus` writes.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn router(metrics: Metrics, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(show_metrics).with_state(metrics))
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready).with_state(readiness))
        .fallback(nothing_here)
}

/// On a thread that may block: counting what is known anyway takes a while with many partitions.
async fn show_metrics(State(metrics): State<Metrics>) -> Response {
    match tokio::task::spawn_blocking(move || metrics.render()).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], text).into_response(),
        Ok(Err(error)) => failed(&error),
        Err(panic) => failed(&panic),
    }
}

fn failed(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "metrics could not be shown");
    (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics could not be shown: {error}\n")).into_response()
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    match readiness.why_not() {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

async fn nothing_here(uri: Uri) -> Response {
    let hint = "try /metrics, /health/live or /health/ready";
    (StatusCode::NOT_FOUND, format!("there is nothing at {}: {hint}\n", uri.path())).into_response()
}
