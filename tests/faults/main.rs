//! The real binary while something is wrong around it: peers that mean it ill, disks that fail, disks that are full.
//!
//! # Layout
//!
//! - `failing_disk`: a sync that fails ends the process, and no acknowledged record is lost.
//! - `full_disk`: appends are refused, and taken again when there is room.
//! - `load`: records that are numbered, so that the acknowledged ones are found again.
//! - `strangers`: many peers that begin requests and do not end them.

#![allow(clippy::unwrap_used, reason = "these are tests, and a panic is their report")]

mod failing_disk;
mod full_disk;
mod load;
#[expect(dead_code, reason = "power is not cut here")]
#[path = "../crash/kill/loop_device.rs"]
mod loop_device;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/wire.rs"]
mod wire;

mod strangers;
