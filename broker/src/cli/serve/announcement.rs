//! The first line of standard output: where the broker listens. Whoever started it waits for that line.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;

use serde::Serialize;
use tracing::warn;

use crate::broker::Broker;
use crate::cli::output::{self, Output};

/// Where the broker listens.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Announcement {
    /// The first listener.
    kafka: String,
    http: String,
    /// Every listener by name.
    listeners: BTreeMap<String, String>,
}

impl Announcement {
    pub(in crate::cli) fn of(broker: &Broker) -> Self {
        let listeners = broker.listeners();
        let addresses = listeners.iter().map(|(name, address)| (name.clone(), address.to_string()));
        Self {
            kafka: listeners.first().map(|(_, address)| address.to_string()).unwrap_or_default(),
            http: broker.http().map(|address| address.to_string()).unwrap_or_default(),
            listeners: addresses.collect(),
        }
    }
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kafka, http, listeners } = self;
        let others = listeners.iter().filter(|(_, address)| *address != kafka);
        write!(f, "mainstem listens on {kafka} for Kafka clients and on {http} for HTTP")?;
        others.into_iter().try_for_each(|(name, address)| write!(f, "; {name} on {address}"))
    }
}

/// Says it. That nobody listens any more does not stop the broker.
pub(super) fn announce(broker: &Broker, output: Output) {
    let announcement = Announcement::of(broker);
    let written = match output {
        Output::Text => output::text(announcement),
        Output::Json => output::json(&announcement),
    };
    if let Err(error) = written.or_else(|error| match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }) {
        warn!(%error, "standard output does not take the first line");
    }
}
