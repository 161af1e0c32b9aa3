//! Runs topologies: one task for each partition number of each sub-topology's inputs, on a few threads of the processor's
//! own, so that no processor holds up a broker in the same process, and the broker no processor.
//!
//! - [`Handle`]: how a running topology is watched and stopped.
//! - `topics`: what has to be there before it starts.
//! - `partitioners`: whether keys that must meet can.
//! - `threads`: how tasks share threads; `life`: what each does there: attempt after attempt.
//! - `task` and `global`: what a task and the reader of a global table attempt.
//! - `attempt`: one attempt at a task: restore, then poll, work, commit; `inputs`: how it takes what it polls;
//!   `held_back`: what stands in the way of that.
//! - `restore` and `commit`: a pair: what a commit writes, a restore reads.
//!
//! A run whose inputs have ended ([`crate::InputEnd::At`]) is a pause: a later one on the same state goes on. Each of
//! its tasks waits for marks of its own run, which are those at or behind the ends that the repartition topics had
//! before its tasks were started (module `watermark`).

mod attempt;
mod commit;
mod error;
mod global;
mod handle;
mod held_back;
mod inputs;
mod life;
mod partitioners;
mod restore;
mod task;
#[cfg(test)]
mod tests;
mod threads;
mod topics;

use std::{collections::HashMap, io, sync::Arc};

use global::Reader;
use handle::TaskHandle;
use mainstem_client::{Offset, Text, TopicPartition, Transport};
use task::{Globals as WaitsFor, Task};
use tokio::sync::watch;
use topics::ChangelogTopic;

pub use error::{StartError, TaskError};
pub use handle::{Handle, TaskState};

use crate::{
    Kept, ProcessorSpec, Settings, TaskId, Topology,
    state::{Description, Globals, Whose},
    topology::Plan,
    work,
};

/// A topology that is run.
struct Job {
    topology: Topology,
    plan: Plan,
    settings: Settings,
    /// Where all tasks are told to stop.
    stop: watch::Sender<bool>,
    /// The ends that the partitions of repartition topics had before any task was started.
    begins: HashMap<TopicPartition, Offset>,
    /// What is known of the changelogs, by store.
    changelogs: HashMap<Text, ChangelogTopic>,
    /// The tables that all tasks share.
    globals: Globals,
}

impl Job {
    /// The partitions that a task reads.
    fn inputs(&self, task: TaskId) -> Vec<TopicPartition> {
        work::inputs(&self.topology, &self.plan, task.part, task.number)
    }

    /// Stores on disk need a directory.
    fn check_stores(&self) -> Result<(), StartError> {
        if self.settings.state_directory.is_some() {
            return Ok(());
        }
        let mut stores = self.topology.parts().iter().flat_map(|part| &part.stores);
        let on_disk = stores.find(|store| self.kept(store) == Kept::OnDisk);
        on_disk.map_or(Ok(()), |store| Err(StartError::NoStateDirectory { store: store.clone() }))
    }

    /// Where a store is kept.
    fn kept(&self, store: &str) -> Kept {
        self.topology.store(store).and_then(|store| store.kept).unwrap_or(self.settings.kept)
    }

    /// What a store must say of itself.
    fn description(&self, part: usize, store: &str) -> Description {
        let form = self.topology.store(store).map(|store| store.form.clone()).unwrap_or_default();
        Description::new(&form, self.plan.tasks[part])
    }

    /// Who is told about it.
    fn whose(&self, store: &Text) -> Whose {
        let node = self.topology.keeper(store).map_or_else(|| store.clone(), |node| node.name.clone());
        Whose { store: store.clone(), node, changelog: self.topology.changelog(store) }
    }
}

/// Starts a processor. Its inputs must exist, or be such that the cluster creates them; changelogs are created.
///
/// # Errors
/// As [`run`], and where the spec makes no topology.
pub async fn start(spec: ProcessorSpec, transport: Arc<dyn Transport>) -> Result<Handle, StartError> {
    let topology = spec.topology()?;
    run(topology, spec.settings, transport).await
}

/// Runs a topology. Its inputs must exist, or be such that the cluster creates them; changelogs and repartition topics
/// are created, and must have the right number of partitions where they exist.
///
/// ```no_run
/// use std::sync::Arc;
/// use mainstem_client::{TcpConfig, TcpTransport, Text};
/// use mainstem_processor::{Settings, StreamBuilder, runtime};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = StreamBuilder::new("upper-case");
/// builder.stream::<(), Text>("words").map_values(|word| word.to_uppercase()).to("loud-words");
/// let transport = Arc::new(TcpTransport::new(TcpConfig::bootstrap("127.0.0.1:9092")));
/// let handle = runtime::run(builder.build()?, Settings::default(), transport).await?;
/// tokio::signal::ctrl_c().await?;
/// handle.stop().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Where the topics cannot be had or created, do not fit the topology, or the threads cannot be started.
pub async fn run(
    topology: Topology,
    settings: Settings,
    transport: Arc<dyn Transport>,
) -> Result<Handle, StartError> {
    let threads = threads::count(&settings)?;
    let plan = topics::plan(&topology, transport.as_ref()).await?;
    topics::check_append_times(&topology, transport.as_ref()).await?;
    if settings.checks_partitioners {
        partitioners::check(&topology, &plan, transport.as_ref()).await?;
    }
    let (begins, changelogs, globals) = (HashMap::new(), HashMap::new(), topology.globals());
    let mut job =
        Job { topology, plan, settings, stop: watch::Sender::new(false), begins, changelogs, globals };
    job.check_stores()?;
    job.changelogs = topics::create(&job, transport.as_ref()).await?;
    job.begins = topics::repartition_ends(&job.plan, transport.as_ref()).await?;
    let job = Arc::new(job);
    let tasks = start_all(&job, &transport, threads).map_err(|error| {
        job.stop.send_replace(true);
        StartError::Thread(Arc::new(error))
    })?;
    Ok(Handle::new(job.topology.name().clone(), job.stop.clone(), tasks))
}

/// Starts all threads; that of the global tables is one of its own, so that no task holds up what all tasks look up. Their
/// readers come last in the list.
fn start_all(job: &Arc<Job>, transport: &Arc<dyn Transport>, count: usize) -> io::Result<Vec<TaskHandle>> {
    let name = job.topology.name();
    let (readers, globals) = readers(job, transport);
    if !readers.is_empty() {
        threads::start(format!("{name}-global"), readers)?;
    }
    let (tasks, mut handles) = tasks(job, transport, &globals);
    for (number, share) in threads::shared_out(tasks, count).into_iter().enumerate() {
        threads::start(format!("{name}-{number}"), share)?;
    }
    handles.extend(globals);
    Ok(handles)
}

fn readers(job: &Arc<Job>, transport: &Arc<dyn Transport>) -> (Vec<Reader>, Vec<TaskHandle>) {
    let parts = job.topology.parts().iter().enumerate().filter(|(_, part)| part.is_global());
    parts.map(|(part, _)| Reader::new(Arc::clone(job), Arc::clone(transport), part)).unzip()
}

fn tasks(
    job: &Arc<Job>,
    transport: &Arc<dyn Transport>,
    globals: &[TaskHandle],
) -> (Vec<Task>, Vec<TaskHandle>) {
    let waits_for: WaitsFor = globals.iter().map(|global| global.state.clone()).collect();
    let counts = job.plan.tasks.iter().enumerate();
    let ids = counts.flat_map(|(part, count)| (0..*count).map(move |number| TaskId { part, number }));
    ids.map(|id| Task::new(Arc::clone(job), Arc::clone(transport), id, waits_for.clone())).unzip()
}
