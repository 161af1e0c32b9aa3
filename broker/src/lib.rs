//! A Kafka-compatible message log with stream processing beside it, in one binary.
