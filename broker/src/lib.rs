//! The broker: a message log that speaks the Kafka wire protocol, with stream processors beside its logs.
//!
//! # Layout
//!
//! The folders stand in the order in which a request goes through them.
//!
//! - `net`: listeners, connections, frames; replies leave in order.
//! - `dispatch`: every request, from socket, process or HTTP, with one context.
//! - `api`: one file per API key; the mapping from errors to wire codes.
//! - `fetch_session`: what clients need not name in every Fetch.
//! - `group`: consumer groups as pure state machines, and the log of their offsets.
//! - `broker`: the composition of all of it: starts in order, stops in order.
//! - `embed`: processors that live beside the broker.
//! - [`http`]: the page at `/`, `/metrics` and the health checks.
//! - [`metrics`]: what is counted, behind typed handles.
//! - [`config`]: settings: flags over environment over file over defaults.
//! - [`cli`]: every subcommand of the binary.
//! - [`process`]: log lines, descriptors, threads, signals.
//! - [`task`]: spawning: each task has a name, an owner and a policy.
//!
//! **Architecture Invariant:** only `embed` names `mainstem_processor`: the broker serves processors
//! as it serves any client.
//!
//! **Architecture Invariant:** files belong to `mainstem_storage`; nothing here opens one, except for the settings
//! file, and `/proc`, which is none.

mod api;
pub mod broker;
pub mod caps;
#[cfg(test)]
mod chance;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod embed;
mod fetch_session;
pub mod group;
pub mod http;
pub mod metrics;
pub mod net;
pub mod node;
mod observer;
mod partition;
pub mod process;
mod producer_ids;
pub mod task;
pub mod transaction;
