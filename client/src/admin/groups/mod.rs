//! Lists, describes and deletes groups; reads and sets how far they have read; takes members out of them.

mod delete;
mod describe;
mod error;
mod list;
mod offsets;
#[cfg(test)]
mod tests;

pub use delete::Departure;
pub use describe::{GroupDescription, GroupEpochs, GroupMember};
pub use error::{AlterGroupOffsetsError, DeleteGroupError, DeleteGroupOffsetsError, RemoveMembersError};
pub use list::{GroupFilter, GroupListing};
