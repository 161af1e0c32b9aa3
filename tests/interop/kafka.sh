#!/usr/bin/env bash
# Runs Apache Kafka (KRaft, one node, 1 GiB heap) in the foreground until it gets SIGTERM:
#   kafka.sh DIR PORT CONTROLLER_PORT [NAME=VALUE ...]
# The version is that of install.sh's part $INTEROP_BROKER: broker, the newest, or broker3. The data directory is formatted on first use; NAME=VALUE overrides a broker setting.
set -euo pipefail

if [ $# -lt 3 ]; then
  sed -n 's/^# \{0,1\}//; 2,4p' "$0" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$1 port=$2 controller=$3
shift 3

part=${INTEROP_BROKER:-broker}
"$here/install.sh" "$part"
jars=${INTEROP_CACHE:-$HOME/.cache/mainstem-interop}/$part/jars
mkdir -p "$dir"
{
  cat <<SETTINGS
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
log.dirs=$dir/logs
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
SETTINGS
  for setting in "$@"; do echo "$setting"; done
} >"$dir/server.properties"

java=(java -Xms1g -Xmx1g -cp "$jars/*" -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_LOG_LEVEL:-error}")
[ -e "$dir/logs/meta.properties" ] ||
  "${java[@]}" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c "$dir/server.properties" >"$dir/format.log"
exec "${java[@]}" kafka.Kafka "$dir/server.properties"
