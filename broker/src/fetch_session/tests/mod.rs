//! Sessions without a log: what partitions have to tell is made up.
//!
//! - `bench`: the made-up log, and a client that says exactly what it is told to.
//! - `turns`: what is answered, and what is refused.
//! - `room`: what happens when there are too many sessions, or too large ones.
//! - `random`: what a client is told piece by piece is what there is.

mod bench;
mod random;
mod room;
mod turns;
