//! The store: every topic of the node, behind one journal.
//!
//! ```text
//! Store::open(Options, Arc<dyn Disk>, Arc<dyn Clock>) -> Result<(Arc<Store>, Recovery), OpenError>
//!
//! impl Store {
//!     // Images: never block.
//!     fn topics(&self) -> Arc<Topics>;                    // by name and by id, each with config and partitions
//!     fn partition(&self, TopicId, PartitionId) -> Option<Arc<Partition>>;
//!     fn identity(&self) -> &Identity;                    // cluster id, node id, incarnation
//!
//!     // Appends: never block on I/O. On `AppendError::NoRoom` call `make_room` on a thread that may block, and
//!     // append again.
//!     fn append(&self, &AppendGroup) -> Result<Ticket, AppendError>;
//!     fn make_room(&self, &mut AppendGroup) -> Result<(), AppendError>;
//!
//!     // Always synced. The ticket resolves once the image shows it.
//!     fn create_topic(&self, NewTopic { name, partitions, overrides, keyed }) -> Result<(TopicId, Ticket), TopicError>;
//!     fn delete_topic(&self, TopicId) -> Result<Ticket, TopicError>;
//!     fn set_topic_config(&self, TopicId, Overrides) -> Result<Ticket, TopicError>;   // all that it then has of its own
//!     fn move_log_start(&self, TopicId, PartitionId, Offset) -> Result<Ticket, AppendError>;
//!     fn next_producer_id(&self) -> Result<ProducerId, ProducerIdError>;  // takes blocks from the journal ahead of need
//!
//!     // Last values by key of a topic that was created as keyed.
//!     fn keyed_image(&self, TopicId, PartitionId) -> Option<BTreeMap<Bytes, Bytes>>;
//!
//!     // One cut for all partitions of a fetch: the ends stand still while it is held. Never hold it across an await.
//!     fn cut(&self) -> Cut<'_>;
//!
//!     fn truncate_to(&self, Lsn);                         // takes back every unresolved group behind it
//!     fn shutdown(&self) -> Result<(), Poisoned>;         // drain, sync, last checkpoint; blocks
//!     fn stats(&self) -> Stats;
//!
//!     // The steps that the threads do, for a simulation (`Options { background: false, .. }`).
//!     fn round(&self) -> Result<Round, Poisoned>;
//!     fn checkpoint_step(&self), allocate_step(&self), cleanup_step(&self), retention_step(&self) ...
//! }
//!
//! impl Partition {
//!     fn high_watermark(&self) -> Offset;   fn log_start(&self) -> Offset;   fn leader_epoch(&self) -> LeaderEpoch;
//!     fn visible(&self, &Cut) -> Visible;                 // log start, high watermark, last stable offset of the cut
//!     fn end_offset_for_epoch(&self, LeaderEpoch) -> (LeaderEpoch, Offset);
//!     fn offset_for_timestamp(&self, Timestamp) -> Result<Option<(Offset, Timestamp)>, ReadError>;   // may block
//!     fn read(&self, &Visible, Offset, Read { bytes_max, at_least_one, wait: bool }) -> Result<Slice, ReadError>;
//!     // `ReadError::Cold` where `wait` is false and it is not in the page cache: again on a thread that may block
//!     fn subscribe(&self, &Arc<Notify>);                  // once; told when an end rises, the log start moves, or it is deleted
//! }
//! ```

mod error;

pub use error::{AppendError, Poisoned};
