#!/usr/bin/env bash
# Runs real Kafka clients against a broker, a line per client and case, and ends with 'N passed, N failed'.
#
#   run.sh                         builds mainstem, starts it, runs every client
#   run.sh --client java-4         only this client (may repeat): kcat confluent-kafka kafka-python-2 kafka-python-3
#                                  aiokafka franz-go sarama kafkajs java-3 java-4 mainstem
#   run.sh --case gzip             only the cases whose name holds the word
#   run.sh --kafka                 against Apache Kafka: shows that the cases themselves are right
#   run.sh --frames DIR            also keeps the first request and response of each kind as hex
#   run.sh --tag NAME              names the topics interop-NAME-... (the process id unless given)
#   run.sh --bootstrap HOST:PORT   against a broker that is running already
#
# INTEROP_BIN names a binary to use instead of building one; names that begin with MAINSTEM_ would be the broker's settings.
# The clients go into ${INTEROP_CACHE:-~/.cache/mainstem-interop}, their versions are in versions.env. Every
# connection passes a recording proxy (not with --bootstrap), so the run also tells which API versions were used.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$here/lib.sh"
# shellcheck source=versions.env
source "$here/versions.env"
export INTEROP_CACHE=${INTEROP_CACHE:-$HOME/.cache/mainstem-interop}
all=(kcat confluent-kafka kafka-python-2 kafka-python-3 aiokafka franz-go sarama kafkajs java-3 java-4 mainstem)
limit=(timeout -k 5 600)
clients=() bootstrap='' kafka='' case='' frames='' tag=$$
while [ $# -gt 0 ]; do
  case $1 in
    --client) clients+=("$2"); shift 2 ;;
    --bootstrap) bootstrap=$2; shift 2 ;;
    --case) case=$2; shift 2 ;;
    --frames) frames=$2; shift 2 ;;
    --tag) tag=$2; shift 2 ;;
    --kafka) kafka=yes; shift ;;
    *) sed -n 's/^# \{0,1\}//; 2,16p' "$0" >&2; exit 2 ;;
  esac
done
[ ${#clients[@]} -gt 0 ] || clients=("${all[@]}")

part_of() {
  case $1 in
    kcat) echo kcat ;;
    confluent-kafka | kafka-python-2) echo modern ;;
    kafka-python-3 | aiokafka) echo next ;;
    franz-go | sarama) echo go ;;
    kafkajs) echo node ;;
    java-3) echo java3 ;;
    java-4) echo java4 ;;
    mainstem) echo none ;;
    *) echo "run.sh: unknown client $1, known are ${all[*]}" >&2; return 2 ;;
  esac
}

version_of() {
  case $1 in
    kcat) kcat -V | grep -o 'Version.*' ;;
    confluent-kafka) python_of "$1" -c 'import confluent_kafka as c; print(c.version(), "librdkafka", c.libversion()[0])' ;;
    kafka-python-2) echo "$KAFKA_PYTHON_2" ;;
    kafka-python-3) echo "$KAFKA_PYTHON_3" ;;
    aiokafka) echo "$AIOKAFKA" ;;
    franz-go) sed -n 's|.*twmb/franz-go v||p' "$here/go/go.mod" ;;
    sarama) sed -n 's|.*IBM/sarama v||p' "$here/go/go.mod" ;;
    kafkajs) sed -n 's|.*"kafkajs": "\(.*\)".*|\1|p' "$here/node/package.json" ;;
    java-3) echo "$JAVA_CLIENT_3" ;;
    java-4) echo "$JAVA_CLIENT_4" ;;
    mainstem) "$INTEROP_BIN" --version ;;
  esac
}

python_of() {
  local client=$1
  shift
  PYTHONDONTWRITEBYTECODE=1 "${limit[@]}" "$INTEROP_CACHE/$(part_of "$client")/venv/bin/python" "$@"
}

go_of() {
  local program=$INTEROP_CACHE/go/$1
  shift
  "${limit[@]}" "$program" --log "$here/../data/apache_access.log.gz" "$@"
}

