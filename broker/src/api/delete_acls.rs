//! DeleteAcls, key 31: refused as by Kafka without an authorizer (`AclApis`), for each filter.

use mainstem_protocol::messages::{
    DeleteAclsRequest, DeleteAclsResponse, delete_acls::DeleteAclsFilterResult,
};

use super::describe_acls;

pub(crate) fn answer(request: &DeleteAclsRequest) -> DeleteAclsResponse {
    let refusal = describe_acls::refusal();
    let result = DeleteAclsFilterResult {
        error_code: refusal.code,
        error_message: refusal.text(),
        ..Default::default()
    };
    DeleteAclsResponse { filter_results: vec![result; request.filters.len()], ..Default::default() }
}
