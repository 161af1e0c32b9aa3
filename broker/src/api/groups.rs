//! The APIs of consumer groups, each of which has a file in `group/coordinator`.

use mainstem_protocol::messages::RequestBody;

use super::GROUP_OPERATIONS;
use crate::{
    dispatch::{Answer, Context},
    group::Caller,
    node::Node,
};

pub(crate) async fn answer(node: &Node, context: &Context, request: RequestBody) -> Answer {
    let (groups, version) = (&node.groups, context.version);
    match request {
        RequestBody::JoinGroup(request) => groups.join_group(&caller(context), version, request).await.into(),
        RequestBody::SyncGroup(request) => groups.sync_group(version, request).await.into(),
        RequestBody::Heartbeat(request) => groups.heartbeat(&request).into(),
        RequestBody::LeaveGroup(request) => groups.leave_group(version, request).await.into(),
        RequestBody::OffsetCommit(request) => groups.offset_commit(version, request).await.into(),
        RequestBody::OffsetFetch(request) => groups.offset_fetch(version, request).await.into(),
        RequestBody::ListGroups(request) => groups.list_groups(request).await.into(),
        RequestBody::DeleteGroups(request) => groups.delete_groups(request).await.into(),
        RequestBody::OffsetDelete(request) => groups.offset_delete(request).await.into(),
        RequestBody::DescribeGroups(request) => {
            groups.describe_groups(version, request, GROUP_OPERATIONS).into()
        }
        RequestBody::ConsumerGroupHeartbeat(request) => {
            groups.consumer_group_heartbeat(&caller(context), version, request).await.into()
        }
        RequestBody::ConsumerGroupDescribe(request) => {
            groups.consumer_group_describe(request, GROUP_OPERATIONS).into()
        }
        _ => Answer::Close("not an API of groups"),
    }
}

fn caller(context: &Context) -> Caller {
    let host = context.peer.map_or_else(|| context.listener.to_string(), |peer| format!("/{}", peer.ip()));
    Caller { client_id: context.client_id.clone().unwrap_or_default(), host: host.into() }
}
