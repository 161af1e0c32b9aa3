//! What a task does: it waits for the global tables, and works.

use std::{sync::Arc, time::Duration};

use mainstem_client::Transport;
use tokio::sync::watch;

use super::{
    Job, TaskError, TaskState,
    attempt::Attempt,
    global,
    handle::TaskHandle,
    life::{Attempts, End, Life},
};
use crate::{TaskId, caps};

/// A task, on a thread that others share.
pub(super) struct Task {
    life: Life,
    /// The global tables that must be there before it works.
    globals: Globals,
}

/// What the readers of global tables are doing.
pub(super) type Globals = Vec<watch::Receiver<TaskState>>;

impl Attempts for Task {
    fn life(&self) -> &Life {
        &self.life
    }

    /// A global table that can be read no further ends what is made of it: its last values grow old.
    async fn attempt(&self, wait: &mut Duration) -> Result<End, TaskError> {
        tokio::select! {
            biased;
            error = global::failure(&self.globals) => Err(error),
            end = self.work(wait) => end,
        }
    }
}

impl Task {
    pub(super) fn new(
        job: Arc<Job>,
        transport: Arc<dyn Transport>,
        id: TaskId,
        globals: Globals,
    ) -> (Self, TaskHandle) {
        let (life, handle) = Life::new(job, transport, id);
        (Self { life, globals }, handle)
    }

    /// What it commits shows that trouble is over: the next trouble is waited for as if it were the first.
    async fn work(&self, wait: &mut Duration) -> Result<End, TaskError> {
        let attempt = tokio::select! {
            attempt = self.begin() => attempt?,
            () = self.life.stopped() => return Ok(End::Stopped),
        };
        self.life.tell(TaskState::Running);
        let commits = self.life.reached.subscribe();
        let end = attempt.run(self.life.stop.clone()).await;
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
        let Life { job, transport, id, reached, .. } = &self.life;
        Attempt::begin(job, transport.as_ref(), *id, reached).await
    }
}
