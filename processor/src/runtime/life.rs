//! What tasks and the readers of global tables have in common: attempt after attempt, until their input ends, they are
//! stopped, or there is no hope.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use mainstem_client::{Offset, TopicPartition, Transport};
use tokio::{sync::watch, time::sleep};
use tracing::{error, info, warn};

use super::{Job, TaskError, TaskState, handle::TaskHandle};
use crate::{OnFailure, TaskId, caps, work};

/// Why an attempt has ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The inputs have ended.
    Finished,
    /// Somebody has said so.
    Stopped,
}

/// What is attempted on a thread.
pub(super) trait Attempts: Send + 'static {
    fn life(&self) -> &Life;

    /// One attempt. `wait` is how long the next one is waited for should this one fail; progress makes it short again.
    fn attempt(&self, wait: &mut Duration) -> impl Future<Output = Result<End, TaskError>>;
}

/// What one of them is told, and what it tells.
pub(super) struct Life {
    pub(super) job: Arc<Job>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) id: TaskId,
    pub(super) stop: watch::Receiver<bool>,
    state: watch::Sender<TaskState>,
    /// How far the inputs are done with.
    pub(super) reached: watch::Sender<BTreeMap<TopicPartition, Offset>>,
}

/// A whole life, on a thread that others share.
pub(super) async fn live(attempts: impl Attempts) {
    let last = last_state(&attempts).await;
    attempts.life().end(last);
}

/// Attempt after attempt; returns the last state.
async fn last_state(attempts: &impl Attempts) -> TaskState {
    let (life, mut wait) = (attempts.life(), caps::RESTART_BACKOFF);
    loop {
        life.tell(TaskState::Restoring);
        match guarded(attempts.attempt(&mut wait)).await {
            Ok(End::Finished) => return TaskState::Finished,
            Ok(End::Stopped) => return TaskState::Stopped,
            Err(error) if life.gives_up(&error) => return TaskState::Failed(error),
            Err(error) => {
                warn!(processor = %life.job.topology.name(), task = %life.id, %error, "task starts again");
                life.tell(TaskState::Waiting(error));
            }
        }
        if life.stopped_within(wait).await {
            return TaskState::Stopped;
        }
        wait = (wait * 2).min(caps::RESTART_BACKOFF_MAX);
    }
}

/// What comes of an attempt. Where something else than a node panics, such as a meter, that is the end of this attempt,
/// and not of those that share its thread.
async fn guarded(attempt: impl Future<Output = Result<End, TaskError>>) -> Result<End, TaskError> {
    let mut attempt = pin!(attempt);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(TaskError::Panic(work::message(panic.as_ref())))))
    })
    .await
}

impl Life {
    pub(super) fn new(job: Arc<Job>, transport: Arc<dyn Transport>, id: TaskId) -> (Self, TaskHandle) {
        let (state_set, state) = watch::channel(TaskState::default());
        let (reached, committed) = watch::channel(BTreeMap::new());
        let handle = TaskHandle { inputs: job.inputs(id), state, committed };
        let stop = job.stop.subscribe();
        (Self { job, transport, id, stop, state: state_set, reached }, handle)
    }

    /// Lets others know what is done now.
    pub(super) fn tell(&self, state: TaskState) {
        self.job.settings.meter.task_state(self.id, &state);
        self.state.send_replace(state);
    }

    /// Lets others know what was done last.
    pub(super) fn end(&self, last: TaskState) {
        let (processor, task) = (self.job.topology.name(), self.id);
        match &last {
            TaskState::Failed(error) => {
                error!(%processor, %task, %error, on_failure = ?self.job.settings.on_failure, "task failed");
                self.fail();
            }
            _ => info!(%processor, %task, "task ended"),
        }
        self.tell(last);
    }

    /// Whether an error is the end.
    fn gives_up(&self, error: &TaskError) -> bool {
        !error.is_retriable() && self.job.settings.on_failure != OnFailure::TryAgain
    }

    /// What follows for the others.
    fn fail(&self) {
        if self.job.settings.on_failure == OnFailure::StopProcessor {
            self.job.stop.send_replace(true);
        }
    }

    async fn stopped_within(&self, wait: Duration) -> bool {
        tokio::select! {
            () = self.stopped() => true,
            () = sleep(wait) => false,
        }
    }

    /// Waits until somebody says to stop.
    pub(super) async fn stopped(&self) {
        stopped(&mut self.stop.clone()).await;
    }
}

/// Waits until somebody says to stop.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The job, which whoever waits here holds, has the other end.
    let _ = stop.wait_for(|stop| *stop).await;
}
