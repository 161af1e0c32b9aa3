#!/usr/bin/env bash
# Applications of Kafka Streams with exactly_once_v2 that are killed, robbed of their state, and paused until others have taken
# their place: a word count with a repartition, and an outer join of two streams with windows. What they leave must be what
# the input says, each result once. Ends with 'N passed, N failed'.
#
#   run.sh                 on Mainstem
#   run.sh --kafka         on Mainstem and on Apache Kafka, and the answers of both are the same
#   run.sh --kafka-alone   on Apache Kafka, to check a case
#   run.sh --seed 12       other input, other moments
#   run.sh --only words    only the runs with this in their names
#
# STREAMS_BINARY names the built `mainstem` to use instead of building one; KEEP=1 keeps logs and data.
# What it needs (Java, Maven, jars, confluent-kafka for Python) is installed as for the interoperation tests.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
suite=$root/tests/streams
here=$root/tests/interop
# shellcheck source=../interop/lib.sh
source "$here/lib.sh"
export INTEROP_CACHE=${INTEROP_CACHE:-$HOME/.cache/mainstem-interop}

brokers=(mainstem) arguments=()
for argument in "$@"; do
  case $argument in
    --kafka) brokers=(mainstem kafka) ;;
    --kafka-alone) brokers=(kafka) ;;
    --help) sed -n 's/^# \{0,1\}//; 2,14p' "$0" && exit 0 ;;
    *) arguments+=("$argument") ;;
  esac
done

work=$(mktemp -d "${TMPDIR:-/tmp}/mainstem-streams.XXXXXX")
clean_up() {
  end_children
  if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap clean_up EXIT

"$here/install.sh" modern streams
export STREAMS_JARS=$INTEROP_CACHE/streams/jars STREAMS_CLASSES=$work/classes PYTHONDONTWRITEBYTECODE=1
javac -Xlint:all,-processing,-classfile -Werror -proc:none -d "$STREAMS_CLASSES" -cp "$STREAMS_JARS/*" "$suite"/java/*.java

# So that neither the dead nor their transactions are waited for long.
settings=(group.min.session.timeout.ms=1000 transaction.abort.timed.out.transaction.cleanup.interval.ms=500 group.initial.rebalance.delay.ms=0)

start_mainstem() {
  if [ -z "${STREAMS_BINARY:-}" ]; then
    (cd "$root" && cargo build --quiet --package mainstem)
    STREAMS_BINARY=$root/target/debug/mainstem
  fi
  start_broker "$STREAMS_BINARY" "$1" --listen 127.0.0.1:0 --set offsets.topic.num.partitions=4 --set transaction.state.log.num.partitions=4 \
    "${settings[@]/#/--set=}"
}

addresses=()
for broker in "${brokers[@]}"; do
  mkdir -p "$work/$broker"
  case $broker in
    mainstem) start_mainstem "$work/$broker" ;;
    kafka) start_kafka "$work/$broker" "" "${settings[@]}" ;;
  esac
  addresses+=("$broker=$(cat "$work/$broker/upstream")")
done
timeout -k 5 900 "$INTEROP_CACHE/modern/venv/bin/python" "$suite/main.py" "${arguments[@]}" "$work/runs" "${addresses[@]}"
