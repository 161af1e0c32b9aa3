//! Repartition topics whose number of partitions the program chooses.

use super::*;
use crate::{Settings, StreamBuilder, Topology, runtime::run};

/// Counts words behind a repartition into so many partitions.
fn counting(partitions: Option<i32>) -> Topology {
    let builder = StreamBuilder::new("p");
    let words = builder.stream::<String, String>("in").select_key(|key, _| key.clone());
    let moved = match partitions {
        Some(partitions) => words.repartition_into("moved", partitions),
        None => words.repartition("moved"),
    };
    moved.group_by_key().count("counts").to("out");
    builder.build().unwrap()
}

async fn run_to(broker: &FakeBroker, topology: Topology, end: i64) -> Result<(), StartError> {
    let settings = Settings { input_end: until(end), ..Settings::default() };
    run(topology, settings, broker.transport()).await?.ended().await.unwrap();
    Ok(())
}

#[tokio::test]
async fn repartition_into_more_partitions_counts_each_key_once_over_restarts() {
    let broker = broker(1);
    produce(&broker, [(1, "a", ""), (2, "b", ""), (3, "c", ""), (4, "a", "")]).await;
    run_to(&broker, counting(Some(3)), 2).await.unwrap();
    run_to(&broker, counting(Some(3)), 4).await.unwrap();
    let count = |record: Record| (record.key.unwrap(), record.value.unwrap()[7]);
    let counts: BTreeMap<_, _> = records_of(&broker, "out").await.into_iter().map(count).collect();
    assert_eq!(counts, BTreeMap::from([("a".into(), 2), ("b".into(), 1), ("c".into(), 1)]));
}

#[tokio::test]
async fn another_number_of_partitions_on_old_state_is_refused_with_what_to_do() {
    let broker = broker(1);
    produce(&broker, [(1, "a", ""), (2, "a", "")]).await;
    run_to(&broker, counting(Some(3)), 1).await.unwrap();
    assert_eq!(
        run_to(&broker, counting(Some(4)), 2).await.unwrap_err().to_string(),
        "node moved-repartition-source asks for 4 partitions, and its topic p-moved-repartition has 3, as has the state \
         behind it, whose keys would not be found again: ask for 3, or give the topology another name to begin anew"
    );
    // Nor is it what it would be if nobody asked.
    let error = run_to(&broker, counting(None), 2).await.unwrap_err();
    assert!(matches!(error, StartError::Partitions { found: 3, expected: 1, .. }), "{error}");
    run_to(&broker, counting(Some(3)), 2).await.unwrap();
}
