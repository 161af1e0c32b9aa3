//! Topologies, windows, state and the runtime of processors.
