//! DescribeAcls, key 29: there are no rules of access here, and the answer is that of Kafka without an authorizer
//! (`AclApis`).

use mainstem_protocol::{ErrorCode, messages::DescribeAclsResponse};

use super::Refusal;

pub(crate) fn answer() -> DescribeAclsResponse {
    let refusal = refusal();
    DescribeAclsResponse { error_code: refusal.code, error_message: refusal.text(), ..Default::default() }
}

/// What there is to say about rules of access, whatever is asked of them.
pub(crate) fn refusal() -> Refusal {
    Refusal::new(ErrorCode::SECURITY_DISABLED, "no authorizer is configured: everybody may do everything")
}
