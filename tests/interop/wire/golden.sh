#!/usr/bin/env bash
# Records the golden frames anew: Java clients against Apache Kafka, the chosen frames into tests/data/golden.
#
#   golden.sh                      all of them
#   golden.sh DeleteGroups ...     only those of these APIs
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
golden=$here/../../data/golden
frames=$(mktemp -d)
trap 'rm -rf "$frames"' EXIT
"$here/../run.sh" --kafka --frames "$frames" --tag golden --client java-3 --client java-4

apis=("$@")
wanted() { [ ${#apis[@]} -eq 0 ] || [[ " ${apis[*]} " == *" ${1%%-*} "* ]]; }

# keep CLIENT_ID API-vN [SUFFIX]: the request and the response.
keep() {
  wanted "$2" || return 0
  for half in request response; do
    cp "$frames/$1/$2-$half.hex" "$golden/$2${3:+-$3}-$half.hex"
  done
}

[ ${#apis[@]} -gt 0 ] || rm -f "$golden"/*.hex
keep java-4-headers ApiVersions-v4
keep java-4-headers InitProducerId-v5
keep java-4-headers Produce-v13
keep java-3-headers Produce-v11
for codec in gzip snappy lz4 zstd; do keep "java-4-$codec" Produce-v13 "$codec"; done
keep java-4-headers-reader Metadata-v13
keep java-3-headers-reader Metadata-v12
keep java-4-headers-reader ListOffsets-v11
keep java-3-headers-reader ListOffsets-v9
keep java-4-headers-reader Fetch-v18
keep java-3-headers-reader Fetch-v17
keep java-4-first FindCoordinator-v6
keep java-4-first JoinGroup-v9
keep java-4-first JoinGroup-v9-2
keep java-4-first SyncGroup-v5
keep java-4-first OffsetFetch-v9 none
keep java-4-first OffsetCommit-v9
keep java-4-first LeaveGroup-v5
keep java-4-member Heartbeat-v4
keep java-4-second OffsetFetch-v9
keep java-4-second OffsetForLeaderEpoch-v4
keep java-4-by-id-first OffsetFetch-v10 none
keep java-4-by-id-first OffsetCommit-v10
keep java-4-by-id-second OffsetFetch-v10
keep java-4-admin CreateTopics-v7
keep java-4-admin DeleteTopics-v6
keep java-4-admin DescribeConfigs-v4
keep java-4-admin DescribeCluster-v2
keep java-4-admin ListGroups-v5
keep java-4-admin DescribeGroups-v6
keep java-4-admin DescribeLogDirs-v4
keep java-3-admin DescribeCluster-v1
keep java-4-admin CreatePartitions-v3
keep java-4-admin IncrementalAlterConfigs-v1
keep java-3-admin AlterConfigs-v2
keep java-4-admin DeleteGroups-v2
keep java-4-admin OffsetDelete-v0
keep java-4-listed ConsumerGroupHeartbeat-v1
keep java-4-listed ConsumerGroupHeartbeat-v1-2
keep java-4-admin ConsumerGroupDescribe-v1
keep java-4-admin ConsumerGroupDescribe-v1-2
