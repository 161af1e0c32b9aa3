//! What can be wrong with a broker, put between it and its clients.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use mainstem_client::{
    ErrorCode, Offset, Transport, TransportError,
    protocol::{
        messages::{FetchResponse, ListOffsetsResponse, RequestBody, ResponseBody, fetch::PartitionData},
        records::{
            Batch, BatchBuilder, Compression, NewRecord, ProducerStamp, Records, Tail, batches,
            builder::write_header,
        },
    },
    testing::{Around, refusal},
    transport::Call,
};

/// What is forgotten, doubled or passed over is one of so many.
const ONE_OF: u64 = 5;

/// What goes wrong in one place of the first partition does so here.
const END: Offset = Offset(100);

/// How often an answer is wrong, where others are to be right.
const SKIPS: u64 = 20;

/// Longer than the next batch takes to be sent and stored.
const HELD_UP: Duration = Duration::from_millis(30);

type Answer = Result<ResponseBody, TransportError>;

/// Acknowledges some batches and stores nothing of them.
pub(crate) fn forgetting(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
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
pub(crate) fn doubling(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
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
pub(crate) fn misplacing(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
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
pub(crate) fn uncommitting(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
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
pub(crate) fn showing(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    fetching(transport, |data| data.aborted_transactions = None)
}

/// Shows nobody one certain batch, once it has batches behind it.
pub(crate) fn losing(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
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
pub(crate) fn tearing(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    fetching(transport, |data| {
        let is_kept = |batch: &Batch| {
            let attributes = batch.header().attributes;
            attributes.is_control() || !attributes.is_transactional()
        };
        keep(data, &batches_of(data), is_kept);
    })
}

/// Holds up some batches, so that those behind them overtake them.
pub(crate) fn reordering(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let sometimes = sometimes();
    Arc::new(Around::new(transport, move |inner, call: Call| {
        let waits = matches!(call.request, RequestBody::Produce(_)) && sometimes();
        async move {
            if waits {
                tokio::time::sleep(HELD_UP).await;
            }
            inner.call(call).await
        }
    }))
}

/// Shows nobody what is behind a certain place, and says that the log ends there.
pub(crate) fn ending_early(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let transport = fetching(transport, |data| {
        let all = batches_of(data);
        keep(data, &all, |batch| batch.header().base_offset < END);
    });
    Arc::new(Around::new(transport, |inner, call: Call| async move {
        let mut answer: Answer = inner.call(call).await;
        if let Ok(ResponseBody::ListOffsets(ListOffsetsResponse { topics, .. })) = &mut answer {
            let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            let first = partitions.filter(|partition| partition.partition_index.0 == 0);
            first.for_each(|partition| partition.offset = partition.offset.min(END));
        }
        answer
    }))
}

/// Shows instead of one certain batch another one that nobody has sent.
pub(crate) fn inventing(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    fetching(transport, |data| {
        let mut bytes = BytesMut::new();
        for batch in batches_of(data) {
            let header = batch.header();
            let is_the_one = (header.base_offset..=header.last_offset()).contains(&END);
            let is_invented = is_the_one && !header.attributes.is_control();
            bytes.extend_from_slice(&if is_invented { invented(&batch) } else { batch.bytes().clone() });
        }
        data.records = Some(Records::Bytes(bytes.freeze()));
    })
}

/// As many records as the batch has, with values of their own.
fn invented(batch: &Batch) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    for number in 0..batch.header().record_count {
        let value = format!("{}", u64::MAX - number as u64);
        let record = NewRecord { value: Some(value.as_bytes()), ..NewRecord::default() };
        builder.append(&record).unwrap();
    }
    let mut bytes = BytesMut::from(&builder.seal(&ProducerStamp::NONE).unwrap()[..]);
    write_header(&mut bytes, batch.header());
    bytes.freeze()
}

/// Shows everybody what is not committed yet, and what never will be.
pub(crate) fn peeking(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    Arc::new(Around::new(transport, |inner, mut call: Call| async move {
        if let RequestBody::Fetch(request) = &mut call.request {
            request.isolation_level = 0;
        }
        inner.call(call).await
    }))
}

/// Leaves out the first batch of some answers, the next ones being there.
pub(crate) fn skipping(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let (sometimes, left) = (sometimes(), AtomicU64::new(SKIPS));
    fetching(transport, move |data| {
        let all = batches_of(data);
        let skips = all.len() > 1 && sometimes();
        let may = || left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if skips && may() {
            keep(data, &all[1..], |_| true);
        }
    })
}

/// Says of some offsets that the log does not have them, so that whoever reads there begins anew.
pub(crate) fn disowning(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let sometimes = sometimes();
    let left = AtomicU64::new(SKIPS);
    fetching(transport, move |data| {
        let may = || left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if data.high_watermark > END && sometimes() && may() {
            *data = PartitionData {
                partition_index: data.partition_index,
                error_code: ErrorCode::OFFSET_OUT_OF_RANGE,
                ..PartitionData::default()
            };
        }
    })
}

/// Acknowledges some offsets of transactions and stores none of them.
pub(crate) fn dropping_offsets(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let (sometimes, left) = (sometimes(), Arc::new(AtomicU64::new(SKIPS)));
    Arc::new(Around::new(transport, move |inner, call: Call| {
        let is_one = matches!(call.request, RequestBody::TxnOffsetCommit(_)) && sometimes();
        let drops = is_one && left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        async move {
            match refusal(&call.request, ErrorCode::NONE).filter(|_| drops) {
                Some(lie) => Ok(lie),
                None => inner.call(call).await,
            }
        }
    }))
}

/// Stores some offsets of transactions larger than they are.
pub(crate) fn overstating_offsets(transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
    let sometimes = sometimes();
    Arc::new(Around::new(transport, move |inner, mut call: Call| {
        if let RequestBody::TxnOffsetCommit(request) = &mut call.request
            && sometimes()
        {
            let partitions = request.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            partitions.for_each(|partition| partition.committed_offset.0 += 3);
        }
        async move { inner.call(call).await }
    }))
}

/// Says of one call in so many that it is the one.
fn sometimes() -> impl Fn() -> bool + Send + Sync + Clone + 'static {
    let calls = Arc::new(AtomicU64::new(1));
    move || calls.fetch_add(1, SeqCst).is_multiple_of(ONE_OF)
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
