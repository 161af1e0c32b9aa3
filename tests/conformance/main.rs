//! What our client does, the same on every broker: Mainstem, or the Kafka whose address `CONFORMANCE_BOOTSTRAP` holds.
//!
//! # Layout
//!
//! - `scene`: the broker, and topics of a test's own.
//! - `member`: a consumer of a group on a task of its own.
//! - `records`: what goes in comes out.
//! - `assigned`: partitions that a consumer chose.
//! - `groups`: partitions that a group shares out, in both protocols.
//! - `commits`: how far a group is.
//! - `transactional`: what our client produces in transactions; `transactions`: what others have.
//! - `compacted`: what compaction leaves.
//! - `admin`: topics, groups and disks as administrators see them.
//!
//! `run.sh` runs it on Mainstem and on two versions of Apache Kafka. What they differ in is a bug of ours.

#![allow(clippy::unwrap_used, reason = "these are tests, and a panic is their report")]

mod admin;
mod assigned;
mod commits;
mod compacted;
mod groups;
mod member;
mod records;
mod scene;
mod transactional;
mod transactions;