# Node looks for packages beside the program only, so the program is run from a copy beside them.
node_of() {
  local program=$1
  shift
  cp "$here"/node/*.js "$INTEROP_CACHE/node/"
  "${limit[@]}" node "$INTEROP_CACHE/node/$program" --log "$here/../data/apache_access.log.gz" "$@"
}

# The program of each client; the arguments are the same for all.
program_of() {
  local client=$1
  shift
  case $client in
    kcat) PYTHONDONTWRITEBYTECODE=1 "${limit[@]}" python3 "$here/python/kcat.py" "$@" ;;
    confluent-kafka) python_of "$client" "$here/python/confluent.py" "$@" ;;
    kafka-python-*) python_of "$client" "$here/python/pure.py" "$@" ;;
    mainstem) PYTHONDONTWRITEBYTECODE=1 "${limit[@]}" python3 "$here/python/command.py" "$@" ;;
    aiokafka) python_of "$client" "$here/python/aio.py" "$@" ;;
    franz-go) go_of franz "$@" ;;
    sarama) go_of sarama "$@" ;;
    kafkajs) node_of kafkajs.js "$@" ;;
    java-*) "${limit[@]}" "$here/java/run.sh" "$client" "$INTEROP_CACHE/$(part_of "$client")" "$@" ;;
  esac
}

work=$(mktemp -d "${TMPDIR:-/tmp}/mainstem-interop.XXXXXX")
clean_up() {
  end_children
  if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap clean_up EXIT

parts=()
for client in "${clients[@]}"; do parts+=("$(part_of "$client")"); done
"$here/install.sh" "${parts[@]}"
[ -n "${INTEROP_BIN:-}" ] || (cd "$here/../.." && cargo build --quiet --package mainstem)
export INTEROP_BIN=${INTEROP_BIN:-${CARGO_TARGET_DIR:-$here/../../target}/debug/mainstem}

arguments=(--tag "$tag" ${case:+--case "$case"})
if [ -z "$bootstrap" ]; then
  start_proxy "$work" "$frames"
  if [ -n "$kafka" ]; then
    start_kafka "$work" "$proxy"
  else
    start_broker "$INTEROP_BIN" "$work" --listen 127.0.0.1:0 \
      --set "advertised.listeners=PLAINTEXT://$proxy" --set num.partitions=4
  fi
  bootstrap=$proxy
  arguments+=(--seen "$work/seen")
fi

run_client() {
  local client=$1 log=$work/$1.log
  echo "==== $client $(version_of "$client")"
  program_of "$client" --bootstrap "$bootstrap" "${arguments[@]}" 2>"$log.err" </dev/null | tee "$log" || true
  grep -q "^done $client: " "$log" || echo "FAIL $client: the program ended early" | tee -a "$log"
  if grep -q ^FAIL "$log"; then tail -n 40 "$log.err" >&2; fi
}

for client in "${clients[@]}"; do run_client "$client"; done

# What the clients left behind: an orderly stop, clean data, no panic.
check() {
  local what=$1
  shift
  if "$@" >>"$work/checks.out" 2>&1; then echo "ok   broker: $what"; else echo "FAIL broker: $what"; fi
}
stop_mainstem() { kill "$mainstem" && wait "$mainstem"; }
no_panic() { ! grep -n panicked "$work/server.err"; }
check_broker() {
  check "stops in order" stop_mainstem
  check "its data is clean" "$INTEROP_BIN" verify "$work/data"
  check "nothing panicked" no_panic
}
if [ -s "$work/seen" ]; then
  echo "==== API versions used"
  # Whether each advertised range was used up to its end can be said only after a full run.
  whole=''
  [ "${clients[*]}" != "${all[*]}" ] || [ -n "$case$kafka" ] || whole=$(cat "$work/upstream")
  PYTHONDONTWRITEBYTECODE=1 python3 "$here/wire/versions.py" "$work/seen" ${whole:+"$whole"} | tee "$work/versions.log"
fi
if [ -n "${mainstem:-}" ]; then
  echo "==== broker"
  check_broker >"$work/broker.log" # not in a pipe: only the shell that started a process can wait for it
  cat "$work/broker.log"
  if grep -q ^FAIL "$work/broker.log"; then cat "$work/checks.out" >&2; fi
fi
passed=$(cat "$work"/*.log | grep -c '^ok ' || true)
failed=$(cat "$work"/*.log | grep -c '^FAIL ' || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
