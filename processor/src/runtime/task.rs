//! What a task's thread does: attempt after attempt, until its input ends, it is stopped, or there is no hope.

use std::{io, sync::Arc, time::Duration};

use mainstem_client::Transport;
use tokio::{runtime, sync::watch, time::sleep};
use tracing::{error, info, warn};

use super::{
    TaskError, TaskState,
    attempt::{Attempt, End},
    handle::TaskHandle,
};
use crate::{ProcessorSpec, caps};

/// A task on its thread.
struct Task {
    spec: Arc<ProcessorSpec>,
    transport: Arc<dyn Transport>,
    partition: i32,
    stop: watch::Receiver<bool>,
    state: watch::Sender<TaskState>,
}

/// Starts a task's thread.
pub(super) fn start(
    spec: Arc<ProcessorSpec>,
    transport: Arc<dyn Transport>,
    partition: i32,
) -> io::Result<TaskHandle> {
    let (stop, stop_seen) = watch::channel(false);
    let (state_set, state) = watch::channel(TaskState::default());
    let name = format!("{}-{partition}", spec.name);
    let task = Task { spec, transport, partition, stop: stop_seen, state: state_set };
    std::thread::Builder::new().name(name).spawn(move || task.run())?;
    Ok(TaskHandle { stop, state })
}

impl Task {
    fn run(self) {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let last = match runtime {
            Ok(runtime) => runtime.block_on(self.live()),
            Err(error) => TaskState::Failed(TaskError::Thread(error.to_string())),
        };
        match &last {
            TaskState::Failed(error) => {
                error!(processor = %self.spec.name, task = self.partition, %error, "task failed");
            }
            _ => info!(processor = %self.spec.name, task = self.partition, "task ended"),
        }
        self.state.send_replace(last);
    }

    async fn live(&self) -> TaskState {
        let mut wait = caps::RESTART_BACKOFF;
        loop {
            self.state.send_replace(TaskState::Restoring);
            match self.attempt().await {
                Ok(End::Finished) => return TaskState::Finished,
                Ok(End::Stopped) => return TaskState::Stopped,
                Err(error) if !error.is_retriable() => return TaskState::Failed(error),
                Err(error) => {
                    warn!(processor = %self.spec.name, task = self.partition, %error, "task starts again");
                    self.state.send_replace(TaskState::Waiting(error));
                }
            }
            if self.stopped_within(wait).await {
                return TaskState::Stopped;
            }
            wait = (wait * 2).min(caps::RESTART_BACKOFF_MAX);
        }
    }

    async fn attempt(&self) -> Result<End, TaskError> {
        let mut stop = self.stop.clone();
        let attempt = tokio::select! {
            attempt = Attempt::begin(&self.spec, self.transport.as_ref(), self.partition) => attempt?,
            () = stopped(&mut stop) => return Ok(End::Stopped),
        };
        self.state.send_replace(TaskState::Running);
        attempt.run(stop).await
    }

    async fn stopped_within(&self, wait: Duration) -> bool {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = stopped(&mut stop) => true,
            () = sleep(wait) => false,
        }
    }
}

/// Waits until the task is told to stop, or nobody is left to tell it anything.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
