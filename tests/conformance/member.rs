//! A consumer of a group on a task of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use mainstem_client::{
    Consumer, ConsumerConfig, Offset, TopicPartition,
    consumer::{LeaveMode, Polled},
};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::scene::{PATIENCE, SESSION, Scene, earliest, text, until};

/// How long a poll of a member takes: what is committed by itself is committed between two polls.
const POLL: Duration = Duration::from_millis(300);

/// What a member told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) owned: BTreeSet<TopicPartition>,
    /// Everything that it had, change by change.
    pub(crate) history: Vec<BTreeSet<TopicPartition>>,
    pub(crate) records: BTreeMap<(TopicPartition, Offset), String>,
}

/// A member of the scene's group.
#[derive(Debug)]
pub(crate) struct Member {
    told: Arc<Mutex<Told>>,
    leave: oneshot::Sender<LeaveMode>,
    task: JoinHandle<()>,
}

/// The settings of a member of the scene's group.
pub(crate) fn settings(scene: &Scene) -> ConsumerConfig {
    ConsumerConfig {
        group_id: Some(scene.topic.clone().into()),
        session_timeout: SESSION,
        heartbeat_interval: Duration::from_millis(300),
        ..earliest()
    }
}

impl Member {
    /// A member that subscribes to the scene's topic.
    pub(crate) fn start(scene: &Scene, config: ConsumerConfig) -> Self {
        let mut consumer = scene.consumer(config);
        consumer.subscribe([scene.topic.clone()]).unwrap();
        Self::with(consumer)
    }

    /// A member that has subscribed already.
    #[expect(clippy::disallowed_methods, reason = "the members of a test have no need of names")]
    pub(crate) fn with(consumer: Consumer) -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let (leave, left) = oneshot::channel();
        let task = tokio::spawn(work(consumer, told.clone(), left));
        Self { told, leave, task }
    }

    /// Looks at what was told so far.
    pub(crate) fn told<T>(&self, look: impl FnOnce(&Told) -> T) -> T {
        assert!(!self.task.is_finished(), "the member has ended by itself");
        look(&self.told.lock().unwrap())
    }

    pub(crate) fn owned(&self) -> BTreeSet<TopicPartition> {
        self.told(|told| told.owned.clone())
    }

    /// Ends; what it read is committed before.
    pub(crate) async fn leave(self, mode: LeaveMode) {
        self.leave.send(mode).unwrap();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

async fn work(mut consumer: Consumer, told: Arc<Mutex<Told>>, mut left: oneshot::Receiver<LeaveMode>) {
    loop {
        let polled = tokio::select! {
            polled = consumer.poll(POLL) => polled.unwrap(),
            mode = &mut left => {
                consumer.commit_consumed().await.unwrap();
                return consumer.close_with(mode.unwrap()).await;
            }
        };
        note(&mut told.lock().unwrap(), polled, &consumer);
    }
}

fn note(told: &mut Told, polled: Polled, consumer: &Consumer) {
    if let Polled::Records(batches) = polled {
        for batch in batches {
            for record in batch.records {
                let place = (batch.partition.clone(), record.offset);
                told.records.insert(place, text(record.value.as_ref()));
            }
        }
        return;
    }
    let owned: BTreeSet<_> = consumer.assignment().into_iter().collect();
    if owned != told.owned {
        told.history.push(owned.clone());
        told.owned = owned;
    }
}

/// Waits until the members share all partitions among them, each of them some.
pub(crate) async fn until_shared(scene: &Scene, partitions: i32, members: &[&Member]) {
    let all: BTreeSet<_> = (0..partitions).map(|number| scene.partition(number)).collect();
    until("the members share the partitions", async || {
        let owned: Vec<_> = members.iter().map(|member| member.owned()).collect();
        let count: usize = owned.iter().map(BTreeSet::len).sum();
        let union: BTreeSet<_> = owned.iter().flatten().cloned().collect();
        owned.iter().all(|owned| !owned.is_empty()) && count == all.len() && union == all
    })
    .await;
}

/// Waits until the members have read so many records, each one place.
pub(crate) async fn until_read(count: usize, members: &[&Member]) {
    until("all records are read", async || {
        let places = members
            .iter()
            .flat_map(|member| member.told(|told| told.records.keys().cloned().collect::<Vec<_>>()));
        places.collect::<BTreeSet<_>>().len() == count
    })
    .await;
}
