//! Runs processors: one task for each partition number of the inputs, each on a thread of its own with a runtime of its
//! own, so that no processor holds up a broker in the same process, and the broker no processor.
//!
//! - [`Handle`]: how a running processor is watched and stopped.
//! - `task`: what a thread does: attempt after attempt.
//! - `attempt`: one attempt: restore, then poll, work, commit.
//! - `work`: the calls of user code, and what they leave behind.
//! - `restore` and `commit`: a pair: what a commit writes, a restore reads.

mod attempt;
mod commit;
mod error;
mod handle;
mod restore;
mod task;
#[cfg(test)]
mod tests;
mod work;

use std::sync::Arc;

use mainstem_client::{
    Admin, AdminConfig, ErrorCode, NewTopic, Text, Transport,
    admin::AdminError,
    consumer::{Consumer, ConsumerConfig},
};

pub use error::{StartError, TaskError};
pub use handle::{Handle, TaskState};

use crate::{ProcessorSpec, caps};

/// Starts a processor. Its inputs must exist, or be such that the cluster creates them; changelogs are created.
///
/// # Errors
/// Where the inputs cannot be had, the changelogs not be created, or no thread be started.
pub async fn start(spec: ProcessorSpec, transport: Arc<dyn Transport>) -> Result<Handle, StartError> {
    let tasks = count_tasks(&spec, transport.as_ref()).await?;
    create_changelogs(&spec, transport.as_ref(), tasks).await?;
    let spec = Arc::new(spec);
    let started: Result<Vec<_>, _> = (0..tasks)
        .map(|partition| task::start(Arc::clone(&spec), Arc::clone(&transport), partition))
        .collect();
    Ok(Handle::new(spec.name.clone(), started.map_err(|error| StartError::Thread(Arc::new(error)))?))
}

/// As many tasks as the input with the most partitions has.
async fn count_tasks(spec: &ProcessorSpec, transport: &dyn Transport) -> Result<i32, StartError> {
    let consumer = Consumer::new(transport, ConsumerConfig { timeout: caps::PATIENCE, ..Default::default() });
    let mut tasks = 0;
    for topic in &spec.inputs {
        tasks = tasks.max(consumer.partitions(topic).await.map_err(StartError::Input)?.len());
    }
    match i32::try_from(tasks) {
        Ok(0) | Err(_) => Err(StartError::NoInput),
        Ok(_) if tasks > caps::TASKS_MAX => Err(StartError::TooManyTasks { tasks, limit: caps::TASKS_MAX }),
        Ok(tasks) => Ok(tasks),
    }
}

async fn create_changelogs(
    spec: &ProcessorSpec,
    transport: &dyn Transport,
    tasks: i32,
) -> Result<(), StartError> {
    let admin = Admin::new(transport, AdminConfig { timeout: caps::PATIENCE, ..AdminConfig::default() });
    for store in spec.all_stores() {
        create_changelog(&admin, spec.changelog(&store), tasks).await?;
    }
    Ok(())
}

async fn create_changelog(admin: &Admin, topic: Text, partitions: i32) -> Result<(), StartError> {
    let new = NewTopic::new(topic.clone(), partitions).config("cleanup.policy", "compact");
    match admin.create_topic(new).await {
        Ok(_) => Ok(()),
        Err(AdminError::Refused { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. }) => {
            let found = admin.describe_topic(&topic).await.map_err(StartError::Changelog)?.partitions.len();
            let expected = partitions as usize;
            // Keys of one task would be those of another: state cannot be moved, so it is not touched.
            let fits = found == expected;
            if fits { Ok(()) } else { Err(StartError::ChangelogPartitions { topic, found, expected }) }
        }
        Err(error) => Err(StartError::Changelog(error)),
    }
}
