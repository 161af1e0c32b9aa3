//! Every task of the process is spawned here: it has a name, an owner, and a policy for its failure.
//!
//! [`Tasks`] is the owner. A component makes one child of the root (`root.child("net")`), spawns through it, and is
//! stopped by [`Tasks::cancel`] followed by [`Tasks::join`]. Cancelling a parent cancels its children; joining a
//! parent joins them. A task learns of the end from [`Tasks::cancelled`] or from its own [`Cancel`]; nothing is ever
//! aborted from here, so a task always gets to finish what it has begun.
//!
//! A task that panics or returns an error is reported once, with its owner and name. Under [`OnFailure::Stop`] the
//! report also goes to the [`Failures`] of the root, where whoever runs the process waits for it: nothing here ends
//! the process itself, so several brokers can live in one test.

use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::error;

/// What follows when a task panics or returns an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The failure is logged and the process goes on: for connections and for work that is tried again.
    Log,
    /// The failure is logged and reported to [`Failures`]: the process cannot do its job without this task.
    Stop,
}

/// Why the process has to stop, told by the first task that failed under [`OnFailure::Stop`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{owner}/{task}: {reason}")]
pub struct Failure {
    /// The component that owned the task.
    pub owner: &'static str,
    /// The task's name.
    pub task: &'static str,
    /// The error that it returned, or that it panicked.
    pub reason: String,
}

/// Tasks that did not end in the time they were given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} tasks of {owner} are still running")]
pub struct StillRunning {
    /// The component that owns the tasks.
    pub owner: &'static str,
    /// How many are left, those of its children included.
    pub count: usize,
}

/// What a task may end with: nothing, or a result whose error is then its failure.
pub trait Outcome {
    /// The reason of the failure, if it is one.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Display> Outcome for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// The owner of a component's tasks. Clones are the same owner.
#[derive(Clone, Debug)]
pub struct Tasks {
    group: Arc<Group>,
}

#[derive(Debug)]
struct Group {
    owner: &'static str,
    running: watch::Sender<usize>,
    cancel: watch::Sender<bool>,
    failures: Failures,
    children: Mutex<Vec<Weak<Self>>>,
}

impl Tasks {
    /// The root of a tree of owners.
    pub fn root(owner: &'static str) -> Self {
        Self::new(owner, Failures::default())
    }

    /// An owner that ends with this one, or earlier by itself. For components, of which there are few.
    pub fn child(&self, owner: &'static str) -> Self {
        let child = Self::new(owner, self.group.failures.clone());
        self.group.adopt(&child.group);
        if self.is_cancelled() {
            child.cancel();
        }
        child
    }

    fn new(owner: &'static str, failures: Failures) -> Self {
        let (running, cancel) = (watch::Sender::new(0), watch::Sender::new(false));
        Self { group: Arc::new(Group { owner, running, cancel, failures, children: Mutex::default() }) }
    }

    /// Runs `future` on the runtime as the task `name`. Its handle may be dropped: the task stays owned.
    #[expect(clippy::disallowed_methods, reason = "this is the front door of tokio::spawn")]
    pub fn spawn<F>(&self, name: &'static str, on_failure: OnFailure, future: F) -> JoinHandle<()>
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let running = self.start(name, on_failure);
        tokio::spawn(async move { running.finish(future.await) })
    }

    /// Runs `work` on the runtime's threads for blocking calls.
    pub fn spawn_blocking<F, R>(&self, name: &'static str, on_failure: OnFailure, work: F) -> JoinHandle<()>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Outcome,
    {
        let running = self.start(name, on_failure);
        tokio::task::spawn_blocking(move || running.finish(work()))
    }

    /// Runs `work` on a thread of its own, which bears the task's name: for loops that block for the process's life.
    ///
    /// # Errors
    /// The system refused another thread.
    pub fn thread<F, R>(&self, name: &'static str, on_failure: OnFailure, work: F) -> std::io::Result<()>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Outcome,
    {
        let running = self.start(name, on_failure);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || running.finish(work()))?;
        Ok(())
    }

    /// A token that tells a task when to end.
    pub fn cancel_token(&self) -> Cancel {
        Cancel { cancelled: self.group.cancel.subscribe() }
    }

    /// Resolves once [`Tasks::cancel`] was called on this owner or on one above it.
    pub async fn cancelled(&self) {
        self.cancel_token().cancelled().await;
    }

    /// Whether [`Tasks::cancel`] was called on this owner or on one above it.
    pub fn is_cancelled(&self) -> bool {
        *self.group.cancel.borrow()
    }

    /// Asks every task of this owner and of its children to end.
    pub fn cancel(&self) {
        self.group.cancel.send_replace(true);
        self.children().iter().for_each(Self::cancel);
    }

    /// Waits until every task of this owner and of its children has ended.
    pub async fn join(&self) {
        let mut running = self.group.running.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = running.wait_for(|count| *count == 0).await;
        for child in self.children() {
            Box::pin(child.join()).await;
        }
    }

    /// As [`Tasks::join`], for at most `limit`.
    ///
    /// # Errors
    /// Tasks are left that did not end in time.
    pub async fn join_within(&self, limit: Duration) -> Result<(), StillRunning> {
        let still_running = |_| StillRunning { owner: self.group.owner, count: self.count() };
        tokio::time::timeout(limit, self.join()).await.map_err(still_running)
    }

    /// How many tasks run, those of the children included.
    pub fn count(&self) -> usize {
        *self.group.running.borrow() + self.children().iter().map(Self::count).sum::<usize>()
    }

    /// Where failures under [`OnFailure::Stop`] arrive; the same for the whole tree.
    pub fn failures(&self) -> &Failures {
        &self.group.failures
    }

    fn start(&self, name: &'static str, on_failure: OnFailure) -> Running {
        self.group.running.send_modify(|count| *count += 1);
        Running { group: self.group.clone(), name, on_failure, finished: false }
    }

    fn children(&self) -> Vec<Self> {
        let children = self.group.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.iter().filter_map(Weak::upgrade).map(|group| Self { group }).collect()
    }
}

impl Group {
    fn adopt(&self, child: &Arc<Self>) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|known| known.strong_count() > 0);
        children.push(Arc::downgrade(child));
    }
}

