//! A whole broker on a port of its own, asked over TCP with frames put together byte by byte.
//!
//! # Layout
//!
//! - `harness`: a broker on a temporary directory, and a client that says exactly what it is told to.
//! - `altered`: topics that get more partitions and other settings.
//! - `clients`, `processors`: our own, over TCP and within the process.
//! - `demo`: the demo, to its end.
//! - `described`: groups and directories as administrators see them.
//! - `embedded`: the broker that others test with.
//! - `errors`: what clients are told, counted.
//! - `fetch_sessions`: what a Fetch need not name.
//! - `frames`: what is no request, and what is one too many.
//! - `groups`: members come and go, and what they commit stays.
//! - `listeners`: several addresses, and what clients are told to dial.
//! - `log`: batches in and out.
//! - `order`: who waits for whom.
//! - `strangers`: peers that speak something else, or begin and do not end.
//! - `topics`: topics made, described and deleted.
//! - `transactions`: what is committed is seen whole, and what is not is never seen.
//! - `transports`: the ways of a client, over TCP and within the process.

#![allow(clippy::unwrap_used, reason = "these are tests, and a panic is their report")]

mod administration;
mod altered;
mod clients;
mod deleted_records;
mod demo;
mod described;
mod described_producers;
mod embedded;
mod errors;
mod fetch_sessions;
mod frames;
mod groups;
mod harness;
mod listeners;
mod log;
mod order;
mod processors;
mod resource_settings;
mod single_node;
mod strangers;
mod topics;
mod transactions;
mod transports;
