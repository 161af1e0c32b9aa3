//! Which APIs there are.

use std::{fmt, ops::RangeInclusive};

use crate::messages::*;

/// Hands the one table of APIs to a macro: name, key, request, response, and the versions advertised where these
/// differ from those whose encoding is known.
macro_rules! table {
    ($with:ident) => {
        $with! {
            Produce = 0: ProduceRequest, ProduceResponse;
            Fetch = 1: FetchRequest, FetchResponse;
            ListOffsets = 2: ListOffsetsRequest, ListOffsetsResponse;
            Metadata = 3: MetadataRequest, MetadataResponse;
            OffsetCommit = 8: OffsetCommitRequest, OffsetCommitResponse;
            OffsetFetch = 9: OffsetFetchRequest, OffsetFetchResponse;
            FindCoordinator = 10: FindCoordinatorRequest, FindCoordinatorResponse;
            JoinGroup = 11: JoinGroupRequest, JoinGroupResponse;
            Heartbeat = 12: HeartbeatRequest, HeartbeatResponse;
            LeaveGroup = 13: LeaveGroupRequest, LeaveGroupResponse;
            SyncGroup = 14: SyncGroupRequest, SyncGroupResponse;
            DescribeGroups = 15: DescribeGroupsRequest, DescribeGroupsResponse;
            ListGroups = 16: ListGroupsRequest, ListGroupsResponse;
            ApiVersions = 18: ApiVersionsRequest, ApiVersionsResponse;
            CreateTopics = 19: CreateTopicsRequest, CreateTopicsResponse;
            DeleteTopics = 20: DeleteTopicsRequest, DeleteTopicsResponse;
            DeleteRecords = 21: DeleteRecordsRequest, DeleteRecordsResponse;
            InitProducerId = 22: InitProducerIdRequest, InitProducerIdResponse;
            OffsetForLeaderEpoch = 23: OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
            AddPartitionsToTxn = 24: AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
            AddOffsetsToTxn = 25: AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
            EndTxn = 26: EndTxnRequest, EndTxnResponse;
            WriteTxnMarkers = 27: WriteTxnMarkersRequest, WriteTxnMarkersResponse;
            TxnOffsetCommit = 28: TxnOffsetCommitRequest, TxnOffsetCommitResponse;
            DescribeAcls = 29: DescribeAclsRequest, DescribeAclsResponse;
            CreateAcls = 30: CreateAclsRequest, CreateAclsResponse;
            DeleteAcls = 31: DeleteAclsRequest, DeleteAclsResponse;
            DescribeConfigs = 32: DescribeConfigsRequest, DescribeConfigsResponse;
            AlterConfigs = 33: AlterConfigsRequest, AlterConfigsResponse;
            DescribeLogDirs = 35: DescribeLogDirsRequest, DescribeLogDirsResponse;
            CreatePartitions = 37: CreatePartitionsRequest, CreatePartitionsResponse;
            DeleteGroups = 42: DeleteGroupsRequest, DeleteGroupsResponse;
            ElectLeaders = 43: ElectLeadersRequest, ElectLeadersResponse;
            IncrementalAlterConfigs = 44: IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
            AlterPartitionReassignments = 45: AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse;
            ListPartitionReassignments = 46: ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
            OffsetDelete = 47: OffsetDeleteRequest, OffsetDeleteResponse;
            DescribeClientQuotas = 48: DescribeClientQuotasRequest, DescribeClientQuotasResponse;
            AlterClientQuotas = 49: AlterClientQuotasRequest, AlterClientQuotasResponse;
            DescribeUserScramCredentials = 50: DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse;
            DescribeQuorum = 55: DescribeQuorumRequest, DescribeQuorumResponse;
            DescribeCluster = 60: DescribeClusterRequest, DescribeClusterResponse;
            DescribeProducers = 61: DescribeProducersRequest, DescribeProducersResponse;
            DescribeTransactions = 65: DescribeTransactionsRequest, DescribeTransactionsResponse;
            ListTransactions = 66: ListTransactionsRequest, ListTransactionsResponse;
            ConsumerGroupHeartbeat = 68: ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
            ConsumerGroupDescribe = 69: ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
            ListConfigResources = 74: ListConfigResourcesRequest, ListConfigResourcesResponse;
            DescribeTopicPartitions = 75: DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
        }
    };
}
pub(crate) use table;

macro_rules! keys {
    ($($name:ident = $key:literal: $request:ident, $response:ident;)*) => {
        /// An API of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("`", stringify!($name), "`, key ", stringify!($key), ".")]
                $name = $key,
            )*
        }

        impl ApiKey {
            /// Every API, in the order of keys.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The API of a key.
            #[must_use]
            pub const fn from_key(key: i16) -> Option<Self> {
                match key {
                    $($key => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name, as Kafka has it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The versions whose encoding is known.
            #[must_use]
            pub const fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(Self::$name => $request::VERSIONS,)*
                }
            }

            /// The first version with compact lengths and tagged fields.
            #[must_use]
            pub const fn flexible_since(self) -> i16 {
                match self {
                    $(Self::$name => $request::FLEXIBLE_SINCE,)*
                }
            }
        }
    };
}

table!(keys);

impl ApiKey {
    /// The versions that a broker advertises. Produce begins at 0, because librdkafka before 2.11 asks for 0 before
    /// it compresses (KAFKA-18659); versions 0 to 2 are refused all the same.
    #[must_use]
    pub const fn advertised(self) -> RangeInclusive<i16> {
        match self {
            Self::Produce => 0..=*Self::Produce.versions().end(),
            _ => self.versions(),
        }
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
