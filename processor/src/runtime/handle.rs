//! How a running processor is watched and stopped.

use std::{collections::BTreeMap, future::poll_fn, task::Poll};

use mainstem_client::{Offset, Text, TopicPartition};
use tokio::sync::watch;

use super::TaskError;

/// What a task is doing.
#[derive(Clone, Debug, Default)]
pub enum TaskState {
    /// It brings its state back.
    #[default]
    Restoring,
    /// It works.
    Running,
    /// Something is wrong; it will try again.
    Waiting(TaskError),
    /// It has read its inputs to their ends, and committed everything.
    Finished,
    /// It was stopped, and has committed everything.
    Stopped,
    /// It has ended; what was not committed is dropped.
    Failed(TaskError),
}

impl TaskState {
    /// Whether the task has ended.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Failed(_))
    }
}

/// The ends of a task's channels that stay outside of its thread.
#[derive(Debug)]
pub(super) struct TaskHandle {
    pub(super) inputs: Vec<TopicPartition>,
    pub(super) state: watch::Receiver<TaskState>,
    pub(super) committed: watch::Receiver<BTreeMap<TopicPartition, Offset>>,
}

/// A running topology. It is told to stop when this is dropped.
#[derive(Debug)]
pub struct Handle {
    name: Text,
    stop: watch::Sender<bool>,
    pub(super) tasks: Vec<TaskHandle>,
}

impl Handle {
    pub(super) const fn new(name: Text, stop: watch::Sender<bool>, tasks: Vec<TaskHandle>) -> Self {
        Self { name, stop, tasks }
    }

    /// The topology's name.
    #[must_use]
    pub const fn name(&self) -> &Text {
        &self.name
    }

    /// What each task is doing, by sub-topology and then by partition number.
    #[must_use]
    pub fn states(&self) -> Vec<TaskState> {
        self.tasks.iter().map(|task| task.state.borrow().clone()).collect()
    }

    /// Waits until all tasks have ended, because their input has or because they were stopped, or until one has failed,
    /// which is told at once.
    ///
    /// # Errors
    /// Why the first of those that failed did.
    pub async fn ended(&self) -> Result<(), TaskError> {
        let mut left: Vec<_> = self.tasks.iter().map(|task| Box::pin(over(task.state.clone()))).collect();
        poll_fn(|context| {
            let mut failure = None;
            left.retain_mut(|task| match task.as_mut().poll(context) {
                Poll::Ready(TaskState::Failed(error)) => {
                    failure.get_or_insert(error);
                    false
                }
                Poll::Ready(_) => false,
                Poll::Pending => true,
            });
            match failure {
                Some(error) => Poll::Ready(Err(error)),
                None if left.is_empty() => Poll::Ready(Ok(())),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Waits until everything in front of an offset of an input is worked through and committed. What went on to a
    /// repartition topic may still wait there: its partitions can be waited for in the same way.
    ///
    /// # Errors
    /// Why the task failed that reads the partition; that no task does, or that it was stopped before.
    pub async fn committed(&self, partition: &TopicPartition, offset: Offset) -> Result<(), TaskError> {
        let reads = |task: &&TaskHandle| task.inputs.contains(partition);
        let nobody = || TaskError::Thread(format!("no task reads {partition}"));
        let task = self.tasks.iter().find(reads).ok_or_else(nobody)?;
        let is_there = |committed: &BTreeMap<TopicPartition, Offset>| {
            committed.get(partition).copied().unwrap_or(Offset::ZERO) >= offset
        };
        let mut committed = task.committed.clone();
        let reached = async { committed.wait_for(is_there).await.is_ok() };
        tokio::select! {
            biased;
            true = reached => Ok(()),
            last = over(task.state.clone()) => match last {
                TaskState::Failed(error) => Err(error),
                _ if is_there(&task.committed.borrow()) => Ok(()),
                _ => Err(TaskError::Thread(format!("{partition} was not read up to {offset}"))),
            },
        }
    }

    /// Asks all tasks to commit and end, and waits until they have, whether or not one has failed.
    ///
    /// # Errors
    /// Why the first of those that failed did, in the order of [`Self::states`].
    pub async fn stop(&self) -> Result<(), TaskError> {
        self.tell_to_stop();
        let mut failure = None;
        for task in &self.tasks {
            if let TaskState::Failed(error) = over(task.state.clone()).await {
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn tell_to_stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}

/// Waits until a thread has ended; says how.
pub(super) async fn over(mut state: watch::Receiver<TaskState>) -> TaskState {
    let last = state.wait_for(TaskState::is_over).await.map(|state| state.clone());
    // The thread ended without a last word, which only a fault in the runtime itself can bring about.
    last.unwrap_or_else(|_| TaskState::Failed(TaskError::Thread("it said nothing".to_owned())))
}
