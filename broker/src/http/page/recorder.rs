//! What the page needs of the past: the last seconds whole, for rates, and a line a second for the charts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstem_storage::Clock;
use tokio::time::MissedTickBehavior;

use super::point::Point;
use super::span::{Moment, Span};
use crate::caps::{PAGE_HISTORY_SECONDS, PAGE_RATE_SECONDS};
use crate::metrics::Metrics;
use crate::task::Tasks;

/// How often a sample is taken.
const EVERY: Duration = Duration::from_secs(1);

/// Takes a sample a second. Clones are the same.
#[derive(Clone)]
pub(super) struct Recorder {
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    past: Arc<Mutex<Past>>,
}

#[derive(Debug, Default)]
struct Past {
    /// The oldest is first.
    moments: VecDeque<Arc<Moment>>,
    /// The oldest is first.
    points: VecDeque<Point>,
}

impl Recorder {
    pub(super) fn new(metrics: Metrics, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, clock, past: Arc::default() }
    }

    /// Takes samples until `tasks` are cancelled.
    pub(super) async fn run(self, tasks: Tasks) {
        let mut cancel = tasks.cancel_token();
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let recorder = self.clone();
            // It reads /proc. A panic there costs a point, and is told of by whoever scrapes next.
            let _ = tokio::task::spawn_blocking(move || recorder.record()).await;
        }
    }

    /// Records this moment. What is known anyway is asked for when somebody looks, not every second.
    pub(super) fn record(&self) {
        let moment = Arc::new(Moment { at: self.clock.monotonic(), sample: self.metrics.sample_counted() });
        let mut past = self.past();
        if let Some(before) = past.moments.back().cloned() {
            let point = Point::of(&Span { before, now: Arc::clone(&moment) });
            push(&mut past.points, point, PAGE_HISTORY_SECONDS);
        }
        push(&mut past.moments, moment, PAGE_RATE_SECONDS);
    }

    /// From some seconds ago to now. Blocks as a scrape does.
    pub(super) fn span(&self) -> Span {
        let sample = self.metrics.sample();
        let now = Arc::new(Moment { at: self.clock.monotonic(), sample });
        let before = self.past().moments.front().cloned();
        Span { before: before.unwrap_or_else(|| Arc::clone(&now)), now }
    }

    /// The history of the charts; the oldest is first.
    pub(super) fn points(&self) -> Vec<Point> {
        self.past().points.iter().copied().collect()
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    queue.push_back(item);
    queue.drain(..queue.len().saturating_sub(most));
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::Timestamp;
    use mainstem_storage::ManualClock;

    use super::*;

    fn recorder() -> (Recorder, Metrics, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let metrics = Metrics::new(&*clock);
        (Recorder::new(metrics.clone(), Arc::clone(&clock) as Arc<dyn Clock>), metrics, clock)
    }

    #[test]
    fn a_point_is_the_rate_since_the_last_second() {
        let (recorder, metrics, clock) = recorder();
        recorder.record();
        metrics.topics.of("a").produced(500, 2000);
        clock.advance(Duration::from_secs(2));
        recorder.record();
        let points = recorder.points();
        assert_eq!(points.len(), 1);
        assert_eq!(points[0].records_in, 250.0);
        assert_eq!(points[0].bytes_in, 1000.0);
    }

    #[test]
    fn history_is_bounded() {
        let (recorder, _, clock) = recorder();
        (0..PAGE_HISTORY_SECONDS + 10).for_each(|_| {
            clock.advance(EVERY);
            recorder.record();
        });
        assert_eq!(recorder.points().len(), PAGE_HISTORY_SECONDS);
        assert_eq!(recorder.past().moments.len(), PAGE_RATE_SECONDS);
    }

    #[test]
    fn rates_are_taken_over_the_last_seconds() {
        let (recorder, _, clock) = recorder();
        (0..20).for_each(|_| {
            clock.advance(EVERY);
            recorder.record();
        });
        clock.advance(EVERY);
        assert_eq!(recorder.span().seconds(), PAGE_RATE_SECONDS as f64);
    }
}
