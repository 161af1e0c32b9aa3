//! Producer, consumer and admin for Mainstem and any Kafka cluster.
