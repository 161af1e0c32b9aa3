//! Settings of subscriptions to client metrics (KIP-714). No metrics are collected here, and so each has the defaults (Kafka:
//! `ClientMetricsConfigs`).

use mainstem_protocol::ErrorCode;
use mainstem_storage::config::Kind;

use super::Described;
use crate::api::Refusal;

/// Names, kinds, defaults and meanings.
const SETTINGS: [(&str, Kind, &str, &str); 3] = [
    ("interval.ms", Kind::Int, "300000", "how often clients push metrics, in milliseconds; none do"),
    ("match", Kind::List, "", "which clients push metrics; none do"),
    ("metrics", Kind::List, "", "which metrics clients push; none are collected"),
];

/// A subscription need not exist, as in Kafka.
pub(super) fn describe(name: &str) -> Result<Vec<Described>, Refusal> {
    if name.is_empty() {
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, "a subscription's name must not be empty"));
    }
    Ok(SETTINGS.into_iter().map(described).collect())
}

fn described((name, kind, value, doc): (&str, Kind, &str, &'static str)) -> Described {
    let (name, value) = (name.to_owned(), value.to_owned());
    Described { name, value, kind: Some(kind), doc, is_read_only: false, synonyms: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subscription_has_kafkas_defaults_and_needs_a_name() {
        let settings = describe("any").unwrap();
        let told: Vec<_> = settings.iter().map(|it| (it.name.as_str(), it.value.as_str())).collect();
        assert_eq!(told, [("interval.ms", "300000"), ("match", ""), ("metrics", "")]);
        assert_eq!(describe("").map(|_| ()).unwrap_err().code, ErrorCode::INVALID_REQUEST);
    }
}
