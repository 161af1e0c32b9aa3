//! What each path answers.

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Readiness;
use super::headers::secure;
use super::page::Page;
use crate::metrics::Metrics;

/// The text format that `prometheus` writes.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn router(metrics: Metrics, readiness: Readiness, page: Page) -> Router {
    Router::new()
        .merge(page.routes())
        .route("/metrics", get(show_metrics).with_state(metrics))
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready).with_state(readiness))
        .fallback(nothing_here)
        .method_not_allowed_fallback(only_get)
        .layer(map_response(secure))
}

/// On a thread that may block: counting what is known anyway takes a while with many partitions.
async fn show_metrics(State(metrics): State<Metrics>) -> Response {
    match tokio::task::spawn_blocking(move || metrics.render()).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], text).into_response(),
        Ok(Err(error)) => failed("metrics", &error),
        Err(panic) => failed("metrics", &panic),
    }
}

pub(super) fn failed(what: &str, error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "{what} could not be shown");
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{what} could not be shown: {error}\n")).into_response()
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    match readiness.why_not() {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

async fn nothing_here(uri: Uri) -> Response {
    let hint = "try /, /metrics, /health/live or /health/ready";
    (StatusCode::NOT_FOUND, format!("there is nothing at {}: {hint}\n", uri.path())).into_response()
}

/// The header `Allow` is there already.
async fn only_get(method: Method, uri: Uri) -> Response {
    let hint = format!("{} answers to GET and HEAD, not to {method}\n", uri.path());
    (StatusCode::METHOD_NOT_ALLOWED, hint).into_response()
}
