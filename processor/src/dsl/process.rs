//! Processors of the low-level interface within typed streams.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use mainstem_client::Text;

use super::{Draft, Stream, StreamBuilder};
use crate::{
    Processor, StoreSpec,
    graph::{
        operator::{node, node_with},
        outlet::Ports,
        process::{Process, Reading},
    },
    serdes::Serde,
    topology::{Kind, Make, Node, Parent},
};

impl StreamBuilder {
    /// Adds a store for [`Stream::process`]: a name, or what else there is to say about it, as where it is kept. Its
    /// changelog is the topic `NAME-STORE-changelog`.
    pub fn store(&self, store: impl Into<StoreSpec>) {
        self.draft().lock().add_store(store);
    }
}

/// What a processor forwards: a stream for each of its outputs. What goes to an output that nobody has asked for here is an
/// error of the processor, which is told the names that there are.
pub struct Processed<K> {
    draft: Draft,
    name: Text,
    outputs: Arc<Mutex<Vec<Text>>>,
    is_rekeyed: bool,
    types: PhantomData<fn() -> K>,
}

impl<K> fmt::Debug for Processed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processed").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K: Serde, V: Serde> Stream<K, V> {
    /// Calls a processor of the low-level interface, under a name, with each record as its bytes, one at a time. It may use
    /// `stores`: those of [`StreamBuilder::store`], which it may write ([`crate::Context::store`]), and those of tables that
    /// are not kept by windows, to look into ([`crate::Context::table`], read by [`crate::state::TableStore`]). `factory` makes one instance for each task, and another one whenever a
    /// task starts again.
    ///
    /// It forwards to outputs by names of its own choice ([`crate::Context::forward`]); each is a stream,
    /// [`Processed::output`].
    ///
    /// Where the key has changed on the way and there are stores, records go through the repartition topic
    /// `TOPOLOGY-NAME-repartition` first, so that those of one key meet in one task.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{
    ///     Context, InputBatch, OutputRecord, ProcessResult, Processor, StreamBuilder, TestDriver,
    ///     state::KeyValueStore,
    /// };
    ///
    /// /// Lets the first record of each key pass, and the others to the side.
    /// struct FirstOfKey;
    ///
    /// impl Processor for FirstOfKey {
    ///     fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
    ///         for input in &batch.records {
    ///             let key = input.record.key.clone().unwrap_or_default();
    ///             let mut seen = KeyValueStore::<bytes::Bytes, i64>::over(ctx.store("seen")?);
    ///             let is_first = seen.put_if_absent(&key, &1)?.is_none();
    ///             let (value, timestamp) = (input.record.value.clone(), input.event_time);
    ///             let record = OutputRecord { key: Some(key), value, timestamp, ..OutputRecord::default() };
    ///             ctx.forward(if is_first { "first" } else { "again" }, record)?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let builder = StreamBuilder::new("first-orders");
    /// builder.store(KeyValueStore::<bytes::Bytes, i64>::spec("seen"));
    /// let orders = builder.stream::<Text, Text>("orders").process("first-of-key", ["seen"], || FirstOfKey);
    /// orders.output::<Text, Text>("first").to("first-orders");
    /// orders.output::<Text, Text>("again").to("further-orders");
    ///
    /// let mut driver = TestDriver::new(&builder.build()?)?;
    /// for article in ["tea", "jam"] {
    ///     driver.pipe("orders", "anna", article, 0)?;
    /// }
    /// assert_eq!(driver.read::<String, String>("first-orders")?[0].value, "tea");
    /// assert_eq!(driver.read::<String, String>("further-orders")?[0].value, "jam");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process<P: Processor + 'static, const S: usize>(
        &self,
        name: impl Into<Text>,
        stores: [&str; S],
        factory: impl Fn() -> P + Send + Sync + 'static,
    ) -> Processed<K> {
        let (name, stores): (Text, Vec<Text>) = (name.into(), stores.into_iter().map(Text::from).collect());
        let moves = self.is_rekeyed() && !stores.is_empty();
        let stream = if moves { self.repartition(name.clone()) } else { self.clone() };
        let outputs: Arc<Mutex<Vec<Text>>> = Arc::default();
        let (shared, names) = (Arc::clone(&outputs), stores.clone());
        // Operators are made when the program is complete: by then all outputs are there.
        let make: Make = Arc::new(move |setting| {
            let outputs = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let ports = Ports::new(outputs.len());
            let (processor, tables) = (Box::new(factory()), setting.tables.clone());
            node_with(Process::<K, V>::new(processor, names.clone(), tables, outputs), ports)
        });
        let processor = Node::new(name.clone(), Kind::Processor, vec![stream.node().clone()], make);
        let mut draft = self.draft().lock();
        // A processor may look at the watermark at any time.
        draft.add(Node { stores, is_timed: true, is_process: true, ..processor });
        drop(draft);
        let (draft, is_rekeyed) = (self.draft().clone(), stream.is_rekeyed());
        Processed { draft, name, outputs, is_rekeyed, types: PhantomData }
    }
}

impl<K: Serde> Processed<K> {
    /// What the processor forwards to the output of that name. The node is named `PROCESSOR-OUTPUT`. Keys may be others than
    /// those that came in: grouping and joining have the records go through a repartition topic.
    #[must_use]
    pub fn output<K2: Serde, V2: Serde>(&self, output: &str) -> Stream<K2, V2> {
        self.read(output, true)
    }

    /// As [`Self::output`], of a processor that leaves the keys as they came, so that nothing needs to be moved behind it
    /// (Kafka Streams: `processValues`).
    #[must_use]
    pub fn values<V2: Serde>(&self, output: &str) -> Stream<K, V2> {
        self.read(output, self.is_rekeyed)
    }

    fn read<K2: Serde, V2: Serde>(&self, output: &str, is_rekeyed: bool) -> Stream<K2, V2> {
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.push(Text::from(output));
        let parent = Parent { name: self.name.clone(), port: Some(outputs.len() - 1) };
        let name = Text::from(format!("{}-{output}", self.name));
        let make: Make = Arc::new(|_| node(Reading::<K2, V2>::new()));
        self.draft.check::<K2, V2>(&name);
        self.draft.lock().add(Node::new(name.clone(), Kind::Processor, vec![parent], make));
        Stream::new(self.draft.clone(), Parent::only(name), is_rekeyed)
    }
}
