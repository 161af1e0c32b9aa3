#!/usr/bin/env bash
# Runs the tools that come with Apache Kafka against Mainstem and looks at what they print; ends with 'N passed, N failed'.
#
#   run.sh                    every case
#   run.sh topics groups      only these: topics configs groups offsets records verifiable performance cluster
#                         transactions operators
#
# TOOLS_BINARY names the built `mainstem` to use instead of building one, TOOLS_BOOTSTRAP a broker that runs already (Kafka's,
# to check a case). Kafka's tools come from Maven Central into ${INTEROP_CACHE:-~/.cache/mainstem-interop}.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/interop
# shellcheck source=../interop/lib.sh
source "$here/lib.sh"
export INTEROP_CACHE=${INTEROP_CACHE:-$HOME/.cache/mainstem-interop}
"$here/install.sh" broker
work=$(mktemp -d "${TMPDIR:-/tmp}/mainstem-tools.XXXXXX")
clean_up() {
  end_children
  rm -rf "$work"
}
trap clean_up EXIT
tools=org.apache.kafka.tools
# The first compiler alone: a tool lives for a second.
java=(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$INTEROP_CACHE/broker/jars/*" -Dorg.slf4j.simpleLogger.defaultLogLevel=error)
passed=0 failed=0

# tool CLASS ARGUMENT...: what it prints is in $work/out; what it reads is its standard input.
tool() { timeout -k 5 60 "${java[@]}" "$@" >"$work/out" 2>&1; }

fail() {
  failed=$((failed + 1))
  printf 'FAIL %s: %s\n' "$1" "$2"
  sed 's/^/    /' "$work/out" | head -n 40
}

# expect NAME PATTERN... -- CLASS ARGUMENT...: the tool ends well, and of what it prints a line matches each pattern; none matches
# what begins with '!'.
expect() {
  local name=$1 patterns=() status=0
  shift
  while [ "$1" != -- ]; do patterns+=("$1") && shift; done
  shift
  tool "$@" || status=$?
  [ "$status" -eq 0 ] || { fail "$name" "ended with $status"; return; }
  for pattern in "${patterns[@]}"; do
    case $pattern in
      !*) ! grep -qE -- "${pattern#!}" "$work/out" || { fail "$name" "a line matches ${pattern#!}"; return; } ;;
      *) grep -qE -- "$pattern" "$work/out" || { fail "$name" "no line matches $pattern"; return; } ;;
    esac
  done
  passed=$((passed + 1))
  printf 'ok %s\n' "$name"
}

# refused NAME PATTERN -- CLASS ARGUMENT...: the tool says why it cannot be.
refused() {
  local name=$1 pattern=$2
  shift 3
  tool "$@" || true
  if grep -qE -- "$pattern" "$work/out"; then
    passed=$((passed + 1))
    printf 'ok %s\n' "$name"
  else
    fail "$name" "no line matches $pattern"
  fi
}

topics() {
  local command=($tools.TopicCommand --bootstrap-server "$bootstrap")
  expect "a topic is created" '^Created topic tool-words\.$' -- "${command[@]}" --create --topic tool-words --partitions 3 --config retention.ms=1000000
  expect "a topic that is there already is not created if it is not wanted" '!Error' -- "${command[@]}" --create --topic tool-words --if-not-exists
  refused "a topic that is there already is refused" 'TopicExistsException: .*tool-words. already exists' -- "${command[@]}" --create --topic tool-words
  refused "a setting that cannot be is refused" 'Invalid value never for configuration retention.ms|retention.ms' -- "${command[@]}" --create --topic tool-never --config retention.ms=never
  refused "more replicas than brokers are refused" 'InvalidReplicationFactorException' -- "${command[@]}" --create --topic tool-never --replication-factor 3
  expect "topics are listed" '^tool-words$' '!tool-never' -- "${command[@]}" --list
  expect "a topic is described" 'Topic: tool-words.*PartitionCount: 3.*ReplicationFactor: 1.*retention.ms=1000000' 'Partition: 2.*Leader: 1.*Replicas: 1.*Isr: 1' -- "${command[@]}" --describe --topic tool-words
  expect "nothing is under-replicated" '!tool-words' -- "${command[@]}" --describe --under-replicated-partitions
  expect "a topic grows" '!rror' -- "${command[@]}" --alter --topic tool-words --partitions 4
  expect "a topic has grown" 'PartitionCount: 4' -- "${command[@]}" --describe --topic tool-words
  refused "a topic does not shrink" 'InvalidPartitionsException: .*4 partition' -- "${command[@]}" --alter --topic tool-words --partitions 2
  expect "a topic is created to be deleted" 'Created topic tool-gone' -- "${command[@]}" --create --topic tool-gone
  expect "a topic is deleted" '!rror' -- "${command[@]}" --delete --topic tool-gone
  refused "a topic that is gone is not described" "Topic 'tool-gone' does not exist as expected" -- "${command[@]}" --describe --topic tool-gone
}

configs() {
  local command=(kafka.admin.ConfigCommand --bootstrap-server "$bootstrap")
  expect "a setting of a topic is altered" 'Completed updating config for topic tool-words' -- "${command[@]}" --alter --topic tool-words --add-config 'retention.bytes=5000,cleanup.policy=[compact,delete]'
  expect "settings of a topic are described" 'retention.bytes=5000' 'cleanup.policy=compact,delete' 'retention.ms=1000000.*DEFAULT_CONFIG:log.retention.ms=604800000' -- "${command[@]}" --describe --topic tool-words
  expect "a setting of a topic is taken back" 'Completed updating config' -- "${command[@]}" --alter --topic tool-words --delete-config retention.bytes,cleanup.policy
  expect "a setting of a topic is its default again" '!retention.bytes=5000' -- "${command[@]}" --describe --topic tool-words
  refused "a setting that does not exist is refused" 'Unknown topic config name: no.such.setting|no\.such\.setting' -- "${command[@]}" --alter --topic tool-words --add-config no.such.setting=1
  expect "all settings of a topic are described" 'max.message.bytes=1048588' 'compression.type=producer' -- "${command[@]}" --describe --topic tool-words --all
  expect "settings of the broker are described" 'Dynamic configs for broker 1 are' -- "${command[@]}" --describe --broker 1
  expect "all settings of the broker are described" 'All configs for broker 1 are' 'message.max.bytes=1048588' 'broker.id=1|node.id=1' -- "${command[@]}" --describe --broker 1 --all
}

records() {
  expect "a topic for words is created" 'Created topic tool-lines' -- $tools.TopicCommand --bootstrap-server "$bootstrap" --create --topic tool-lines --partitions 1
  seq 1 100 >"$work/lines"
  expect "lines are produced" '!rror' -- $tools.ConsoleProducer --bootstrap-server "$bootstrap" --topic tool-lines --compression-codec zstd <"$work/lines"
  expect "keys and headers are produced" '!rror' -- $tools.ConsoleProducer --bootstrap-server "$bootstrap" --topic tool-lines --reader-property parse.key=true --reader-property parse.headers=true < <(printf 'kind:odd\tk\tvalue\n')
  local consumer=($tools.consumer.ConsoleConsumer --bootstrap-server "$bootstrap" --topic tool-lines --timeout-ms 30000)
  expect "lines are consumed" '^1$' '^100$' 'Processed a total of 101 messages' -- "${consumer[@]}" --from-beginning --max-messages 101 --group tool-readers
  expect "keys, headers, offsets are consumed" '^CreateTime:[0-9]+.Partition:0.Offset:100.kind:odd.k.value$' -- "${consumer[@]}" --partition 0 --offset 100 --max-messages 1 --formatter-property print.key=true --formatter-property print.headers=true --formatter-property print.offset=true --formatter-property print.partition=true --formatter-property print.timestamp=true
  expect "committed records are consumed" '^1$' -- "${consumer[@]}" --from-beginning --max-messages 5 --isolation-level read_committed
  expect "a group of the newer protocol consumes" '^100$' -- "${consumer[@]}" --from-beginning --max-messages 101 --group tool-modern --consumer-property group.protocol=consumer
  expect "committed offsets are read from their topic" '"group":"tool-readers","topic":"tool-lines","partition":0}},"value":\{"version":[0-9],"data":\{"offset":101,' -- $tools.consumer.ConsoleConsumer --bootstrap-server "$bootstrap" --topic __consumer_offsets --from-beginning --timeout-ms 5000 --formatter $tools.consumer.OffsetsMessageFormatter
}

groups() {
  local command=($tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$bootstrap")
  expect "groups are listed with their states" '^tool-readers +Empty' -- "${command[@]}" --list --state
  expect "groups are listed with their types" '^tool-readers +Classic' '^tool-modern +Consumer' -- "${command[@]}" --list --type
  expect "a group is described" '^tool-readers +tool-lines +0 +101 +101 +0 ' -- "${command[@]}" --describe --group tool-readers
  expect "the state of a group is described" '^tool-readers .*Empty +0' -- "${command[@]}" --describe --group tool-readers --state
  expect "a group without members has none" 'has no active members' -- "${command[@]}" --describe --group tool-readers --members
  expect "all kinds of groups are listed" '^tool-modern +Consumer +consumer' -- $tools.GroupsCommand --bootstrap-server "$bootstrap" --list
  expect "a group is set back" '^tool-readers +tool-lines +0 +0' -- "${command[@]}" --group tool-readers --topic tool-lines --reset-offsets --to-earliest --execute
  expect "a group is moved to an offset" '^tool-readers +tool-lines +0 +42' -- "${command[@]}" --group tool-readers --topic tool-lines:0 --reset-offsets --to-offset 42 --execute
  expect "a group has been moved" '^tool-readers +tool-lines +0 +42 +101 +59 ' -- "${command[@]}" --describe --group tool-readers
  expect "offsets of a group are deleted" '^tool-lines +0 +Successful' -- "${command[@]}" --delete-offsets --group tool-readers --topic tool-lines
  expect "a group is deleted" "Deletion of requested consumer groups \('tool-modern'\) was successful" -- "${command[@]}" --delete --group tool-modern
  refused "a group that is not there is not described" 'GroupIdNotFoundException: Group tool-strangers not found' -- "${command[@]}" --describe --group tool-strangers
}

offsets() {
  local command=($tools.GetOffsetShell --bootstrap-server "$bootstrap" --topic tool-lines)
  expect "the latest offset is told" '^tool-lines:0:101$' -- "${command[@]}"
  expect "the earliest offset is told" '^tool-lines:0:0$' -- "${command[@]}" --time earliest
  expect "the offset of the largest timestamp is told" '^tool-lines:0:100$' -- "${command[@]}" --time max-timestamp
  expect "sizes on disk are told" '"partition":"tool-lines-0","size":[1-9][0-9]*,"offsetLag":0,"isFuture":false' -- $tools.LogDirsCommand --bootstrap-server "$bootstrap" --describe --topic-list tool-lines
  echo '{"partitions":[{"topic":"tool-lines","partition":0,"offset":30}],"version":1}' >"$work/delete.json"
  expect "records are deleted" '^partition: tool-lines-0.low_watermark: 30$' -- $tools.DeleteRecordsCommand --bootstrap-server "$bootstrap" --offset-json-file "$work/delete.json"
  expect "the earliest offset is that behind the deleted ones" '^tool-lines:0:30$' -- "${command[@]}" --time earliest
  echo '{"partitions":[{"topic":"tool-lines","partition":0,"offset":500}],"version":1}' >"$work/delete.json"
  refused "records beyond the end are not deleted" 'OffsetOutOfRangeException' -- $tools.DeleteRecordsCommand --bootstrap-server "$bootstrap" --offset-json-file "$work/delete.json"
}

verifiable() {
  expect "the verifiable producer has every record acknowledged" '"name":"tool_data","sent":500,"acked":500' '!producer_send_error' -- $tools.VerifiableProducer --bootstrap-server "$bootstrap" --topic tool-verified --max-messages 500
  expect "the verifiable consumer reads them all" '"name":"partitions_assigned"' '"maxOffset":[0-9]+' '"name":"offsets_committed".*"success":true' '"name":"shutdown_complete"' -- $tools.VerifiableConsumer --bootstrap-server "$bootstrap" --topic tool-verified --group-id tool-verifiers --max-messages 500 --reset-policy earliest
  expect "the verifiable consumer of the newer protocol reads them all" '"name":"records_consumed"' '"name":"shutdown_complete"' -- $tools.VerifiableConsumer --bootstrap-server "$bootstrap" --topic tool-verified --group-id tool-modern-verifiers --group-protocol consumer --max-messages 500 --reset-policy earliest
}

performance() {
  expect "the producer's performance is measured" '^20000 records sent, .* records/sec' -- $tools.ProducerPerformance --topic tool-fast --num-records 20000 --record-size 100 --throughput -1 --producer-props "bootstrap.servers=$bootstrap" acks=all
  expect "the consumer's performance is measured" '^[0-9-]+ [0-9:]+, [0-9-]+ [0-9:]+, [0-9.]+, [0-9.]+, 20[0-9]{3}, ' -- $tools.ConsumerPerformance --bootstrap-server "$bootstrap" --topic tool-fast --num-records 20000 --timeout 30000
  expect "the latency from end to end is measured" '^Avg latency: ' -- $tools.EndToEndLatency --bootstrap-server "$bootstrap" --topic tool-fast --num-records 20 --record-size 20 --producer-acks all
}

cluster() {
  expect "versions of APIs are told" '\(id: 1 ' 'Produce\(0\): 0 to 13' '!UNSUPPORTED.*Produce' -- $tools.BrokerApiVersionsCommand --bootstrap-server "$bootstrap"
  expect "the id of the cluster is told" '^Cluster ID: [A-Za-z0-9_-]{22}$' -- $tools.ClusterTool cluster-id --bootstrap-server "$bootstrap"
  expect "the endpoints are told" '^1 +127.0.0.1 +[0-9]+ .* broker' -- $tools.ClusterTool list-endpoints --bootstrap-server "$bootstrap"
  expect "features are described" '!rror|xception' -- $tools.FeatureCommand --bootstrap-server "$bootstrap" describe
}

transactions() {
  local command=($tools.TransactionsCommand --bootstrap-server "$bootstrap")
  expect "a producer's performance is measured in transactions" '^2000 records sent, .* records/sec' -- $tools.ProducerPerformance --topic tool-paid --num-records 2000 --record-size 100 --throughput -1 --transactional-id tool-payments --transaction-duration-ms 50 --producer-props "bootstrap.servers=$bootstrap"
  expect "transactional ids are listed" '^tool-payments[[:space:]]+1[[:space:]]+[0-9]+[[:space:]]+CompleteCommit' -- "${command[@]}" list
  expect "transactional ids are listed by pattern" '!tool-payments' -- "${command[@]}" list --transactional-id-pattern 'payments.*'
  expect "a transactional id is described" '^1[[:space:]]+tool-payments[[:space:]]+[0-9]+[[:space:]]+[0-9]+[[:space:]]+CompleteCommit' -- "${command[@]}" describe --transactional-id tool-payments
  refused "a transactional id that is not there is not described" 'the ID could not be found' -- "${command[@]}" describe --transactional-id tool-strangers
  expect "producers of a partition are described" '^[0-9]+[[:space:]]+[0-9]+[[:space:]]+0[[:space:]]' -- "${command[@]}" describe-producers --topic tool-paid --partition 0
  expect "hanging transactions are looked for" '!xception' -- "${command[@]}" find-hanging --broker-id 1
  # The copier moves records from one topic to another in transactions, with the offsets that it has read.
  expect "a topic to copy from is filled" '^1000 records sent, ' -- $tools.ProducerPerformance --topic tool-source --num-records 1000 --record-size 100 --throughput -1 --producer-props "bootstrap.servers=$bootstrap"
  expect "a topic to copy to is created" 'Created topic tool-target' -- $tools.TopicCommand --bootstrap-server "$bootstrap" --create --topic tool-target --partitions 1
  expect "messages are copied in transactions, some of them aborted first" '"stage":"ShutdownComplete".*"remaining":0' -- $tools.TransactionalMessageCopier --broker-list "$bootstrap" --input-topic tool-source --input-partition 0 --output-topic tool-target --max-messages 1000 --consumer-group tool-copier --transactional-id tool-copy --transaction-size 100 --enable-random-aborts
  expect "every copy is read once" 'Processed a total of 1000 messages' -- $tools.consumer.ConsoleConsumer --bootstrap-server "$bootstrap" --topic tool-target --from-beginning --max-messages 1001 --timeout-ms 5000 --isolation-level read_committed
}

operators() {
  local configs=(kafka.admin.ConfigCommand --bootstrap-server "$bootstrap") quorum=($tools.MetadataQuorumCommand --bootstrap-server "$bootstrap" describe)
  expect "a topic for operators is created" 'Created topic tool-owned' -- $tools.TopicCommand --bootstrap-server "$bootstrap" --create --topic tool-owned --partitions 1
  expect "a setting of a broker is altered" 'Completed updating config for broker 1' -- "${configs[@]}" --alter --broker 1 --add-config log.retention.ms=700000000
  expect "a setting of a broker is described" 'log.retention.ms=700000000.*DYNAMIC_BROKER_CONFIG:log.retention.ms=700000000' -- "${configs[@]}" --describe --broker 1
  expect "a setting of a broker is taken back" 'Completed updating config for broker 1' -- "${configs[@]}" --alter --broker 1 --delete-config log.retention.ms
  expect "a setting of a broker is its default again" '!log.retention.ms=700000000' -- "${configs[@]}" --describe --broker 1
  expect "a setting of all brokers is altered" 'Completed updating default config for brokers' -- "${configs[@]}" --alter --entity-type brokers --entity-default --add-config max.connections=5000
  expect "a setting of all brokers is described" 'max.connections=5000' -- "${configs[@]}" --describe --entity-type brokers --entity-default
  expect "a setting of all brokers is taken back" 'Completed updating default config' -- "${configs[@]}" --alter --entity-type brokers --entity-default --delete-config max.connections
  refused "a setting that only a start gives is refused" 'InvalidRequestException: [Cc]annot update these' -- "${configs[@]}" --alter --broker 1 --add-config num.partitions=3
  expect "a setting of a group is altered" 'Completed updating config for group tool-owners' -- "${configs[@]}" --alter --group tool-owners --add-config consumer.session.timeout.ms=50000
  expect "a setting of a group is described" 'consumer.session.timeout.ms=50000' -- "${configs[@]}" --describe --group tool-owners
  expect "a setting of a group is taken back" 'Completed updating config for group tool-owners' -- "${configs[@]}" --alter --group tool-owners --delete-config consumer.session.timeout.ms
  expect "levels of the log are described" '^ *root=[A-Z]+ ' -- "${configs[@]}" --describe --entity-type broker-loggers --entity-name 1
  expect "the level of the log is altered" 'Completed updating config for broker-logger 1' -- "${configs[@]}" --alter --entity-type broker-loggers --entity-name 1 --add-config root=ERROR
  expect "the level of the log has been altered" '^ *root=ERROR ' -- "${configs[@]}" --describe --entity-type broker-loggers --entity-name 1
  refused "a level that does not exist is refused" 'InvalidConfigurationException' -- "${configs[@]}" --alter --entity-type broker-loggers --entity-name 1 --add-config root=LOUD
  refused "the level of all is not taken away" 'InvalidRequestException' -- "${configs[@]}" --alter --entity-type broker-loggers --entity-name 1 --delete-config root
  refused "the level of what does not log is refused" 'no[.]such' -- "${configs[@]}" --alter --entity-type broker-loggers --entity-name 1 --add-config no.such=INFO
  expect "the level of the log is altered back" 'Completed updating config' -- "${configs[@]}" --alter --entity-type broker-loggers --entity-name 1 --add-config root=WARN
  expect "quotas are described" '!rror|xception' -- "${configs[@]}" --describe --entity-type clients
  expect "a leader that leads needs no election" 'Valid replica already elected for partitions' -- $tools.LeaderElectionCommand --bootstrap-server "$bootstrap" --election-type preferred --topic tool-owned --partition 0
  expect "the quorum of the metadata has one leader" '^LeaderId: +1$' '^LeaderEpoch: +[1-9]' '^MaxFollowerLag: +0$' '^CurrentVoters: +\[.*"id": 1' -- "${quorum[@]}" --status
  expect "the quorum of the metadata has one voter" '^1[[:space:]].*Leader' '!Follower' -- "${quorum[@]}" --replication
  expect "no partition is on its way" '^No partition reassignments found' -- $tools.reassign.ReassignPartitionsCommand --bootstrap-server "$bootstrap" --list
  echo '{"version":1,"partitions":[{"topic":"tool-owned","partition":0,"replicas":[1]}]}' >"$work/moves.json"
  expect "a partition is moved to where it is" 'Successfully started partition reassignment for tool-owned-0' -- $tools.reassign.ReassignPartitionsCommand --bootstrap-server "$bootstrap" --execute --reassignment-json-file "$work/moves.json"
  expect "a partition is where it was moved to" 'Reassignment of partition tool-owned-0 is completed' -- $tools.reassign.ReassignPartitionsCommand --bootstrap-server "$bootstrap" --verify --reassignment-json-file "$work/moves.json"
  refused "rules of access are not listed without an authorizer" 'SecurityDisabledException' -- $tools.AclCommand --bootstrap-server "$bootstrap" --list
  expect "metrics of clients are listed" '!rror|xception' -- $tools.ClientMetricsCommand --bootstrap-server "$bootstrap" --list
  expect "the level of transactions is described" '^Feature: transaction.version.*SupportedMaxVersion: 2.*FinalizedVersionLevel: 2' -- $tools.FeatureCommand --bootstrap-server "$bootstrap" describe
  local offsets=($tools.GetOffsetShell --bootstrap-server "$bootstrap" --topic tool-owned)
  expect "nothing is tiered" '!tool-owned:0:[0-9]' '!xception' -- "${offsets[@]}" --time -5
  expect "nothing is to be tiered" '!tool-owned:0:[0-9]' '!xception' -- "${offsets[@]}" --time -6
  expect "the local log begins where the log does" '^tool-owned:0:0$' -- "${offsets[@]}" --time -4
}

cases=("$@")
[ ${#cases[@]} -gt 0 ] || cases=(topics configs records groups offsets verifiable performance cluster transactions operators)
if [ -n "${TOOLS_BOOTSTRAP:-}" ]; then
  bootstrap=$TOOLS_BOOTSTRAP
else
  if [ -z "${TOOLS_BINARY:-}" ]; then
    (cd "$root" && cargo build --quiet --package mainstem)
    TOOLS_BINARY=$root/target/debug/mainstem
  fi
  start_broker "$TOOLS_BINARY" "$work" --listen 127.0.0.1:0 --set offsets.topic.num.partitions=4
  bootstrap=$(cat "$work/upstream")
fi
for case in "${cases[@]}"; do
  case $case in
    topics | configs | records | groups | offsets | verifiable | performance | cluster | transactions | operators) "$case" ;;
    *) sed -n 's/^# \{0,1\}//; 2,10p' "$0" >&2; exit 2 ;;
  esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
