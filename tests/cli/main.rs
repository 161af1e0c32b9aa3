//! The command line from end to end: the binary itself, its output, its exit codes.

#![expect(clippy::disallowed_methods, reason = "the folders of tests are no log")]
#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

mod altered;
mod bench;
mod broker;
mod called_wrongly;
mod config;
mod deleted_records;
mod demo;
mod group_changes;
mod groups;
mod help;
mod process;
mod records;
mod serve;
mod strangers;
mod topics;
mod tutorial;
mod txn;
mod verify;
#[path = "../support/wire.rs"]
mod wire;
