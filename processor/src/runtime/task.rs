//! What a task's thread does: attempt after attempt, until its input ends, it is stopped, or there is no hope.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use mainstem_client::{Offset, TopicPartition, Transport};
use tokio::{runtime, sync::watch, time::sleep};
use tracing::{error, info, warn};

use super::{
    Job, TaskError, TaskState,
    attempt::{Attempt, End},
    global,
    handle::TaskHandle,
};
use crate::{TaskId, caps};

/// A task on its thread.
pub(super) struct Task {
    job: Arc<Job>,
    transport: Arc<dyn Transport>,
    id: TaskId,
    stop: watch::Receiver<bool>,
    state: watch::Sender<TaskState>,
    committed: watch::Sender<BTreeMap<TopicPartition, Offset>>,
    /// The global tables that must be there before it works.
    globals: Globals,
}

/// What the readers of global tables are doing.
type Globals = Vec<watch::Receiver<TaskState>>;

/// Starts a task's thread.
pub(super) fn start(
    job: Arc<Job>,
    transport: Arc<dyn Transport>,
    id: TaskId,
    globals: Globals,
) -> io::Result<TaskHandle> {
    let name = format!("{}-{id}", job.topology.name());
    let (mut task, handle) = Task::new(job, transport, id);
    task.globals = globals;
    std::thread::Builder::new().name(name).spawn(move || task.run())?;
    Ok(handle)
}

impl Task {
    pub(super) fn new(job: Arc<Job>, transport: Arc<dyn Transport>, id: TaskId) -> (Self, TaskHandle) {
        let (stop, stop_seen) = watch::channel(false);
        let (state_set, state) = watch::channel(TaskState::default());
        let (committed_set, committed) = watch::channel(BTreeMap::new());
        let inputs = job.inputs(id);
        let handle = TaskHandle { inputs, stop, state, committed };
        let (stop, state, committed) = (stop_seen, state_set, committed_set);
        let task = Self { job, transport, id, stop, state, committed, globals: Globals::new() };
        (task, handle)
    }

    fn run(self) {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let last = match runtime {
            Ok(runtime) => runtime.block_on(self.live()),
            Err(error) => TaskState::Failed(TaskError::Thread(error.to_string())),
        };
        match &last {
            TaskState::Failed(error) => {
                error!(processor = %self.job.topology.name(), task = %self.id, %error, "task failed");
            }
            _ => info!(processor = %self.job.topology.name(), task = %self.id, "task ended"),
        }
        self.tell(last);
    }

    /// Lets others know what it does now.
    fn tell(&self, state: TaskState) {
        self.job.settings.meter.task_state(self.id, &state);
        self.state.send_replace(state);
    }

    async fn live(&self) -> TaskState {
        let mut wait = caps::RESTART_BACKOFF;
        loop {
            self.tell(TaskState::Restoring);
            match self.attempt(&mut wait).await {
                Ok(End::Finished) => return TaskState::Finished,
                Ok(End::Stopped) => return TaskState::Stopped,
                Err(error) if !error.is_retriable() => return TaskState::Failed(error),
                Err(error) => {
                    warn!(processor = %self.job.topology.name(), task = %self.id, %error, "task starts again");
                    self.tell(TaskState::Waiting(error));
                }
            }
            if self.stopped_within(wait).await {
                return TaskState::Stopped;
            }
            wait = (wait * 2).min(caps::RESTART_BACKOFF_MAX);
        }
    }

    /// One attempt. What it commits shows that trouble is over: the next trouble is waited for as if it were the first.
    pub(super) async fn attempt(&self, wait: &mut Duration) -> Result<End, TaskError> {
        let mut stop = self.stop.clone();
        let attempt = tokio::select! {
            attempt = self.begin() => attempt?,
            () = stopped(&mut stop) => return Ok(End::Stopped),
        };
        self.tell(TaskState::Running);
        let commits = self.committed.subscribe();
        let end = attempt.run(stop).await;
        if commits.has_changed().unwrap_or(false) {
            *wait = caps::RESTART_BACKOFF;
        }
        end
    }

    /// Begins when the global tables are there.
    async fn begin(&self) -> Result<Attempt<'_>, TaskError> {
        for global in &self.globals {
            global::is_there(global.clone()).await;
        }
        Attempt::begin(&self.job, self.transport.as_ref(), self.id, &self.committed).await
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
