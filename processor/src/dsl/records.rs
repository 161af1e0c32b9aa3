//! Records with their times and headers.

use mainstem_client::{Headers, Timestamp};

use super::{Data, Stream};
use crate::record::Item;

/// A record with everything that belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamRecord<K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// When it happened.
    pub time: Timestamp,
    /// The headers.
    pub headers: Headers,
}

impl<K, V> StreamRecord<K, V> {
    /// The same record with another key.
    pub fn with_key<K2>(self, key: K2) -> StreamRecord<K2, V> {
        let Self { key: _, value, time, headers } = self;
        StreamRecord { key, value, time, headers }
    }

    /// The same record with another value.
    pub fn with_value<V2>(self, value: V2) -> StreamRecord<K, V2> {
        let Self { key, value: _, time, headers } = self;
        StreamRecord { key, value, time, headers }
    }
}

impl<K, V> Item<K, V> {
    /// What users see of it, and what they do not.
    fn apart(self) -> (StreamRecord<K, V>, (Timestamp, u64)) {
        let Self { key, value, time, headers, watermark, order } = self;
        (StreamRecord { key, value, time, headers }, (watermark, order))
    }

    fn together(record: StreamRecord<K, V>, (watermark, order): (Timestamp, u64)) -> Self {
        let StreamRecord { key, value, time, headers } = record;
        Self { key, value, time, headers, watermark, order }
    }
}

impl<K: Data, V: Data> Stream<K, V> {
    /// Makes another record of each, with a look at its time and headers, which may be others too. A time that is changed
    /// does not move the watermark: a record that is moved back may be late.
    ///
    /// ```
    /// use mainstem_client::{Headers, Text};
    /// use mainstem_processor::{StreamBuilder, StreamRecord, TestDriver};
    ///
    /// let builder = StreamBuilder::new("in-seconds");
    /// builder
    ///     .stream::<Text, Text>("orders")
    ///     .map_records(|record| {
    ///         let second = record.time.0 / 1000;
    ///         StreamRecord { headers: Headers::default(), ..record.with_key(second) }
    ///     })
    ///     .to("by-second");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("orders", "anna", "tea", 2500)?;
    /// assert_eq!(driver.read::<i64, Text>("by-second")?[0].key, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn map_records<K2: Data, V2: Data>(
        &self,
        map: impl Fn(StreamRecord<K, V>) -> StreamRecord<K2, V2> + Send + Sync + 'static,
    ) -> Stream<K2, V2> {
        self.step("map_records", true, move |records, out| {
            out.extend(records.drain(..).map(|item| {
                let (record, place) = item.apart();
                Item::together(map(record), place)
            }));
        })
    }

    /// As [`Self::map_records`], with any number of records made of each.
    #[must_use]
    pub fn flat_map_records<K2: Data, V2: Data, I: IntoIterator<Item = StreamRecord<K2, V2>>>(
        &self,
        map: impl Fn(StreamRecord<K, V>) -> I + Send + Sync + 'static,
    ) -> Stream<K2, V2> {
        self.step("flat_map_records", true, move |records, out| {
            for item in records.drain(..) {
                let (record, place) = item.apart();
                out.extend(map(record).into_iter().map(|record| Item::together(record, place)));
            }
        })
    }

    /// Makes another value of each record, with a look at its key, time and headers, which stay: nothing has to move to
    /// another partition then.
    ///
    /// ```
    /// use mainstem_client::{Headers, Text};
    /// use mainstem_processor::{StreamBuilder, TestDriver, TestRecord};
    ///
    /// let builder = StreamBuilder::new("tenants");
    /// let tenant = |headers: &Headers| match headers.iter().find(|(name, _)| name == "tenant") {
    ///     Some((_, Some(tenant))) => String::from_utf8_lossy(&tenant).into_owned(),
    ///     _ => "unknown".to_owned(),
    /// };
    /// builder.stream::<Text, Text>("orders").map_record_values(move |record| tenant(&record.headers)).to("tenants");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// let headers = Headers::new([(&b"tenant"[..], Some(&b"blue"[..]))]).unwrap_or_default();
    /// driver.pipe_record("orders", &TestRecord { headers, ..TestRecord::new("anna", "tea", 0) })?;
    /// assert_eq!(driver.read::<Text, Text>("tenants")?[0].value, "blue");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn map_record_values<V2: Data>(
        &self,
        map: impl Fn(&StreamRecord<K, V>) -> V2 + Send + Sync + 'static,
    ) -> Stream<K, V2> {
        self.step("map_record_values", self.is_rekeyed(), move |records, out| {
            out.extend(records.drain(..).map(|item| {
                let (record, place) = item.apart();
                let value = map(&record);
                Item::together(record.with_value(value), place)
            }));
        })
    }
}