/// Tells a task when to end. Clones see the same.
#[derive(Clone, Debug)]
pub struct Cancel {
    cancelled: watch::Receiver<bool>,
}

impl Cancel {
    /// Resolves once the owner was cancelled, or is gone.
    pub async fn cancelled(&mut self) {
        // An error says that the owner is gone, which ends its tasks as well.
        let _ = self.cancelled.wait_for(|cancelled| *cancelled).await;
    }

    /// Whether the owner was cancelled.
    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }
}

/// The failures that must stop the process; the first one counts.
#[derive(Clone, Debug)]
pub struct Failures {
    first: Arc<watch::Sender<Option<Failure>>>,
}

impl Default for Failures {
    fn default() -> Self {
        Self { first: Arc::new(watch::Sender::new(None)) }
    }
}

impl Failures {
    /// Reports a failure that no task returned: a poisoned log directory, for one.
    pub fn report(&self, failure: Failure) {
        self.first.send_if_modified(|first| {
            let is_first = first.is_none();
            if is_first {
                *first = Some(failure);
            }
            is_first
        });
    }

    /// Waits for the first failure.
    pub async fn first(&self) -> Failure {
        let mut first = self.first.subscribe();
        loop {
            if let Some(failure) = first.borrow_and_update().clone() {
                return failure;
            }
            // `self` holds the sender, so a change is the only thing that can end this wait.
            let _ = first.changed().await;
        }
    }
}

/// A task that has begun; its end is noted however it comes.
struct Running {
    group: Arc<Group>,
    name: &'static str,
    on_failure: OnFailure,
    finished: bool,
}

impl Running {
    fn finish(mut self, outcome: impl Outcome) {
        self.finished = true;
        if let Some(reason) = outcome.failure() {
            self.fail(reason);
        }
    }

    fn fail(&self, reason: String) {
        let (owner, task) = (self.group.owner, self.name);
        error!(owner, task, reason, "task failed");
        if self.on_failure == OnFailure::Stop {
            self.group.failures.report(Failure { owner, task, reason });
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let panicked = !self.finished && std::thread::panicking();
        if panicked {
            self.fail("panicked".to_owned());
        }
        self.group.running.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn join_waits_for_tasks_of_children() {
        let root = Tasks::root("root");
        let child = root.child("child");
        let mut cancel = child.cancel_token();
        child.spawn("waits", OnFailure::Log, async move { cancel.cancelled().await });
        assert_eq!(root.count(), 1);
        root.cancel();
        root.join().await;
        assert_eq!(root.count(), 0);
    }

    #[tokio::test]
    async fn a_child_ends_without_its_parent() {
        let root = Tasks::root("root");
        let child = root.child("child");
        child.cancel();
        assert!(child.is_cancelled());
        assert!(!root.is_cancelled());
    }

    #[tokio::test]
    async fn a_child_of_a_cancelled_owner_is_cancelled() {
        let root = Tasks::root("root");
        root.cancel();
        assert!(root.child("late").is_cancelled());
    }

    #[tokio::test]
    async fn an_error_under_stop_is_the_first_failure() {
        let root = Tasks::root("root");
        root.child("net").spawn("listener", OnFailure::Stop, async { Err::<(), _>("no descriptors left") });
        let expected = Failure { owner: "net", task: "listener", reason: "no descriptors left".to_owned() };
        assert_eq!(root.failures().first().await, expected);
    }

    #[tokio::test]
    async fn a_panic_under_stop_is_a_failure() {
        let root = Tasks::root("root");
        let shaky = async { assert!(Tasks::root("other").is_cancelled(), "on purpose") };
        root.spawn("shaky", OnFailure::Stop, shaky);
        assert_eq!(root.failures().first().await.reason, "panicked");
        root.join().await;
    }

    #[tokio::test]
    async fn an_error_under_log_stops_nothing() {
        let root = Tasks::root("root");
        root.spawn("connection", OnFailure::Log, async { Err::<(), _>("reset by peer") });
        root.join().await;
        assert!(root.failures().first.borrow().is_none());
    }

    #[tokio::test]
    async fn a_thread_is_joined() {
        let root = Tasks::root("root");
        let (sender, receiver) = std::sync::mpsc::sync_channel::<()>(1);
        root.thread("journal", OnFailure::Stop, move || receiver.recv().unwrap_or(())).expect("a thread");
        assert_eq!(root.count(), 1);
        drop(sender);
        root.join().await;
    }

    #[tokio::test]
    async fn join_within_says_what_is_left() {
        let root = Tasks::root("root");
        root.spawn("endless", OnFailure::Log, std::future::pending::<()>());
        let expected = StillRunning { owner: "root", count: 1 };
        assert_eq!(root.join_within(Duration::ZERO).await, Err(expected));
    }
}
