//! The real binary while something is wrong around it: peers that mean it ill, disks that fail, disks that are full.
//!
//! # Layout
//!
//! - `strangers`: many peers that begin requests and do not end them.

#![allow(clippy::unwrap_used, reason = "these are tests, and a panic is their report")]

#[path = "../support/process.rs"]
mod process;
#[path = "../support/wire.rs"]
mod wire;

mod strangers;
