//! Inputs with transactions in them: trap 46.

use std::sync::Mutex;

use mainstem_client::{
    Text, TransactionalProducer, consumer::IsolationLevel, producer::TransactionConfig, protocol::ApiKey,
};
use tokio::time::timeout;

use super::{
    global::{joined, settings},
    inputs::{copies, two_inputs, with_two_topics, write},
    trouble::TASK,
    *,
};
use crate::{
    HeldInput, TaskId, caps,
    runtime::{life::Attempts, run, task::Task, tests::trouble::job_of},
};

/// A producer that has written this into a partition, in a transaction that it has not ended.
async fn open(broker: &FakeBroker, topic: &str, records: &[(&str, &str)]) -> TransactionalProducer {
    let config = TransactionConfig::new("billing");
    let producer = TransactionalProducer::new(broker, ProducerConfig::default(), config);
    producer.init_transactions().await.unwrap();
    producer.begin().unwrap();
    for (key, value) in records {
        let record = ProducerRecord::new(topic.to_owned()).partition(0).timestamp(Timestamp(2));
        drop(producer.send(record.key((*key).to_owned()).value((*value).to_owned())).await.unwrap());
    }
    producer.flush().await;
    producer
}

async fn counted(isolation_level: Option<IsolationLevel>) -> Vec<String> {
    let broker = broker(1);
    produce(&broker, [(1, "a", "")]).await;
    open(&broker, "in", &[("a", ""), ("b", "")]).await.abort().await.unwrap();
    produce(&broker, [(3, "a", "")]).await;
    let mut spec = spec().input_end(until(5));
    if let Some(level) = isolation_level {
        spec.settings.isolation_level = level;
    }
    start(&broker, spec).await.ended().await.unwrap();
    output(&broker).await
}

#[tokio::test]
async fn records_of_aborted_transactions_are_read_only_where_that_is_wanted() {
    assert_eq!(counted(None).await, ["a 0 2"]);
    assert_eq!(counted(Some(IsolationLevel::ReadCommitted)).await, ["a 0 2"]);
    assert_eq!(counted(Some(IsolationLevel::ReadUncommitted)).await, ["a 0 3", "b 0 1"]);
}

#[tokio::test]
async fn bounded_input_ends_when_the_transactions_in_front_of_its_end_have() {
    let broker = broker(1);
    produce(&broker, [(1, "a", "")]).await;
    let open = open(&broker, "in", &[("b", "")]).await;
    let handle = start(&broker, spec().input_end(until(2))).await;
    committed(&handle, 1).await;
    assert_eq!(output(&broker).await, Vec::<String>::new());
    open.commit().await.unwrap();
    handle.ended().await.unwrap();
    assert_eq!(output(&broker).await, ["a 0 1", "b 0 1"]);
}

#[tokio::test]
async fn global_table_is_what_was_committed_of_it() {
    let broker = broker(1);
    broker.create_topic("towns", 1);
    open(&broker, "towns", &[("anna", "Graz")]).await.commit().await.unwrap();
    open(&broker, "towns", &[("anna", "Wien"), ("ben", "Linz")]).await.abort().await.unwrap();
    // The table is whole though the transaction is open, and knows nothing of it.
    let open = open(&broker, "towns", &[("anna", "Enns")]).await;
    produce(&broker, [(0, "k", "anna"), (0, "k", "ben")]).await;
    let handle = run(joined(), settings(InputEnd::Unbounded), broker.transport()).await.unwrap();
    committed(&handle, 2).await;
    assert_eq!(copies(&broker).await, ["Graz"]);
    open.commit().await.unwrap();
    handle.committed(&TopicPartition::new("towns", 0), Offset(6)).await.unwrap();
    produce(&broker, [(0, "k", "anna")]).await;
    committed(&handle, 3).await;
    handle.stop().await.unwrap();
    assert_eq!(copies(&broker).await, ["Graz", "Enns"]);
}

