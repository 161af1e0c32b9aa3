//! AlterClientQuotas, key 49 (KIP-546): there are no quotas here. To remove one is done, as it is not there; to set one is
//! refused, because clients would not be held to it (Kafka's rules: `ClientQuotaControlManager`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{
        AlterClientQuotasRequest, AlterClientQuotasResponse,
        alter_client_quotas::{EntityData, EntryRequest, EntryResponse, OpData},
    },
};

use super::{
    Refusal,
    describe_client_quotas::{CLIENT_ID, IP, USER},
};

/// What a quota is of: names by type, where none is the default one.
type Entity = BTreeMap<Text, Option<Text>>;

pub(crate) fn answer(request: AlterClientQuotasRequest) -> AlterClientQuotasResponse {
    let mut results = BTreeMap::<Entity, Result<(), Refusal>>::new();
    for EntryRequest { entity, ops } in request.entries {
        let entity: Entity = entity.into_iter().map(|part| (part.entity_type, part.entity_name)).collect();
        let result = match results.contains_key(&entity) {
            true => Err(invalid("an entity is named more than once")),
            false => check_entity(&entity).and_then(|()| check_ops(&ops)),
        };
        results.insert(entity, result);
    }
    let entries = results.into_iter().map(|(entity, result)| respond(entity, &result)).collect();
    AlterClientQuotasResponse { entries, ..Default::default() }
}

fn check_entity(entity: &Entity) -> Result<(), Refusal> {
    if entity.is_empty() {
        return Err(invalid("what the quota is of must be named"));
    }
    if let Some(other) = entity.keys().find(|part| !matches!(&***part, USER | CLIENT_ID | IP)) {
        return Err(invalid(format!("entity type {other} is not known; expected user, client-id or ip")));
    }
    match entity.get(IP) {
        Some(_) if entity.len() > 1 => Err(invalid("an ip goes neither with a user nor with a client-id")),
        Some(Some(ip)) if !is_address(ip) => {
            Err(invalid("the name of an ip must be an address or localhost"))
        }
        _ => Ok(()),
    }
}

/// Kafka asks the resolver about other names (`ClientQuotaControlManager.isValidIpEntity`); a request does not make this
/// broker do so, and it knows its own machine alone. An empty name is that as well, as in Java's `InetAddress.getByName`.
fn is_address(name: &str) -> bool {
    name.is_empty() || name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn check_ops(ops: &[OpData]) -> Result<(), Refusal> {
    if ops.iter().map(|op| &*op.key).collect::<BTreeSet<_>>().len() < ops.len() {
        return Err(invalid("a quota is named more than once"));
    }
    match ops.iter().find(|op| !op.remove) {
        Some(set) => Err(invalid(format!("{} cannot be set: this broker holds nobody to quotas", set.key))),
        None => Ok(()),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, message)
}

fn respond(entity: Entity, result: &Result<(), Refusal>) -> EntryResponse {
    let (error_code, error_message) = Refusal::told(result);
    let part = |(entity_type, entity_name)| EntityData { entity_type, entity_name };
    EntryResponse { error_code, error_message, entity: entity.into_iter().map(part).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(entity_type: &'static str, name: &'static str, remove: bool) -> EntryRequest {
        let entity_type = Text::from_static(entity_type);
        EntryRequest {
            entity: vec![EntityData { entity_type, entity_name: Some(Text::from_static(name)) }],
            ops: vec![OpData { key: Text::from_static("producer_byte_rate"), value: 1024.0, remove }],
        }
    }

    fn codes(entries: Vec<EntryRequest>) -> Vec<ErrorCode> {
        let response = answer(AlterClientQuotasRequest { entries, validate_only: false });
        response.entries.iter().map(|entry| entry.error_code).collect()
    }

    #[test]
    fn a_quota_can_be_removed_and_not_be_set() {
        assert_eq!(codes(vec![entry(USER, "alice", true)]), [ErrorCode::NONE]);
        assert_eq!(codes(vec![entry(USER, "alice", false)]), [ErrorCode::INVALID_REQUEST]);
    }

    #[test]
    fn entities_that_cannot_be_are_refused() {
        assert_eq!(codes(vec![entry("group", "a", true)]), [ErrorCode::INVALID_REQUEST]);
        assert_eq!(codes(vec![entry(IP, "no address", true)]), [ErrorCode::INVALID_REQUEST]);
        assert_eq!(codes(vec![entry(IP, "10.0.0.1", true)]), [ErrorCode::NONE]);
        let twice = vec![entry(USER, "alice", true), entry(USER, "alice", true), entry(USER, "bob", true)];
        assert_eq!(codes(twice), [ErrorCode::INVALID_REQUEST, ErrorCode::NONE]);
        let nobody = EntryRequest { entity: Vec::new(), ..entry(USER, "alice", true) };
        assert_eq!(codes(vec![nobody]), [ErrorCode::INVALID_REQUEST]);
    }
}
