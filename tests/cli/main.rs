//! The command line from end to end: the binary itself, its output, its exit codes.

#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

mod called_wrongly;
mod process;
