//! Topics that are read as tables.

use mainstem_client::{Record, Timestamp};

use crate::{
    BadRecords,
    graph::{
        source::{Outcome, Read, Typed, Unreadable},
        times::Met,
    },
    record::Item,
    serdes::Serde,
};

/// Reads keys and values of a table. Null is a removal, whatever the value's type, and a record without a key says
/// nothing about a table.
pub(crate) struct Keyed<K, V> {
    pub(crate) record: Typed<K, Option<V>>,
}

impl<K, V> Item<Option<K>, Option<V>> {
    /// What it says of a table, if it has a key.
    pub(crate) fn keyed(self) -> Option<Item<K, Option<V>>> {
        let Self { key, value, time, headers, watermark, order } = self;
        key.map(|key| Item { key, value, time, headers, watermark, order })
    }
}

impl<K: Serde, V: Serde> Read for Keyed<K, V> {
    type Out = Item<Option<K>, Option<V>>;

    fn read(&self, record: Record, met: Met) -> Outcome<Self::Out> {
        if record.key.is_some() {
            let (item, time) = self.record.read(record, met)?;
            return Ok((item.with(|key, value| (Some(key), value)), time));
        }
        match self.record.times.of(record.timestamp, met, |_| Some(record.timestamp)) {
            Ok(time) => {
                let headers = record.headers;
                Ok((Item { key: None, value: None, time, headers, watermark: time, order: 0 }, time))
            }
            Err(cause) => Err(Box::new(Unreadable::without_time(record, cause))),
        }
    }

    fn is_timed_by_content(&self) -> bool {
        self.record.is_timed_by_content()
    }

    fn time_of(&self, recorded: Timestamp, met: Met) -> Option<Timestamp> {
        self.record.time_of(recorded, met)
    }

    fn bad_times(&self, bad_records: &BadRecords) -> BadRecords {
        self.record.bad_times(bad_records)
    }

    fn seen(out: &mut Self::Out, watermark: Timestamp, order: u64) {
        (out.watermark, out.order) = (watermark, order);
    }
}
