//! Steps of streams that look at the key too, and those that end one.

use std::{
    fmt::{Debug, Write as _},
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::debug;

use super::{Data, Stream};
use crate::{
    graph::{operator::node, stateless::Look},
    record::Item,
    topology::{Kind, Make, Node},
};

impl<K: Data, V: Data> Stream<K, V> {
    /// Leaves out the records that `drop` says yes to.
    #[must_use]
    pub fn filter_not(&self, drop: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.step("filter_not", self.is_rekeyed(), move |records, out| {
            records.retain(|item| !drop(&item.key, &item.value));
            out.append(records);
        })
    }

    /// As [`Self::map_values`], with a look at the key.
    #[must_use]
    pub fn map_values_with_key<V2: Data>(
        &self,
        map: impl Fn(&K, V) -> V2 + Send + Sync + 'static,
    ) -> Stream<K, V2> {
        self.step("map_values", self.is_rekeyed(), move |records, out| {
            let with_key = |key, value| {
                let value = map(&key, value);
                (key, value)
            };
            out.extend(records.drain(..).map(|item| item.with(with_key)));
        })
    }

    /// As [`Self::flat_map_values`], with a look at the key.
    #[must_use]
    pub fn flat_map_values_with_key<V2: Data, I: IntoIterator<Item = V2>>(
        &self,
        map: impl Fn(&K, V) -> I + Send + Sync + 'static,
    ) -> Stream<K, V2> {
        self.step("flat_map_values", self.is_rekeyed(), move |records, out| {
            for item in records.drain(..) {
                let Item { key, value, time, headers, watermark, order } = item;
                let results = map(&key, value).into_iter();
                out.extend(results.map(|value| Item {
                    key: key.clone(),
                    value,
                    time,
                    headers: headers.clone(),
                    watermark,
                    order,
                }));
            }
        })
    }

    /// Does something with each record, and ends there. It is done anew for what is read anew after a restart, so that it
    /// may happen more than once for a record.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("alarm");
    /// let (sender, alarms) = std::sync::mpsc::sync_channel(10);
    /// let temperatures = builder.stream::<Text, i64>("temperatures");
    /// let alarm = move |room: &Text, _: &i64| drop(sender.try_send(room.to_string()));
    /// temperatures.filter(|_, degrees| *degrees > 60).for_each(alarm);
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for (room, degrees) in [("kitchen", 20_i64), ("boiler room", 70)] {
    ///     driver.pipe("temperatures", room, degrees, 0)?;
    /// }
    /// assert_eq!(alarms.try_iter().collect::<Vec<_>>(), ["boiler room"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_each(&self, look: impl Fn(&K, &V) + Send + Sync + 'static) {
        let look: Look<Item<K, V>> = Arc::new(move |item| look(&item.key, &item.value));
        let make: Make = Arc::new(move |_| node(Arc::clone(&look)));
        let name = self.draft().free(&format!("{}.for_each", self.node().name));
        self.draft().lock().add(Node::new(name, Kind::Processor, vec![self.node().clone()], make));
    }
}

impl<K: Data + Debug, V: Data + Debug> Stream<K, V> {
    /// Writes each record on a line, as Kafka Streams' `Printed` does: `[label]: key, value`. What cannot be written is
    /// left out.
    ///
    /// ```
    /// # use mainstem_client::Text;
    /// # let builder = mainstem_processor::StreamBuilder::new("t");
    /// builder.stream::<Text, Text>("orders").print_to(std::io::stdout(), "orders");
    /// ```
    pub fn print_to(&self, to: impl io::Write + Send + 'static, label: &str) {
        let (to, label) = (Mutex::new(to), label.to_owned());
        self.for_each(move |key, value| {
            let mut line = String::new();
            // Writing to a string does not fail.
            let _ = writeln!(line, "[{label}]: {key:?}, {value:?}");
            let written = to.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
            if let Err(error) = written {
                debug!(%error, label, "record could not be printed");
            }
        });
    }
}
