#!/usr/bin/env bash
# Runs real Kafka clients against a broker, a line per client and case, and ends with 'N passed, N failed'.
#
#   run.sh                         builds mainstem, starts it, runs every client
#   run.sh --client java-4         only this client (may repeat): java-3 java-4 confluent-kafka-old confluent-kafka kcat
#                                  franz-go sarama kafka-go kafkajs kafka-python-2 kafka-python-3 aiokafka mainstem
#   run.sh --case gzip             only the cases whose name holds the word
#   run.sh --kafka                 against Apache Kafka: shows that the cases themselves are right
#   run.sh --frames DIR            also keeps the first request and response of each kind as hex
#   run.sh --tag NAME              names the topics interop-NAME-... (the process id unless given)
#   run.sh --bootstrap HOST:PORT   against a broker that is running already
#   run.sh --write                 writes docs/clients.md, which a full run against mainstem compares with what it found
#
# INTEROP_BIN names a binary to use instead of building one; names that begin with MAINSTEM_ would be the broker's settings.
# Two clients run at a time. The clients go into ${INTEROP_CACHE:-~/.cache/mainstem-interop}, their versions are in versions.env. Every
# connection passes a recording proxy (not with --bootstrap), so the run also tells which API versions were used.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
source "$here/lib.sh"
# shellcheck source=versions.env
source "$here/versions.env"
export INTEROP_CACHE=${INTEROP_CACHE:-$HOME/.cache/mainstem-interop}
# The slowest begin.
all=(java-4 java-3 mainstem kafka-python-3 kafka-python-2 kcat sarama confluent-kafka confluent-kafka-old kafkajs franz-go kafka-go aiokafka)
limit=(timeout -k 5 600)
clients=() bootstrap='' kafka='' case='' frames='' tag=$$ write=''
while [ $# -gt 0 ]; do
  case $1 in
    --client) clients+=("$2"); shift 2 ;;
    --bootstrap) bootstrap=$2; shift 2 ;;
    --case) case=$2; shift 2 ;;
    --frames) frames=$2; shift 2 ;;
    --tag) tag=$2; shift 2 ;;
    --kafka) kafka=yes; shift ;;
    --write) write=yes; shift ;;
    *) sed -n 's/^# \{0,1\}//; 2,17p' "$0" >&2; exit 2 ;;
  esac
done
[ ${#clients[@]} -gt 0 ] || clients=("${all[@]}")

part_of() {
  case $1 in
    kcat) echo kcat ;;
    confluent-kafka-old) echo old ;;
    confluent-kafka | kafka-python-2) echo modern ;;
    kafka-python-3 | aiokafka) echo next ;;
    franz-go | sarama | kafka-go) echo go ;;
    kafkajs) echo node ;;
    java-3) echo java3 ;;
    java-4) echo java4 ;;
    mainstem) echo none ;;
    *) echo "run.sh: unknown client $1, known are ${all[*]}" >&2; return 2 ;;
  esac
}

version_of() {
  case $1 in
    kcat) kcat -V | sed -nE 's/^Version ([^ ]+) .*(librdkafka [^ ]+).*/\1, \2/p' ;;
    confluent-kafka*) "$INTEROP_CACHE/$(part_of "$1")/venv/bin/python" -c 'import confluent_kafka as c; v = c.version(); print(v if isinstance(v, str) else v[0], "librdkafka " + c.libversion()[0], sep=", ")' ;;
    kafka-python-2) echo "$KAFKA_PYTHON_2" ;;
    kafka-python-3) echo "$KAFKA_PYTHON_3" ;;
    aiokafka) echo "$AIOKAFKA" ;;
    franz-go) sed -n 's|.*twmb/franz-go v||p' "$here/go/go.mod" ;;
    kafka-go) sed -n 's|.*segmentio/kafka-go v||p' "$here/go/go.mod" ;;
    sarama) sed -n 's|.*IBM/sarama v||p' "$here/go/go.mod" ;;
    kafkajs) sed -n 's|.*"kafkajs": "\(.*\)".*|\1|p' "$here/node/package.json" ;;
    java-3) echo "$JAVA_CLIENT_3" ;;
    java-4) echo "$JAVA_CLIENT_4" ;;
    mainstem) "$INTEROP_BIN" --version | cut -d ' ' -f 2 ;;
  esac
}

