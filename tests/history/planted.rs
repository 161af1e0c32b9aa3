//! Faults between the clients and the broker: what the clients then see is what they would see of a broker that has them.
//! Each has to be found in a history of real clients.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use bytes::BytesMut;
use mainstem_client::{
    ErrorCode, Offset, ProducerConfig, Transport, TransportError,
    protocol::{
        messages::{FetchResponse, RequestBody, ResponseBody, fetch::PartitionData},
        records::{Batch, Records, Tail, batches},
    },
    testing::{Around, refusal},
    transport::Call,
};

use crate::{
    check::{Finding, Isolation, check},
    scene::{Scene, Wrap, producer},
};

/// What is forgotten, doubled or passed over is one of so many.
const ONE_OF: u64 = 5;

type Answer = Result<ResponseBody, TransportError>;

#[test]
fn record_that_the_log_loses_is_found() {
    let is_lost = |finding: &Finding| matches!(finding, Finding::LostWrite { place: Some(_), .. });
    finds("loses", losing, producer, is_lost);
}

#[test]
fn record_that_is_acknowledged_and_not_stored_is_found() {
    let is_lost = |finding: &Finding| matches!(finding, Finding::LostWrite { .. });
    finds("forgets", forgetting, repeatable, is_lost);
}

#[test]
fn batch_that_is_stored_twice_is_found() {
    let is_duplicate = |finding: &Finding| matches!(finding, Finding::Duplicate { .. });
    finds("doubles", doubling, repeatable, is_duplicate);
}

#[test]
fn offset_that_moves_with_the_wind_is_found() {
    let is_inconsistent = |finding: &Finding| matches!(finding, Finding::InconsistentOffsets { .. });
    finds("misplaces", misplacing, producer, is_inconsistent);
}

#[test]
fn commit_that_is_acknowledged_and_not_stored_is_found() {
    let is_regressed = |finding: &Finding| matches!(finding, Finding::OffsetRegression { .. });
    finds("uncommitted", uncommitting, producer, is_regressed);
}

#[test]
fn aborted_transaction_that_is_shown_is_found() {
    let is_aborted = |finding: &Finding| matches!(finding, Finding::AbortedRead { .. });
    finds("shows", showing, producer, is_aborted);
}

#[test]
fn transaction_of_which_a_part_is_not_stored_is_found() {
    let is_torn = |finding: &Finding| matches!(finding, Finding::TornTransaction { .. });
    finds("tears", tearing, producer, is_torn);
}

#[track_caller]
fn finds(name: &'static str, wrap: Wrap, producer: fn() -> ProducerConfig, wanted: fn(&Finding) -> bool) {
    let scene = Scene { wrap, producer, ..Scene::new(name, std::process::id().into()) };
    let findings = check(&scene.play(), Isolation::Kafka);
    assert!(findings.iter().any(wanted), "{} others: {:#?}", findings.len(), findings.first());
}

/// Without sequences a broker cannot tell a repeat, nor what is missing.
fn repeatable() -> ProducerConfig {
    ProducerConfig { idempotent: false, ..producer() }
}

/// Says of one call in so many that it is the one.
fn sometimes() -> impl Fn() -> bool + Send + Sync + Clone + 'static {
    let calls = Arc::new(AtomicU64::new(1));
    move || calls.fetch_add(1, SeqCst).is_multiple_of(ONE_OF)
}

/// Acknowledges some batches and stores nothing of them.
fn forgetting(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let sometimes = sometimes();
    Arc::new(Around::new(transport, move |inner, call: Call| {
        let forgets = matches!(call.request, RequestBody::Produce(_)) && sometimes();
        async move {
            match refusal(&call.request, ErrorCode::NONE).filter(|_| forgets) {
                Some(lie) => Ok(lie),
                None => inner.call(call).await,
            }
        }
    }))
}

/// Stores some batches a second time.
fn doubling(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let sometimes = sometimes();
    Arc::new(Around::new(transport, move |inner, call: Call| {
        let doubles = matches!(call.request, RequestBody::Produce(_)) && sometimes();
        async move {
            if doubles {
                inner.call(call.clone()).await?;
            }
            inner.call(call).await
        }
    }))
}

/// Tells some producers an offset that is not where the batch went.
fn misplacing(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let sometimes = sometimes();
    Arc::new(Around::new(transport, move |inner, call: Call| {
        let misplaces = matches!(call.request, RequestBody::Produce(_)) && sometimes();
        async move {
            let mut answer = inner.call(call).await;
            if let (true, Ok(ResponseBody::Produce(response))) = (misplaces, &mut answer) {
                let partitions =
                    response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses);
                for partition in partitions {
                    partition.base_offset = Offset((partition.base_offset.0 - 1).max(0));
                }
            }
            answer
        }
    }))
}

/// Acknowledges some commits of offsets and stores none of them.
fn uncommitting(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let sometimes = sometimes();
    Arc::new(Around::new(transport, move |inner, call: Call| {
        let forgets = matches!(call.request, RequestBody::OffsetCommit(_)) && sometimes();
        async move {
            match refusal(&call.request, ErrorCode::NONE).filter(|_| forgets) {
                Some(lie) => Ok(lie),
                None => inner.call(call).await,
            }
        }
    }))
}

/// Tells nobody which transactions were aborted.
fn showing(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    fetching(transport, |data| data.aborted_transactions = None)
}

/// Shows nobody one certain batch, once it has batches behind it.
fn losing(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let lost = Mutex::new(None);
    fetching(transport, move |data| {
        let all = batches_of(data);
        let mut lost = lost.lock().unwrap();
        // It is chosen when one in front of another is first seen.
        *lost = lost.or_else(|| all.iter().rev().nth(1).map(|batch| batch.header().base_offset));
        keep(data, &all, |batch| Some(batch.header().base_offset) != *lost);
    })
}

/// Shows nobody what transactions have written to one of the partitions.
fn tearing(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    fetching(transport, |data| {
        let is_kept = |batch: &Batch| {
            let attributes = batch.header().attributes;
            attributes.is_control() || !attributes.is_transactional()
        };
        keep(data, &batches_of(data), is_kept);
    })
}

/// Does something with whatever is read of the first partition.
fn fetching(
    transport: Arc<dyn Transport>,
    change: impl Fn(&mut PartitionData) + Send + Sync + 'static,
) -> Arc<dyn Transport> {
    let change = Arc::new(change);
    Arc::new(Around::new(transport, move |inner, call: Call| {
        let change = Arc::clone(&change);
        async move {
            let mut answer: Answer = inner.call(call).await;
            if let Ok(ResponseBody::Fetch(FetchResponse { responses, .. })) = &mut answer {
                let partitions = responses.iter_mut().flat_map(|topic| &mut topic.partitions);
                partitions.filter(|data| data.partition_index.0 == 0).for_each(|data| change(data));
            }
            answer
        }
    }))
}

fn batches_of(data: &PartitionData) -> Vec<Batch> {
    match &data.records {
        Some(Records::Bytes(bytes)) => batches(bytes.clone(), Tail::Skip).map_while(Result::ok).collect(),
        _ => Vec::new(),
    }
}

fn keep(data: &mut PartitionData, all: &[Batch], is_kept: impl Fn(&Batch) -> bool) {
    let mut bytes = BytesMut::new();
    all.iter().filter(|batch| is_kept(batch)).for_each(|batch| bytes.extend_from_slice(batch.bytes()));
    data.records = Some(Records::Bytes(bytes.freeze()));
}
