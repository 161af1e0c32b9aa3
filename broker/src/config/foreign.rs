//! Settings that Kafka's brokers change while they run (`DynamicBrokerConfig.AllDynamicConfigs`) and that are none here: who
//! asks for one is told why.

/// Settings by the beginning of their names, with the reason; the first that fits counts.
const FOREIGN: &[(&str, &str)] = &[
    ("ssl.", "connections are not encrypted here"),
    ("sasl.", "nobody is asked who they are here"),
    ("principal.builder.class", "nobody is asked who they are here"),
    ("listener.security.protocol.map", "every listener is without encryption here"),
    ("remote.", "nothing is tiered here"),
    ("background.threads", "the threads are those of num.network.threads and of the log"),
    ("num.io.threads", "requests are answered by the threads of num.network.threads"),
    ("num.recovery.threads.per.data.dir", "there is one journal, and it is read from front to back"),
    ("num.replica.fetchers", "no replica is fetched here"),
    (
        "max.connection.creation.rate",
        "connections are limited in number: max.connections, max.connections.per.ip",
    ),
    ("max.connections.per.ip.overrides", "max.connections.per.ip is the same for all addresses"),
    ("metric.reporters", "metrics are read over HTTP, at /metrics"),
    ("config.providers", "values stand for themselves"),
    ("log.cleaner.io.buffer.size", "compaction reads pieces of 512 KiB, or of one batch that is larger"),
    (
        "log.cleaner.io.buffer.load.factor",
        "how full the map of keys becomes is fixed: log.cleaner.dedupe.buffer.size says how large it is",
    ),
    ("transaction.partition.verification.enable", "partitions of transactions are always verified"),
];

/// Settings of a listener in Kafka begin so, with the listener's name between.
const LISTENER: &str = "listener.name.";

/// Why a setting that Kafka's brokers have is none here.
pub(super) fn why(name: &str) -> Option<&'static str> {
    let of_listener = name.strip_prefix(LISTENER).and_then(|rest| rest.split_once('.'));
    let name = of_listener.map_or(name, |(_, name)| name);
    FOREIGN.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{is_dynamic, setting};

    /// Every setting that Kafka's brokers change while they run.
    const KAFKA: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/schemas/dynamic-4.2.1.txt"));

    /// Ours that hold from the start on: sockets are opened then, and threads begun.
    const FIXED: [&str; 2] = ["listeners", "num.network.threads"];

    #[test]
    fn each_of_kafkas_dynamic_settings_is_dynamic_or_has_a_reason() {
        let is_clear = |name: &&str| {
            let is_fixed = FIXED.contains(name) && setting::of(name).is_some() && !is_dynamic(name);
            is_dynamic(name) || is_fixed || why(name).is_some()
        };
        let unclear: Vec<_> = KAFKA.lines().filter(|name| !is_clear(name)).collect();
        assert!(KAFKA.lines().count() > 80 && unclear.is_empty(), "{unclear:?}");
    }

    #[test]
    fn no_setting_of_ours_has_a_reason_against_it() {
        let ours = crate::config::Config::default().list();
        let both: Vec<_> = ours.iter().filter(|listed| why(listed.name).is_some()).collect();
        assert!(both.is_empty(), "{both:?}");
    }

    #[test]
    fn settings_of_listeners_are_known_by_what_follows_the_listener() {
        assert_eq!(why("listener.name.internal.ssl.keystore.location"), why("ssl.keystore.location"));
        assert_eq!((why("log.retention.ms"), why("no.such")), (None, None));
    }
}
