//! How a topic is read.

use std::{fmt, sync::Arc, time::Duration};

use mainstem_client::{Text, Timestamp};

use crate::{
    BadRecords,
    graph::{
        operator::node,
        source::{EventTime, Source, Typed},
        table::source::Keyed,
        times::{BadTimes, Times, ToldBy},
    },
    serdes::Serde,
    topology::{Kind, Make, Node},
    window::millis,
};

/// How a topic is read: the node's name, when its records happened, and what becomes of those that do not parse.
///
/// ```
/// use mainstem_processor::{BadRecords, Input, StreamBuilder, TestDriver};
///
/// let builder = StreamBuilder::new("sum");
/// let input = Input::new().on_bad_record(BadRecords::DeadLetter("not-numbers".into()));
/// builder.stream_with::<(), i64>("numbers", input).map_values(|number| number + 1).to("sums");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// driver.pipe("numbers", (), "seven", 0)?;
/// let bad = driver.read::<(), String>("not-numbers")?;
/// assert_eq!(bad[0].value, "seven");
/// assert_eq!(
///     bad[0].header("__streams.errors.message"),
///     Some("value does not parse: 5 bytes are not an integer of 64 bits, which has 8".into())
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Input<K, V> {
    name: Option<Text>,
    times: Times<EventTime<K, V>>,
    disorder_max: Duration,
    bad_records: BadRecords,
}

impl<K: Serde, V: Serde> Input<K, V> {
    /// The node is named like the topic, records happened when their timestamps say, and the task fails where a
    /// record does not parse.
    #[must_use]
    pub fn new() -> Self {
        Self {
            name: None,
            times: Times::default(),
            disorder_max: Duration::ZERO,
            bad_records: BadRecords::default(),
        }
    }

    /// Names the node.
    #[must_use]
    pub fn named(self, name: impl Into<Text>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Takes the time at which a record happened from its key and value; the last argument is its timestamp, for where they
    /// do not say. It may be called more than once for a record, and must then say the same.
    #[must_use]
    pub fn event_time(self, of: impl Fn(&K, &V, Timestamp) -> Timestamp + Send + Sync + 'static) -> Self {
        self.try_event_time(move |key, value, recorded| Some(of(key, value, recorded)))
    }

    /// As [`Self::event_time`], of records of which some do not tell their time: [`Self::on_bad_time`] says what becomes of
    /// them.
    ///
    /// ```
    /// use mainstem_client::{Text, Timestamp};
    /// use mainstem_processor::{BadTimes, Input, StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("timed");
    /// let of = |_: &(), line: &Text, _| line.split_once(' ')?.0.parse().ok().map(Timestamp);
    /// let input = Input::<(), Text>::new().try_event_time(of).on_bad_time(BadTimes::PartitionTime);
    /// builder.stream_with("lines", input).to("out");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("lines", (), "120 begun", 0)?;
    /// driver.pipe("lines", (), "with more of the same", 0)?;
    /// let times = driver.read::<(), String>("out")?.into_iter().map(|record| record.timestamp.0);
    /// assert_eq!(times.collect::<Vec<_>>(), [120, 120]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn try_event_time(
        self,
        of: impl Fn(&K, &V, Timestamp) -> Option<Timestamp> + Send + Sync + 'static,
    ) -> Self {
        Self { times: self.times.told_by(ToldBy::Event(Arc::new(of))), ..self }
    }

    /// Takes the time at which the broker appended a record, which is its timestamp in a topic with
    /// `message.timestamp.type=LogAppendTime`: nobody keeps that time elsewhere. A start is refused
    /// ([`crate::StartError::ProducersTime`]) while the topic takes the producers' times. What lies there from before that was
    /// changed keeps the times that it has.
    #[must_use]
    pub fn append_time(self) -> Self {
        Self { times: self.times.told_by(ToldBy::Append), ..self }
    }

