//! The page at `/`: what the broker does now, for people.
//!
//! - `assets/`: the page itself, in the binary; it loads nothing from elsewhere.
//! - [`live`]: the figures, from the same registry as `/metrics`; [`charts`]: the last minutes, drawn.
//! - [`recorder`]: what both need of the past.

mod axis;
mod charts;
mod live;
mod point;
mod recorder;
mod span;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use mainstem_storage::Clock;

use self::live::Live;
use self::recorder::Recorder;
use super::Readiness;
use crate::caps::PAGE_CHART_WIDTH_MAX;
use crate::metrics::Metrics;
use crate::task::{OnFailure, Tasks};

/// Pixels below which a chart has no room for its figures.
const CHART_WIDTH_MIN: u32 = 160;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// What the page is made of.
#[derive(Clone)]
pub(super) struct Page {
    recorder: Recorder,
    clock: Arc<dyn Clock>,
    readiness: Readiness,
}

impl Page {
    /// Begins to record what the page shows.
    pub(super) fn start(
        metrics: Metrics,
        clock: Arc<dyn Clock>,
        readiness: Readiness,
        tasks: &Tasks,
    ) -> Self {
        let recorder = Recorder::new(metrics, Arc::clone(&clock));
        tasks.spawn("page", OnFailure::Log, recorder.clone().run(tasks.clone()));
        Self { recorder, clock, readiness }
    }

    /// The paths of the page.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/", asset(HTML, include_str!("assets/index.html")))
            .route("/page.css", asset(CSS, include_str!("assets/page.css")))
            .route("/page.js", asset(SCRIPT, include_str!("assets/page.js")))
            .route("/format.js", asset(SCRIPT, include_str!("assets/format.js")))
            .route("/icon.svg", asset(SVG, include_str!("assets/icon.svg")))
            .route("/live", get(show_live))
            .route("/live/charts/{width}", get(show_charts))
            .with_state(self)
    }
}

/// Asked for anew each time, so that a new broker's page is not an old one's.
fn asset(kind: &'static str, text: &'static str) -> axum::routing::MethodRouter<Page> {
    get(move || async move { ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text) })
}

/// On a thread that may block, as a scrape.
async fn show_live(State(page): State<Page>) -> Response {
    blocking(move || {
        let span = page.recorder.span();
        fresh(Json(Live::new(&span, &*page.clock, &page.readiness)))
    })
    .await
}

async fn show_charts(State(page): State<Page>, Path(width): Path<String>) -> Response {
    let fits = |width: &u32| (CHART_WIDTH_MIN..=PAGE_CHART_WIDTH_MAX).contains(width);
    match width.parse().ok().filter(fits) {
        Some(width) => blocking(move || fresh(Json(charts::charts(&page.recorder.points(), width)))).await,
        None => {
            let hint = format!(
                "a chart cannot be {width} pixels wide: try {CHART_WIDTH_MIN} to {PAGE_CHART_WIDTH_MAX}\n"
            );
            (StatusCode::BAD_REQUEST, hint).into_response()
        }
    }
}

fn fresh(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}

async fn blocking(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(panic) => super::routes::failed("figures", &panic),
    }
}
