//! For tests: values of every described structure, and its description in the words of Kafka's schemas. Each
//! `structure!` and `message!` has both by itself.

mod kinds;
mod shape;
mod source;

pub(crate) use shape::{Field, Shape, both, limits};
pub(crate) use source::{Counting, Random, Source};

/// A type that descriptions may use.
pub(crate) trait Specimen: Sized {
    /// A value as `version` may carry it: what the version lacks has its default.
    fn specimen(source: &mut dyn Source, version: i16) -> Self;

    /// What it is in Kafka's schemas.
    fn shape() -> Shape;

    /// The value in the words of Kafka's schemas, where it can be a default there.
    fn as_default(&self) -> String {
        String::new()
    }
}
