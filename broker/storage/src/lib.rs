//! Bytes that survive: journal, segments, recovery.