    /// Gives records the time at which the task takes them: what the clock ([`crate::Settings::clock`]) says then, and
    /// never less than it said before (Kafka Streams: `WallclockTimestampExtractor`). What a program makes of such times is
    /// another with each run, and records that are read again after a restart have other times.
    ///
    /// Beside other inputs such records come behind all that wait and happened by then, and hold up none of their time.
    /// [`Self::ahead_max`] and [`Self::not_before`] say nothing here.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_client::Text;
    /// use mainstem_processor::{Input, StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("seen");
    /// builder.stream_with("in", Input::<(), Text>::new().processing_time()).to("out");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.advance(Duration::from_secs(5))?;
    /// driver.pipe("in", (), "whenever", 42)?;
    /// assert_eq!(driver.read::<(), String>("out")?[0].timestamp.0, 5000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn processing_time(self) -> Self {
        Self { times: self.times.told_by(ToldBy::Clock), ..self }
    }

    /// Takes a record's event time to be bad if it is further ahead of its timestamp than this:
    /// otherwise one that claims to be from the year 9999 moves time there, and all that come later are late. Unless
    /// said otherwise nothing is too far ahead. It says nothing where the timestamp itself is the event time; brokers
    /// refuse timestamps ahead of their clock (`message.timestamp.after.max.ms`).
    #[must_use]
    pub fn ahead_max(self, ahead_max: Duration) -> Self {
        Self { times: self.times.ahead_max(ahead_max), ..self }
    }

    /// Takes a record's event time to be bad if it is before this. Unless said otherwise all times are taken, also those
    /// before 1970. Kafka Streams takes none below zero: with `Timestamp(0)` records without a timestamp, which are at -1,
    /// are treated as [`Self::on_bad_time`] says.
    ///
    /// ```
    /// use mainstem_client::{Text, Timestamp};
    /// use mainstem_processor::{BadTimes, Input, StreamBuilder, TestDriver};
    ///
    /// let builder = StreamBuilder::new("timed");
    /// let input = Input::<(), Text>::new().not_before(Timestamp(0)).on_bad_time(BadTimes::Skip);
    /// builder.stream_with("in", input).to("out");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// driver.pipe("in", (), "without a time", -1)?;
    /// driver.pipe("in", (), "at the beginning", 0)?;
    /// assert_eq!(driver.read::<(), String>("out")?[0].value, "at the beginning");
    /// assert_eq!(driver.counts("in").bad_times, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn not_before(self, not_before: Timestamp) -> Self {
        Self { times: self.times.not_before(not_before), ..self }
    }

    /// Says what becomes of a record whose event time is bad; unless said otherwise what [`Self::on_bad_record`] says.
    #[must_use]
    pub fn on_bad_time(self, bad_times: BadTimes) -> Self {
        Self { times: self.times.on_bad_time(bad_times), ..self }
    }

    /// How far a record may be behind the latest one of its partition without being late: the watermark stays so far
    /// behind. Zero unless said otherwise. All windows behind this input wait so much longer, each with its own grace on
    /// top (Flink: bounded out-of-orderness).
    ///
    /// ```
    /// use std::time::Duration;
    /// use mainstem_client::Text;
    /// use mainstem_processor::{Input, StreamBuilder, TestDriver, TimeWindows, Windowed};
    ///
    /// let builder = StreamBuilder::new("per-second");
    /// let input = Input::<Text, Text>::new().disorder_max(Duration::from_millis(300));
    /// let seconds = TimeWindows::tumbling(Duration::from_secs(1));
    /// let clicks = builder.stream_with("clicks", input).group_by_key().windowed_by(seconds);
    /// clicks.on_close().count("counts").to("per-second");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for time in [900, 1200, 950, 1299] {
    ///     driver.pipe("clicks", "anna", "/", time)?;
    /// }
    /// assert_eq!(driver.read::<Windowed<Text>, i64>("per-second")?, []);
    /// driver.pipe("clicks", "anna", "/", 1300)?;
    /// assert_eq!(driver.read::<Windowed<Text>, i64>("per-second")?[0].value, 2);
    /// driver.pipe("clicks", "anna", "/", 999)?;
    /// assert_eq!(driver.counts("counts").late, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn disorder_max(self, disorder_max: Duration) -> Self {
        Self { disorder_max, ..self }
    }

    /// Says what becomes of a record whose key or value does not parse.
    #[must_use]
    pub fn on_bad_record(self, bad_records: BadRecords) -> Self {
        Self { bad_records, ..self }
    }

    /// Whether some records go to a topic of their own.
    pub(super) fn sends_dead_letters(&self) -> bool {
        let is_sent_on = |aside: &BadRecords| matches!(aside, BadRecords::DeadLetter(_));
        is_sent_on(&self.bad_records) || is_sent_on(&self.times.aside(&self.bad_records))
    }

    /// The node that reads a topic so.
    pub(super) fn into_node(self, topic: Text, is_repartition: bool) -> Node {
        let (times, bad_records) = (self.times.clone(), self.bad_records.clone());
        let make: Make = Arc::new(move |_| {
            node(Source::new(Typed { times: times.clone() }, bad_records.clone(), is_repartition))
        });
        self.node(Kind::Source { topic: topic.clone(), is_repartition }, topic, make)
    }

    fn node(self, kind: Kind, topic: Text, make: Make) -> Node {
        let Self { name, times, disorder_max, bad_records: _ } = self;
        Node {
            disorder_ms: millis(disorder_max),
            goes_by_clock: times.is_clock(),
            needs_append_time: times.is_append(),
            ..Node::new(name.unwrap_or(topic), kind, Vec::new(), make)
        }
    }
}

impl<K: Serde, V: Serde> Input<K, Option<V>> {
    /// The same, for a table: a record without a key is let through, so that it can be counted.
    pub(super) fn into_table_node(self, topic: Text) -> Node {
        let (times, bad_records) = (self.times.clone(), self.bad_records.clone());
        let make: Make = Arc::new(move |_| {
            let read = Keyed { record: Typed { times: times.clone() } };
            node(Source::new(read, bad_records.clone(), false))
        });
        self.node(Kind::Source { topic: topic.clone(), is_repartition: false }, topic, make)
    }
}

impl<K: Serde, V: Serde> Default for Input<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> fmt::Debug for Input<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, times, disorder_max, bad_records } = self;
        f.debug_struct("Input")
            .field("name", name)
            .field("times", times)
            .field("disorder_max", disorder_max)
            .field("bad_records", bad_records)
            .finish()
    }
}