# The program of each client, in `program`; the arguments that follow are the same for all.
program_of() {
  local log=$here/../data/apache_access.log.gz part
  part=$INTEROP_CACHE/$(part_of "$1")
  case $1 in
    kcat) program=(python3 "$here/python/kcat.py") ;;
    confluent-kafka*) program=("$part/venv/bin/python" "$here/python/confluent.py") ;;
    kafka-python-*) program=("$part/venv/bin/python" "$here/python/pure.py") ;;
    aiokafka) program=("$part/venv/bin/python" "$here/python/aio.py") ;;
    mainstem) program=(python3 "$here/python/command.py") ;;
    franz-go) program=("$part/franz" --log "$log") ;;
    sarama) program=("$part/sarama" --log "$log") ;;
    kafka-go) program=("$part/kafkago" --log "$log") ;;
    kafkajs) program=(node "$part/kafkajs.js" --log "$log") ;;
    java-*) program=("$here/java/run.sh" "$1" "$part") ;;
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
# The members of every client are fed and looked at by the newest librdkafka.
"$here/install.sh" modern "${parts[@]}"
export PYTHONDONTWRITEBYTECODE=1
# Node looks for packages beside the program only, so the program is run from a copy beside them.
[[ ${clients[*]} != *kafkajs* ]] || cp "$here"/node/*.js "$INTEROP_CACHE/node/"
[ -n "${INTEROP_BIN:-}" ] || (cd "$here/../.." && cargo build --quiet --package mainstem)
export INTEROP_BIN=${INTEROP_BIN:-${CARGO_TARGET_DIR:-$here/../../target}/debug/mainstem}

# Members of the new protocol have their session from the broker.
sessions=(group.consumer.min.session.timeout.ms=6000 group.consumer.session.timeout.ms=6000
  group.consumer.min.heartbeat.interval.ms=500 group.consumer.heartbeat.interval.ms=500
  transaction.abort.timed.out.transaction.cleanup.interval.ms=500)
arguments=(--tag "$tag" ${case:+--case "$case"})
if [ -z "$bootstrap" ]; then
  start_proxy "$work" "$frames"
  if [ -n "$kafka" ]; then
    start_kafka "$work" "$proxy" "${sessions[@]}"
  else
    start_broker "$INTEROP_BIN" "$work" --listen 127.0.0.1:0 \
      --set "advertised.listeners=PLAINTEXT://$proxy" --set num.partitions=4 "${sessions[@]/#/--set=}"
  fi
  bootstrap=$proxy
  arguments+=(--seen "$work/seen")
fi

python3 "$here/wire/versions.py" --lacking "$bootstrap" >"$work/lacking"
export INTEROP_LACKING=$work/lacking
sed -E 's/(.*)\|(.*)/s|^FAIL ([^:]*): \1: .*|skip \\1: \1: the broker does not serve \2|/' "$work/lacking" >"$work/lacking.sed"

# run_client CLIENT: its cases, then its members; what it says goes into CLIENT.log.
run_client() {
  local client=$1 log=$work/$1.log program
  program_of "$client"
  {
    echo "==== $client $(version_of "$client")"
    "${limit[@]}" "${program[@]}" --bootstrap "$bootstrap" "${arguments[@]}" || true
    "${limit[@]}" "$INTEROP_CACHE/modern/venv/bin/python" "$here/python/members.py" --client "$client" --bootstrap "$bootstrap" \
      --tag "$tag" --case "$case" -- "${program[@]}" || true
  } 2>"$log.err" </dev/null | sed -u -E -f "$work/lacking.sed" >"$log"
  for part in "$client" "$client members"; do
    grep -q "^done $part: " "$log" || echo "FAIL $client: the program '$part' ended early" >>"$log"
  done
}

# Two workers take clients from one list; a lock keeps each name whole and each log together.
worker() {
  local client
  while client=$(flock "$work/list.lock" sh -c 'read -r client && echo "$client"' <&"$list"); do
    run_client "$client"
    flock "$work/out.lock" cat "$work/$client.log"
    if grep -q ^FAIL "$work/$client.log"; then flock "$work/out.lock" tail -n 40 "$work/$client.log.err" >&2; fi
  done
}
printf '%s\n' "${clients[@]}" >"$work/list"
exec {list}<"$work/list"
worker &
workers=($!)
worker &
workers+=($!)
wait "${workers[@]}"

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
  # Whether each advertised range was used up to its end, and the table, can be said only after a full run.
  whole=''
  [ "${clients[*]}" != "${all[*]}" ] || [ -n "$case$kafka" ] || whole=$(cat "$work/upstream")
  python3 "$here/wire/versions.py" "$work/seen" ${whole:+"$whole"} | tee "$work/versions.log"
fi
if [ -n "${mainstem:-}" ]; then
  echo "==== broker"
  check_broker >"$work/broker.log" # not in a pipe: only the shell that started a process can wait for it
  cat "$work/broker.log"
  if grep -q ^FAIL "$work/broker.log"; then cat "$work/checks.out" >&2; fi
fi
results=("${all[@]/#/$work/}")
results=("${results[@]/%/.log}")
if [ -n "$write" ]; then
  python3 "$here/python/table.py" write "$here/../../docs/clients.md" "${results[@]}"
elif [ -n "${whole:-}" ]; then
  echo "==== table"
  python3 "$here/python/table.py" check "$here/../../docs/clients.md" "${results[@]}" | tee "$work/table.log"
fi
skipped=$(cat "$work"/*.log | grep -c '^skip ' || true)
[ "$skipped" -eq 0 ] || echo "$skipped skipped: the broker does not serve $(cut -d '|' -f 2 "$work/lacking" | sort -u | tr '\n' ' ')"
passed=$(cat "$work"/*.log | grep -c '^ok ' || true)
failed=$(cat "$work"/*.log | grep -c '^FAIL ' || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
