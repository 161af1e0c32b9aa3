//! The store of a table or an aggregate of typed streams, to look into.

use std::marker::PhantomData;

use bytes::{BufMut, Bytes, BytesMut};
use mainstem_client::Timestamp;

use super::parts::{Types, key_bytes};
use crate::{
    serdes::{Serde, SerdeError},
    state::Store,
};

/// Bytes of the time in front of a value.
const TIME_BYTES: usize = 8;

/// A value as a table keeps it, behind its time.
pub(crate) fn with_time<V: Serde>(bytes: &Bytes) -> Result<(V, Timestamp), SerdeError> {
    let expected = "a value with its time";
    let short = SerdeError::Length { expected, wanted: TIME_BYTES, found: bytes.len() };
    let time = bytes.first_chunk::<TIME_BYTES>().ok_or(short)?;
    let value = V::decode(Some(&bytes.slice(TIME_BYTES..)))?;
    Ok((value, Timestamp(i64::from_be_bytes(*time))))
}

/// A value as [`with_time`] reads it, in memory of its own.
pub(crate) fn behind_time(time: Timestamp, value: &[u8]) -> Bytes {
    let mut whole = BytesMut::with_capacity(TIME_BYTES + value.len());
    whole.put_i64(time.0);
    whole.put_slice(value);
    whole.freeze()
}

/// The store of a [`crate::Table`] that is not kept by windows, to look into: the value of each key, and its time. It is
/// the table's alone to write ([`crate::Context::table`] gives it to read).
///
/// ```
/// use mainstem_client::Text;
/// use mainstem_processor::{
///     Context, InputBatch, OutputRecord, ProcessResult, Processor, Serde, StreamBuilder, TestDriver,
///     state::TableStore,
/// };
///
/// /// Tells how often each word that is asked for was counted.
/// struct HowOften;
///
/// impl Processor for HowOften {
///     fn process(&mut self, batch: &InputBatch, ctx: &mut Context<'_>) -> ProcessResult {
///         for input in &batch.records {
///             let word = Text::decode(input.record.key.as_ref())?;
///             let counts = TableStore::<Text, i64>::over(ctx.table("counts")?);
///             let count = counts.get(&word)?.map_or(0, |(count, _)| count);
///             let (key, value) = (input.record.key.clone(), Some(count.to_string().into()));
///             ctx.forward("answers", OutputRecord { key, value, ..OutputRecord::default() })?;
///         }
///         Ok(())
///     }
/// }
///
/// let builder = StreamBuilder::new("how-often");
/// builder.stream::<Text, Text>("words").group_by_key().count("counts");
/// let questions = builder.stream::<Text, Text>("questions");
/// questions.process("how-often", ["counts"], || HowOften).values::<Text>("answers").to("answers");
///
/// let mut driver = TestDriver::new(&builder.build()?)?;
/// for word in ["tea", "jam", "tea"] {
///     driver.pipe("words", word, "", 0)?;
/// }
/// driver.pipe("questions", "tea", "?", 0)?;
/// assert_eq!(driver.read::<String, String>("answers")?[0].value, "2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TableStore<'a, K, V> {
    store: &'a Store,
    types: Types<K, V>,
}

impl<'a, K: Serde, V: Serde> TableStore<'a, K, V> {
    /// A view of a store.
    #[must_use]
    pub const fn over(store: &'a Store) -> Self {
        Self { store, types: PhantomData }
    }

    /// The value of a key, and its time: the largest of the records that it was made from.
    ///
    /// # Errors
    /// Where the store holds something else, or the key has no bytes.
    pub fn get(&self, key: &K) -> Result<Option<(V, Timestamp)>, SerdeError> {
        self.store.get(&key_bytes(key)?).map(|value| with_time(&value)).transpose()
    }

    /// All entries, in the order of the keys' bytes: read one at a time.
    ///
    /// # Errors
    /// Each entry where the store holds something else.
    pub fn all(&self) -> impl Iterator<Item = Result<(K, V), SerdeError>> {
        let entries = self.store.entries_from(b"");
        entries.map(|(key, value)| Ok((K::decode(Some(&key))?, with_time(&value)?.0)))
    }
}
