//! DescribeUserScramCredentials, key 50 (KIP-554): no user has a password here (Kafka: `ScramImage.describe`).

use std::collections::BTreeMap;

use mainstem_protocol::{
    ErrorCode, Text,
    messages::{
        DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
        describe_user_scram_credentials::{DescribeUserScramCredentialsResult, UserName},
    },
};

use super::Refusal;

pub(crate) fn answer(request: DescribeUserScramCredentialsRequest) -> DescribeUserScramCredentialsResponse {
    let mut times = BTreeMap::<Text, usize>::new();
    for UserName { name } in request.users.unwrap_or_default() {
        *times.entry(name).or_default() += 1;
    }
    let results = times.into_iter().map(|(user, times)| respond(user, times)).collect();
    DescribeUserScramCredentialsResponse { results, ..Default::default() }
}

fn respond(user: Text, times: usize) -> DescribeUserScramCredentialsResult {
    let refusal = match times {
        1 => Refusal::new(ErrorCode::RESOURCE_NOT_FOUND, format!("user {user} has no password")),
        _ => Refusal::new(ErrorCode::DUPLICATE_RESOURCE, format!("user {user} is named more than once")),
    };
    let (error_code, error_message) = (refusal.code, refusal.text());
    DescribeUserScramCredentialsResult { user, error_code, error_message, credential_infos: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_is_told_once_that_there_is_no_password() {
        let name = |name: &'static str| UserName { name: Text::from_static(name) };
        let request =
            DescribeUserScramCredentialsRequest { users: Some(vec![name("b"), name("a"), name("b")]) };
        let response = answer(request);
        assert_eq!(response.error_code, ErrorCode::NONE);
        let told: Vec<_> = response.results.iter().map(|result| (&*result.user, result.error_code)).collect();
        assert_eq!(told, [("a", ErrorCode::RESOURCE_NOT_FOUND), ("b", ErrorCode::DUPLICATE_RESOURCE)]);
        assert!(answer(DescribeUserScramCredentialsRequest { users: None }).results.is_empty());
    }
}
