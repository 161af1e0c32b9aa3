//! The architecture's invariants: each a test whose name is the fact.
//!
//! # Layout
//!
//! - `tree`: the repository's files, read once.
//! - `code`: Rust source without comments, literals and unit tests, so that a word found is a word used.
//! - `manifest`: what a `Cargo.toml` depends on.
//! - `rules`: the checkers, pure functions from text to violations; [`planted`] tests them with bad input.
//! - `packages`, `sources`, `documents`: the invariants.

mod code;
mod documents;
mod manifest;
mod packages;
mod planted;
mod rules;
mod sources;
mod tree;

/// Fails with every violation, one a line.
fn assert_none(violations: Vec<String>) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}
