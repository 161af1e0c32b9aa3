//! DescribeClientQuotas, key 48 (KIP-546): there are no quotas here; a filter that cannot be is refused all the same
//! (Kafka: `ClientQuotasImage.describe`).

use std::collections::BTreeSet;

use mainstem_protocol::{
    ErrorCode,
    messages::{
        DescribeClientQuotasRequest, DescribeClientQuotasResponse, describe_client_quotas::ComponentData,
    },
};

use super::Refusal;

/// What quotas are of (Kafka: `ClientQuotaEntity`).
pub(crate) const USER: &str = "user";
pub(crate) const CLIENT_ID: &str = "client-id";
pub(crate) const IP: &str = "ip";

/// How an entity is looked for (Kafka: `DescribeClientQuotasRequest`): by its name, the default one, any.
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

pub(crate) fn answer(request: &DescribeClientQuotasRequest) -> DescribeClientQuotasResponse {
    match check(&request.components) {
        Ok(()) => DescribeClientQuotasResponse::default(),
        Err(refusal) => DescribeClientQuotasResponse {
            error_code: refusal.code,
            error_message: refusal.text(),
            entries: None,
            ..Default::default()
        },
    }
}

fn check(components: &[ComponentData]) -> Result<(), Refusal> {
    let mut types = BTreeSet::new();
    for component in components {
        check_type(&component.entity_type)?;
        if !types.insert(&*component.entity_type) {
            return Err(invalid(format!("entity type {} is named more than once", component.entity_type)));
        }
        check_match(component)?;
    }
    if types.contains(IP) && types.len() > 1 {
        return Err(invalid("an ip goes neither with a user nor with a client-id".to_owned()));
    }
    Ok(())
}

fn check_type(entity_type: &str) -> Result<(), Refusal> {
    match entity_type {
        USER | CLIENT_ID | IP => Ok(()),
        "" => Err(invalid("an entity type must not be empty".to_owned())),
        other => {
            let message = format!("entity type {other} is not known; expected user, client-id or ip");
            Err(Refusal::new(ErrorCode::UNSUPPORTED_VERSION, message))
        }
    }
}

fn check_match(component: &ComponentData) -> Result<(), Refusal> {
    match (component.match_type, &component.r#match) {
        (EXACT, Some(_)) | (DEFAULT | SPECIFIED, None) => Ok(()),
        (EXACT, None) => Err(invalid("an exact match needs a name".to_owned())),
        (DEFAULT | SPECIFIED, Some(_)) => Err(invalid("only an exact match has a name".to_owned())),
        (other, _) => Err(invalid(format!("match type {other} is not known; expected 0, 1 or 2"))),
    }
}

fn invalid(message: String) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, message)
}

#[cfg(test)]
mod tests {
    use mainstem_protocol::Text;

    use super::*;

    #[test]
    fn filters_that_cannot_be_are_refused_as_by_kafka() {
        let code = |components: &[(&'static str, i8, Option<&'static str>)]| {
            let component = |&(entity_type, match_type, name): &(_, _, Option<_>)| ComponentData {
                entity_type: Text::from_static(entity_type),
                match_type,
                r#match: name.map(Text::from_static),
            };
            let components = components.iter().map(component).collect();
            answer(&DescribeClientQuotasRequest { components, strict: false }).error_code
        };
        assert_eq!(code(&[]), ErrorCode::NONE);
        assert_eq!(code(&[(USER, EXACT, Some("alice")), (CLIENT_ID, SPECIFIED, None)]), ErrorCode::NONE);
        assert_eq!(code(&[("", EXACT, Some("a"))]), ErrorCode::INVALID_REQUEST);
        assert_eq!(code(&[("group", EXACT, Some("a"))]), ErrorCode::UNSUPPORTED_VERSION);
        assert_eq!(code(&[(USER, EXACT, None)]), ErrorCode::INVALID_REQUEST);
        assert_eq!(code(&[(USER, DEFAULT, Some("a"))]), ErrorCode::INVALID_REQUEST);
        assert_eq!(code(&[(USER, 3, None)]), ErrorCode::INVALID_REQUEST);
        assert_eq!(code(&[(USER, DEFAULT, None), (USER, DEFAULT, None)]), ErrorCode::INVALID_REQUEST);
        assert_eq!(code(&[(USER, DEFAULT, None), (IP, DEFAULT, None)]), ErrorCode::INVALID_REQUEST);
    }
}
