//! The processor of the demo: counts requests, errors and bytes of each minute and status class, and writes each count
//! once, when its minute is over.

use std::time::Duration;

use bytes::Bytes;
use mainstem_processor::{
    Context, InputBatch, OutputRecord, ProcessResult, Processor, TumblingWindows, Window,
};
use mainstem_protocol::Timestamp;
use tracing::warn;

use super::{
    access_log::AccessLine,
    documents::{Counts, MinuteAndClass},
};

/// The output's name.
pub(super) const OUTPUT: &str = "per-minute";

/// The store's name.
pub(super) const STORE: &str = "minutes";

/// How long a minute waits for lines that come late.
pub(super) const GRACE: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Counter {
    minutes: TumblingWindows,
}

impl Counter {
    pub(super) fn new() -> Self {
        Self { minutes: TumblingWindows::new(STORE, Duration::from_secs(60)).grace(GRACE) }
    }
}

impl Processor for Counter {
    fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
        for input in &batch.records {
            let text = input.record.value.as_deref().map(str::from_utf8);
            let Some(line) = text.and_then(Result::ok).and_then(|text| AccessLine::parse(text).ok()) else {
                warn!(offset = %input.record.offset, "this is no line of an access log; it is left out");
                continue;
            };
            let add = |counts: Option<Bytes>| {
                let before = counts.and_then(|counts| Counts::from_bytes(&counts)).unwrap_or_default();
                Bytes::from(before.add(line.is_error(), line.bytes).to_bytes())
            };
            self.minutes.add(input, line.class().as_bytes(), ctx, add)?;
        }
        Ok(())
    }

    fn on_watermark(&mut self, ctx: &mut Context<'_>) -> ProcessResult {
        for (window, class, counts) in self.minutes.close(ctx)? {
            ctx.forward(OUTPUT, result(window, &class, &counts)?)?;
        }
        Ok(())
    }
}

fn result(
    window: Window,
    class: &[u8],
    counts: &[u8],
) -> Result<OutputRecord, Box<dyn std::error::Error + Send + Sync>> {
    let key = MinuteAndClass::new(window, str::from_utf8(class)?)?;
    let counts = Counts::from_bytes(counts).ok_or("the store holds something else than counts")?;
    Ok(OutputRecord {
        key: Some(serde_json::to_vec(&key)?.into()),
        value: Some(serde_json::to_vec(&counts)?.into()),
        timestamp: Timestamp(window.end.0 - 1),
        ..OutputRecord::default()
    })
}