#[tokio::test]
async fn open_transaction_of_one_input_holds_no_other_up() {
    let broker = with_two_topics();
    let open = open(&broker, "other", &[("k", "v")]).await;
    write(&broker, "in", [1, 3]).await;
    let handle = start(&broker, two_inputs(InputEnd::Unbounded)).await;
    timeout(caps::PATIENCE, committed(&handle, 2)).await.expect("it waits for the transaction");
    open.commit().await.unwrap();
    handle.committed(&TopicPartition::new("other", 0), Offset(1)).await.unwrap();
    handle.stop().await.unwrap();
    assert_eq!(copies(&broker).await, ["in 1", "in 3", "other 2"]);
}

/// What it writes would be late if time went on without it.
#[tokio::test(start_paused = true)]
async fn input_with_an_open_transaction_is_not_idle() {
    let broker = broker(1);
    produce(&broker, [(1, "a", "")]).await;
    let open = open(&broker, "in", &[("b", "")]).await;
    let mut spec = spec();
    spec.settings.idle_after = Some(Duration::from_secs(1));
    spec.settings.clock_when_idle = Some(Duration::ZERO);
    let job = Arc::new(job_of(&broker, spec).await);
    let (task, handle) = Task::new(Arc::clone(&job), broker.transport(), TASK, Vec::new());
    let transaction = async {
        let mut committed = handle.committed.clone();
        committed.wait_for(|all| all.values().any(|reached| reached.0 == 1)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(output(&broker).await, Vec::<String>::new());
        open.commit().await.unwrap();
        committed.wait_for(|all| all.values().any(|reached| reached.0 == 3)).await.unwrap();
        while output(&broker).await != ["a 0 1", "b 0 1"] {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        job.stop.send_replace(true);
    };
    let mut wait = caps::RESTART_BACKOFF;
    let (end, ()) = tokio::join!(task.attempt(&mut wait), transaction);
    end.unwrap();
}

/// Notes what is held back, each time that it changes.
#[derive(Debug, Default)]
struct Seen(Mutex<Vec<Vec<HeldInput>>>);

impl Meter for Seen {
    fn held_back(&self, task: TaskId, inputs: &[HeldInput]) {
        assert_eq!(task, TASK);
        self.0.lock().unwrap().push(inputs.to_vec());
    }
}

impl Seen {
    fn last(&self) -> Option<Vec<HeldInput>> {
        self.0.lock().unwrap().last().cloned()
    }

    /// Waits until somebody is known to hold the input back.
    async fn names_somebody(&self) -> HeldInput {
        loop {
            let last = self.last().and_then(|inputs| inputs.into_iter().next());
            match last.filter(|input| input.by.is_some()) {
                Some(input) => return input,
                None => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn task_says_whose_transaction_it_waits_for_and_for_how_long() {
    let (broker, seen) = (broker(1), Arc::new(Seen::default()));
    produce(&broker, [(1, "a", "")]).await;
    let open = open(&broker, "in", &[("a", ""), ("a", "")]).await;
    produce(&broker, [(3, "a", "")]).await;
    let job = Arc::new(job_of(&broker, spec().meter(seen.clone())).await);
    let (task, handle) = Task::new(Arc::clone(&job), broker.transport(), TASK, Vec::new());
    let held = async {
        let held = seen.names_somebody().await;
        let expected = (TopicPartition::new("in", 0), Offset(1), 3, Some(Text::from("billing")));
        assert_eq!((held.input, held.at, held.records, held.by), expected);
        assert!(held.held_for >= caps::HELD_BACK_PATIENCE, "{:?}", held.held_for);
        assert_eq!(broker.asked(ApiKey::DescribeProducers), 1);
        open.commit().await.unwrap();
        let mut committed = handle.committed.clone();
        committed.wait_for(|all| all.values().any(|reached| reached.0 == 5)).await.unwrap();
        job.stop.send_replace(true);
    };
    let mut wait = caps::RESTART_BACKOFF;
    let (end, ()) = tokio::join!(task.attempt(&mut wait), held);
    end.unwrap();
    assert_eq!(seen.last(), Some(Vec::new()));
}
