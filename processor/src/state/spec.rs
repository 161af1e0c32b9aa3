//! A store as a topology declares it.

use mainstem_client::Text;

use super::Kept;
use crate::serdes::Serde;

/// The kind of store that tables have: a value for each key, behind its time.
pub(crate) const KEY_VALUE: &str = "key-value";

/// A store as a topology declares it: its name, where it is kept, and what it holds. A name alone is one too.
///
/// What it holds is written down beside it, so that another topology, or a newer version of the same, does not read
/// it as something else. Typed nodes (`count`, `reduce`, `join`...) know themselves what they keep, and say it in place of
/// what was said here; stores of processors of the low-level interface hold what is said here. Where a store is kept is
/// not written down: one that was in memory may be on disk the next time, and is read there from its changelog.
///
/// Typed nodes take one wherever they take the name of a store (Kafka Streams: `Materialized.as`, `withStoreType`):
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{StoreSpec, StreamBuilder};
///
/// let builder = StreamBuilder::new("shop");
/// let orders = builder.stream::<Text, i64>("orders");
/// // Few customers have an open basket; all that there ever were have a turnover.
/// orders.group_by_key().count(StoreSpec::new("baskets").in_memory()).to("baskets");
/// orders.group_by_key().reduce(StoreSpec::new("turnover").on_disk(), |sum, cents| sum + cents).to("turnover");
/// # builder.build()?;
/// # Ok::<(), mainstem_processor::TopologyError>(())
/// ```
///
/// A processor of the low-level interface:
///
/// ```
/// use mainstem_processor::{StoreSpec, TopologyBuilder};
/// # use mainstem_processor::{Context, InputBatch, ProcessResult, Processor};
/// # struct Count;
/// # impl Processor for Count {
/// #     fn process(&mut self, _: &InputBatch, _: &mut Context<'_>) -> ProcessResult { Ok(()) }
/// # }
/// let counts = StoreSpec::new("counts").on_disk().keys("text").values("i64");
/// let topology = TopologyBuilder::new("word-count")
///     .source("words", "words-topic")
///     .processor("count", ["words"], ["counts"], || Count)
///     .store(counts)
///     .build()?;
/// # Ok::<(), mainstem_processor::TopologyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSpec {
    pub(crate) name: Text,
    pub(crate) kept: Option<Kept>,
    pub(crate) has_changelog: bool,
    pub(crate) form: Form,
}

/// What a store holds; what is empty is not known, and not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) kind: Text,
    pub(crate) keys: Text,
    pub(crate) values: Text,
    pub(crate) windows: Text,
}

impl Form {
    /// Keys and values of such types, kept in such a way.
    pub(crate) fn new<K: Serde, V: Serde>(kind: &'static str) -> Self {
        Self {
            kind: kind.into(),
            keys: K::format().into(),
            values: V::format().into(),
            windows: Text::default(),
        }
    }
}

impl StoreSpec {
    /// A store of that name, kept where [`crate::Settings::kept`] says.
    #[must_use]
    pub fn new(name: impl Into<Text>) -> Self {
        Self { name: name.into(), kept: None, has_changelog: true, form: Form::default() }
    }

    /// Keeps it in memory, whatever [`crate::Settings::kept`] says: fast, and read from the changelog as a whole at each
    /// start.
    #[must_use]
    pub fn in_memory(self) -> Self {
        Self { kept: Some(Kept::InMemory), ..self }
    }

    /// Keeps it in the state directory, whatever [`crate::Settings::kept`] says: as large as the disk, and a start reads
    /// what came since the last commit alone. Without a [`crate::Settings::state_directory`] the program does not start.
    #[must_use]
    pub fn on_disk(self) -> Self {
        Self { kept: Some(Kept::OnDisk), ..self }
    }

    /// Gives it no changelog (Kafka Streams: `Materialized.withLoggingDisabled`): its changes are written nowhere else, and
    /// it is empty whenever its task begins, wherever it is kept: at each start, and after each error that the task is tried
    /// again for. The input is not read again for it: counts begin anew at zero, tables hold what has come since, and windows
    /// and joins lack what came before. It is for what may be forgotten: caches, and what is looked up again when it is
    /// missing. A store that had a changelog and gets it again has what was written there back, and nothing of the time between.
    ///
    /// How far its task has come is kept all the same: in another store of the task, or in one of its own.
    ///
    /// ```
    /// use mainstem_client::Text;
    /// use mainstem_processor::{StoreSpec, StreamBuilder};
    ///
    /// let builder = StreamBuilder::new("sensors");
    /// let seen = StoreSpec::new("since-start").without_changelog();
    /// builder.stream::<Text, i64>("readings").group_by_key().count(seen).to("readings-since-start");
    /// # builder.build()?;
    /// # Ok::<(), mainstem_processor::TopologyError>(())
    /// ```
    #[must_use]
    pub fn without_changelog(self) -> Self {
        Self { has_changelog: false, ..self }
    }

    /// The kind of store: how its keys are put together.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<Text>) -> Self {
        self.form.kind = kind.into();
        self
    }

    /// The format of its keys, as [`crate::Serde::format`] says it.
    #[must_use]
    pub fn keys(mut self, format: impl Into<Text>) -> Self {
        self.form.keys = format.into();
        self
    }

    /// The format of its values, as [`crate::Serde::format`] says it.
    #[must_use]
    pub fn values(mut self, format: impl Into<Text>) -> Self {
        self.form.values = format.into();
        self
    }

    /// The windows by which its keys are kept. How long they are kept follows from the windows and their grace.
    #[must_use]
    pub fn windows(mut self, windows: impl Into<Text>) -> Self {
        self.form.windows = windows.into();
        self
    }

    /// A store of a typed node, which knows itself what that holds.
    pub(crate) fn holding(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Another store of the same node, kept as this one is.
    pub(crate) fn beside(&self, what: &str) -> Self {
        let name = format!("{}-{what}", self.name).into();
        Self { name, form: Form::default(), ..self.clone() }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &Text {
        &self.name
    }
}

impl From<&str> for StoreSpec {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for StoreSpec {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl From<Text> for StoreSpec {
    fn from(name: Text) -> Self {
        Self::new(name)
    }
}
