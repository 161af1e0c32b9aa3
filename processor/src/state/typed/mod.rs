//! Stores of keys and values with types, for processors of the low-level interface. Each is a view of a
//! [`Store`](super::Store) for the moment; what it keeps is bytes there, and reaches changelog and disk like all others.
//!
//! | store | keeps | forgets |
//! |---|---|---|
//! | [`KeyValueStore`] | a value for each key | nothing |
//! | [`ExpiringStore`] | a value for each key, and when it was so | what is older than its time to live |
//! | [`WindowStore`] | values by key and time | times older than its retention |
//! | [`SessionStore`] | values by key and the stretch of time that they are of | stretches that ended before its retention |
//! | [`VersionedStore`] | every value that a key had, and from when to when | what ceased to be so before its history |
//!
//! [`TableStore`] looks into the store of a table of typed streams.
//!
//! Those that forget go by the *time of the store*: the largest time that anything put there had, or that they were told
//! of ([`ExpiringStore::observe`] and its like). It is kept with the store. No clock comes in, so that the same records
//! lead to the same store, whenever and however often they are worked through. What is too old is not shown from the
//! moment on that it is, and taken out, with a tombstone in the changelog, as later calls come by.
//!
//! Declare a store by the `spec` of its type: it writes down what the store holds, and a topology that would read it as
//! something else is refused.

mod expiring;
mod key_value;
mod parts;
mod session;
mod table;
#[cfg(test)]
mod tests;
mod versioned;
mod window;

pub use expiring::ExpiringStore;
pub use key_value::KeyValueStore;
pub use session::{Session, SessionStore};
pub use table::TableStore;
pub(crate) use table::{behind_time, with_time};
pub use versioned::{Put, Version, VersionedStore};
pub use window::WindowStore;
