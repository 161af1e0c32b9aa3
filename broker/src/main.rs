//! The binary `mainstem`.
fn main() {}
