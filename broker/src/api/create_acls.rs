//! CreateAcls, key 30: refused as by Kafka without an authorizer (`AclApis`), for each rule.

use mainstem_protocol::messages::{CreateAclsRequest, CreateAclsResponse, create_acls::AclCreationResult};

use super::describe_acls;

pub(crate) fn answer(request: &CreateAclsRequest) -> CreateAclsResponse {
    let refusal = describe_acls::refusal();
    let result = AclCreationResult { error_code: refusal.code, error_message: refusal.text() };
    CreateAclsResponse { results: vec![result; request.creations.len()], ..Default::default() }
}
