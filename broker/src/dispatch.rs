//! The one door: every request, from a socket, from within the process or over HTTP, comes in here with one context.

use std::{fmt, future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use mainstem_protocol::{
    Text,
    messages::{RequestBody, ResponseBody},
};

use crate::{api, net::Endpoint, node::Node};

/// Who asks, through what, and in which version.
#[derive(Clone, Debug)]
pub struct Context {
    /// The name of the listener, or [`IN_PROCESS`].
    pub listener: Arc<str>,
    /// On whose behalf.
    pub principal: Principal,
    /// What the client calls itself.
    pub client_id: Option<Text>,
    /// The client's address; none for one in this process.
    pub peer: Option<SocketAddr>,
    /// What the client is to dial in order to reach this broker.
    pub advertised: Endpoint,
    /// The version of the request.
    pub version: i16,
}

/// The listener of requests that come from within the process.
pub const IN_PROCESS: &str = "IN_PROCESS";

/// On whose behalf a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Principal {
    /// Nobody has said who they are.
    #[default]
    Anonymous,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer {
    /// The response.
    Response(ResponseBody),
    /// None is wanted (Produce with `acks=0`).
    Silence,
    /// None is wanted, and the connection must be closed so that the client learns of the failure.
    Close(&'static str),
}

/// A request that has begun: what comes after it on its connection may begin too.
pub enum Started {
    /// It is answered.
    Answered(Answer),
    /// It has its place in the journal, and is answered once that is durable.
    Placed(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

/// Hands requests to the APIs.
#[derive(Clone, Debug)]
pub struct Dispatch {
    node: Arc<Node>,
}

impl Context {
    /// The context of a connection.
    #[must_use]
    pub fn of_socket(listener: Arc<str>, advertised: Endpoint, peer: SocketAddr) -> Self {
        let principal = Principal::Anonymous;
        Self { listener, principal, client_id: None, peer: Some(peer), advertised, version: 0 }
    }

    /// The context of a request that comes from within the process.
    #[must_use]
    pub fn in_process(advertised: Endpoint, client_id: Option<Text>, version: i16) -> Self {
        let (listener, principal) = (IN_PROCESS.into(), Principal::Anonymous);
        Self { listener, principal, client_id, peer: None, advertised, version }
    }

    /// The client's address as the log shows it.
    #[must_use]
    pub fn peer_name(&self) -> String {
        self.peer.map_or_else(|| IN_PROCESS.to_owned(), |peer| peer.to_string())
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("User:ANONYMOUS"),
        }
    }
}

impl<R: Into<ResponseBody>> From<R> for Answer {
    fn from(response: R) -> Self {
        Self::Response(response.into())
    }
}

impl Started {
    /// The answer, as soon as there is one.
    pub async fn answer(self) -> Answer {
        match self {
            Self::Answered(answer) => answer,
            Self::Placed(answer) => answer.await,
        }
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(answer) => f.debug_tuple("Answered").field(answer).finish(),
            Self::Placed(_) => f.write_str("Placed"),
        }
    }
}

impl Dispatch {
    /// Hands requests to the APIs of `node`.
    #[must_use]
    pub const fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// Begins a request. Resolves when the next one of the same connection may begin: for Produce, when each batch
    /// has its place in the journal; for any other, when it is answered.
    pub async fn start(&self, context: &Context, request: RequestBody) -> Started {
        match request {
            RequestBody::Produce(request) => api::produce::start(&self.node, context, request).await,
            other => Started::Answered(self.counted(self.respond(context, other).await)),
        }
    }

    fn counted(&self, answer: Answer) -> Answer {
        if let Answer::Response(response) = &answer {
            self.node.metrics.requests.made(response);
        }
        answer
    }

    /// Answers a request.
    pub async fn answer(&self, context: &Context, request: RequestBody) -> Answer {
        self.start(context, request).await.answer().await
    }

    async fn respond(&self, context: &Context, request: RequestBody) -> Answer {
        let node = &self.node;
        match request {
            RequestBody::Produce(request) => api::produce::start(node, context, request).await.answer().await,
            RequestBody::Fetch(request) => Box::pin(api::fetch::answer(node, context, request)).await.into(),
            RequestBody::ListOffsets(request) => {
                api::list_offsets::answer(node, context, request).await.into()
            }
            RequestBody::Metadata(request) => api::metadata::answer(node, context, request).await.into(),
            RequestBody::FindCoordinator(request) => {
                api::find_coordinator::answer(node, context, &request).into()
            }
            RequestBody::ApiVersions(_) => api::api_versions::answer(context.version).into(),
            RequestBody::CreateTopics(request) => {
                api::create_topics::answer(node, context, request).await.into()
            }
            RequestBody::DeleteTopics(request) => {
                api::delete_topics::answer(node, context, request).await.into()
            }
            RequestBody::DeleteRecords(request) => api::delete_records::answer(node, request).await.into(),
            RequestBody::CreatePartitions(request) => {
                api::create_partitions::answer(node, request).await.into()
            }
            RequestBody::AlterConfigs(request) => api::alter_configs::answer(node, request).await.into(),
            RequestBody::IncrementalAlterConfigs(request) => {
                api::incremental_alter_configs::answer(node, request).await.into()
            }
            RequestBody::InitProducerId(request) => {
                api::init_producer_id::answer(node, context, &request).await.into()
            }
            RequestBody::OffsetForLeaderEpoch(request) => {
                api::offset_for_leader_epoch::answer(node, request).into()
            }
            RequestBody::DescribeConfigs(request) => api::describe_configs::answer(node, request).into(),
            RequestBody::DescribeTopicPartitions(request) => {
                api::describe_topic_partitions::answer(node, request).into()
            }
            RequestBody::ElectLeaders(request) => api::elect_leaders::answer(node, request).into(),
            RequestBody::ListConfigResources(request) => {
                api::list_config_resources::answer(node, context, &request).into()
            }
            RequestBody::DescribeCluster(request) => {
                api::describe_cluster::answer(node, context, &request).into()
            }
            RequestBody::DescribeProducers(request) => api::describe_producers::answer(node, request).into(),
            RequestBody::DescribeLogDirs(request) => {
                api::describe_log_dirs::answer(node, request).await.into()
            }
            RequestBody::AddPartitionsToTxn(request) => {
                api::add_partitions_to_txn::answer(node, context, request).await.into()
            }
            RequestBody::AddOffsetsToTxn(request) => {
                api::add_offsets_to_txn::answer(node, context, &request).await.into()
            }
            RequestBody::EndTxn(request) => api::end_txn::answer(node, context, &request).await.into(),
            RequestBody::TxnOffsetCommit(request) => {
                api::txn_offset_commit::answer(node, context, request).await.into()
            }
            RequestBody::WriteTxnMarkers(request) => {
                api::write_txn_markers::answer(node, request).await.into()
            }
            RequestBody::DescribeTransactions(request) => {
                api::describe_transactions::answer(node, request).into()
            }
            RequestBody::ListTransactions(request) => {
                api::list_transactions::answer(node, request).await.into()
            }
            RequestBody::DescribeQuorum(request) => {
                api::describe_quorum::answer(node, context, request).await.into()
            }
            RequestBody::ListPartitionReassignments(_) => api::list_partition_reassignments::answer().into(),
            RequestBody::AlterPartitionReassignments(request) => {
                api::alter_partition_reassignments::answer(node, request).into()
            }
            RequestBody::DescribeAcls(_) => api::describe_acls::answer().into(),
            RequestBody::CreateAcls(request) => api::create_acls::answer(&request).into(),
            RequestBody::DeleteAcls(request) => api::delete_acls::answer(&request).into(),
            RequestBody::DescribeClientQuotas(request) => {
                api::describe_client_quotas::answer(&request).into()
            }
            RequestBody::AlterClientQuotas(request) => api::alter_client_quotas::answer(request).into(),
            RequestBody::DescribeUserScramCredentials(request) => {
                api::describe_user_scram_credentials::answer(request).into()
            }
            group => api::groups::answer(node, context, group).await,
        }
    }
}
